"""Plots as SVG, readable on light and dark pages."""

import math
from collections.abc import Callable

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 90, 230, 56, 48

LABELS = {
    "vestibule payload": "Vestibule, user in the token",
    "vestibule": "Vestibule",
    "axum": "axum + async-graphql",
    "juniper_warp": "stock juniper_warp",
    "express": "Express",
}
# Distinguishable on white and on black, also with colour blindness.
COLOURS = {
    "vestibule payload": "#0072b2",
    "vestibule": "#3b9fd9",
    "axum": "#d55e00",
    "juniper_warp": "#aa7f00",
    "express": "#c0589a",
}

STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-size: 16px; font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: 1 } .line { fill: none; stroke-width: 2.5 } .thin { stroke-width: 1.5; stroke-dasharray: 4 4 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #3d444d } }
</style>"""

Curves = dict[str, dict[str, dict[str, float]]]


def throughput(curves: Curves) -> str:
    read = {"line": lambda load: load["per_second"]}
    return plot("Requests per second by concurrent connections, one core", curves, read, lambda value: f"{value:,.0f}")


def latency(curves: Curves) -> str:
    read = {"line": lambda load: load["p50"] / 1000, "line thin": lambda load: load["p99"] / 1000}
    title = "Latency by concurrent connections, one busy core: median, and p99 (dashed)"
    return plot(title, curves, read, lambda value: f"{value:g} ms")


def plot(
    title: str, curves: Curves, read: dict[str, Callable[[dict[str, float]], float]], name: Callable[[float], str]
) -> str:
    """Lines over the concurrency; the values on a logarithmic axis, because the programs differ by orders of magnitude."""
    steps = [int(step) for step in next(iter(curves.values()))]
    values = [of(load) for loads in curves.values() for load in loads.values() for of in read.values()]
    ticks = ticks_around(min(values), max(values))

    def x(index: int) -> float:
        return LEFT + index * (WIDTH - LEFT - RIGHT) / max(len(steps) - 1, 1)

    def y(value: float) -> float:
        return TOP + math.log(ticks[-1] / value) / math.log(ticks[-1] / ticks[0]) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text class="title" x="16" y="28">{title}</text>']
    for tick in ticks:
        at = y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{name(tick)}</text>')
    for index, step in enumerate(steps):
        parts.append(f'<text x="{x(index):.1f}" y="{HEIGHT - 20}" text-anchor="middle">{step}</text>')
    for program, loads in curves.items():
        for style, of in read.items():
            points = " ".join(f"{x(index):.1f},{y(of(load)):.1f}" for index, load in enumerate(loads.values()))
            parts.append(f'<polyline class="{style}" stroke="{COLOURS[program]}" points="{points}"/>')
    main = next(iter(read.values()))
    ends = {program: y(main(list(loads.values())[-1])) for program, loads in curves.items()}
    for program, at in apart(ends).items():
        text = f'<text x="{WIDTH - RIGHT + 10}" y="{at + 4:.1f}" style="fill: {COLOURS[program]}">{LABELS[program]}</text>'
        parts.append(text)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
    return "\n".join([head, STYLE, *parts, "</svg>", ""])


def ticks_around(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 and so on, over a wide range 1, 10, 100, from one that is not above `low` to one that is not below `high`."""
    steps = (1, 2, 5) if high / low < 1_000 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    series = [step * 10.0**power for power in powers for step in steps]
    first = max(tick for tick in series if tick <= low)
    last = min(tick for tick in series if tick >= high and tick > first)
    return [tick for tick in series if first <= tick <= last]


def apart(places: dict[str, float], gap: float = 17) -> dict[str, float]:
    """The places of labels, moved down where they would overlap."""
    moved: dict[str, float] = {}
    last = -math.inf
    for program, at in sorted(places.items(), key=lambda place: place[1]):
        last = moved[program] = max(at, last + gap)
    return moved
