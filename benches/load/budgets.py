"""The budgets, and the table of what was measured."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from rounds import Round

Value = Callable[[Round], float]


@dataclass(frozen=True)
class Budget:
    """One line of the table."""

    what: str
    value: Value
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    # The load that the line is about, for its throughput and CPU time.
    load: str | None = None

    def goal(self) -> str:
        if self.at_most is not None:
            return f"≤ {number(self.at_most)}{self.unit}"
        return f"≥ {number(self.at_least)}{self.unit}" if self.at_least is not None else ""

    def is_met(self, value: float) -> bool:
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


def cpu(name: str) -> Value:
    return lambda measured: measured[name]["cpu_us"]


def healthz(measured: Round) -> float:
    """The CPU time of an empty answer: the mean of the round's begin and end."""
    return (measured["healthz"]["cpu_us"] + measured["healthz_end"]["cpu_us"]) / 2


def over(name: str, base: Value = healthz) -> Value:
    return lambda measured: measured[name]["cpu_us"] / base(measured)


def value(name: str) -> Value:
    return lambda measured: measured[name]["value"]


def beyond_verify(measured: Round) -> float:
    """What the first sight of a token costs over a bare signature check, in empty answers."""
    return (measured["first_sight"]["cpu_us"] - measured["verify_us"]["value"]) / healthz(measured)


ROUNDS = [
    Budget("`/healthz`, the empty answer", over("healthz"), " ×", load="healthz"),
    Budget("`me` from the payload", over("payload"), " ×", at_most=2.2, load="payload"),
    Budget("… 1,000 tokens in turn", over("payload_many"), " ×", at_most=2.4, load="payload_many"),
    Budget("`me` from the database", over("row"), " ×", at_most=2.6, load="row"),
    Budget("… 1,000 tokens and rows", over("row_many"), " ×", at_most=3.0, load="row_many"),
    Budget("internal `users(first: 50)`", over("users"), " ×", at_most=12, load="users"),
    Budget("first sight of a token, over a bare verify", beyond_verify, " ×", at_most=2, load="first_sight"),
    Budget("axum + async-graphql, `me` from SQLite", over("axum_row", cpu("row")), " × ours", at_least=1.3, load="axum_row"),
    Budget("… 1,000 tokens and rows", over("axum_row_many", cpu("row_many")), " × ours", at_least=1.3, load="axum_row_many"),
    Budget("the same, SQLite inline as in ours", over("axum_inline_row", cpu("row")), " × ours", load="axum_inline_row"),
    Budget("… 1,000 tokens and rows", over("axum_inline_row_many", cpu("row_many")), " × ours", load="axum_inline_row_many"),
    Budget("stock juniper_warp, `me` from SQLite", over("juniper_warp_row", cpu("row")), " × ours", load="juniper_warp_row"),
    Budget("… 1,000 tokens and rows", over("juniper_warp_row_many", cpu("row_many")), " × ours", load="juniper_warp_row_many"),
    Budget("Express, `me` from the payload", over("express_payload", cpu("payload")), " × ours", at_least=30, load="express_payload"),
    Budget("Express, `me` from SQLite", over("express_row", cpu("row")), " × ours", at_least=30, load="express_row"),
    Budget("cold start to `/readyz`", value("cold_start_ms"), " ms", at_most=50),
    Budget("memory, idle", value("idle_mib"), " MiB", at_most=20),
    Budget("memory after a round", value("busy_mib"), " MiB"),
]

EXTRAS = [
    Budget("`me` from the payload, over the same without a log line", value("request_line"), " ×"),
    Budget("memory with {live_tokens:,} live tokens", value("live_tokens_mib"), " MiB", at_most=64),
    Budget("an idle subscription, of {sockets:,}", value("socket_kib"), " KiB", at_most=25),
    Budget("p99 at half of saturation, over the median", value("half_saturation"), " ×", at_most=5),
    Budget("`me` from the database, {largest:,} users over {smallest:,}", value("growth_row"), " ×", at_most=1.3),
    Budget("`users(first: 50)`, {largest:,} users over {smallest:,}", value("growth_users"), " ×", at_most=1.3),
    Budget("two cores over one", value("two_cores"), " ×", at_least=1.7),
    Budget("readers' p99 beside {logins:,} first logins, over alone", value("first_logins"), " ×", at_most=2),
    Budget("CPU of these logins, of a core", lambda measured: measured["first_logins"]["cpu"] * 100, " %", at_most=90),
]


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rows(rounds: list[Round], extras: Round, sizes: dict[str, int]) -> list[list[str]]:
    """The table: what, requests a second, CPU µs, value, goal, met, spread."""
    lines = [["", "requests/s", "CPU µs", "value", "budget", "met", "spread"]]
    for budget, samples in [(budget, rounds) for budget in ROUNDS] + [(budget, [extras]) for budget in EXTRAS]:
        values = [budget.value(sample) for sample in samples]
        median = statistics.median(values)
        load = [statistics.median(sample[budget.load][key] for sample in samples) for key in ("per_second", "cpu_us")] if budget.load else None
        once = budget.load == "first_sight"
        spread = f"{number(min(values))} – {number(max(values))}" if len(values) > 1 else ""
        met = "" if not budget.goal() else "yes" if budget.is_met(median) else "**no**"
        lines.append([
            budget.what.format(**sizes),
            number(load[0]) if load and not once else "",
            number(load[1]) if load else "",
            number(median) + budget.unit,
            budget.goal(),
            met,
            spread,
        ])
    return lines


def markdown(lines: list[list[str]]) -> str:
    head, *body = lines
    rule = ["---", *["---:"] * 4, "---", "---"]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *body])


def plain(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths)).rstrip() for line in lines)
