"""The report: printed, and in docs/performance.md between its markers."""

import re
from datetime import date

import plots
from budgets import EXTRAS, ROUNDS, markdown, rows
from setup import ROOT, Sizes

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"


def lines(results: dict) -> list[list[str]]:
    return rows(results["rounds"], results["extras"], results["sizes"])


def sizes(of: Sizes, sockets: float) -> dict[str, int]:
    """The numbers in the texts of the budgets."""
    return {
        "live_tokens": of.live_tokens,
        "sockets": int(sockets),
        "logins": of.logins,
        "smallest": min(of.growth),
        "largest": max(of.growth),
    }


def write_page(results: dict) -> None:
    """Replaces the measured parts of the page, and its pictures."""
    sections = {"table": markdown(lines(results)), "notes": notes(results), "machine": machine(results)}
    text = PAGE.read_text()
    for name, section in sections.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{PAGE} has no {begin} … {end}")
        text = pattern.sub(lambda _: f"{begin}\n{section}\n{end}", text)
    PAGE.write_text(text)
    (IMAGES / "throughput.svg").write_text(plots.throughput(results["curves"]))
    (IMAGES / "latency.svg").write_text(plots.latency(results["curves"]))


def machine(results: dict) -> str:
    kept = int(sum(measured["disturbed"]["value"] for measured in results["rounds"]))
    rounds = f"{len(results['rounds'])} rounds" + (f", {kept} of them disturbed" if kept else "")
    return f"Measured on {date.today()}: {results['machine']}. {rounds}, {results['users']:,} users."


def notes(results: dict) -> str:
    """What the table's numbers are made of, and what takes the time where a budget is not met."""
    extras = results["extras"]
    logins, cores, half = extras["first_logins"], extras["two_cores"], extras["half_saturation"]
    text = [
        f"First logins: {logins['per_second']:,.0f} a second, each answered within {logins['p99_ms']:,.0f} ms (p99), with "
        f"{logins['cpu']:.0%} of a core; readers' p99 was {logins['readers_alone_us'] / 1000:.2f} ms alone and "
        f"{logins['readers_beside_us'] / 1000:.2f} ms beside them.",
        f"At half of saturation ({half['per_second']:,.0f} of {half['full']:,.0f} requests a second) the median is "
        f"{half['p50'] / 1000:.2f} ms and the p99 {half['p99'] / 1000:.2f} ms.",
    ]
    if cores["estimated"]:
        text.append(
            f"Two cores: estimated, because this machine has no cores left for the client, from the CPU time of a request "
            f"with one core ({cores['one_us']:.1f} µs) and with two ({cores['two_us']:.1f} µs)."
        )
    text += unmet(results)
    return "\n".join(f"- {line}" for line in text)


def unmet(results: dict) -> list[str]:
    """A line for each budget that is not met."""
    missed = []
    for budget, line in zip(ROUNDS + EXTRAS, lines(results)[1:]):
        if "no" in line[5]:
            profile = results["profiles"].get(budget.load or "")
            shares = ", ".join(f"{name} {share:.0%}" for name, share in profile.items()) if profile else ""
            missed.append(f"Not met: {line[0]}, {line[3]} of {line[4]}." + (f" Its CPU time: {shares}." if shares else ""))
    return missed


