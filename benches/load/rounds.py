"""The rounds: all programs in turns on the server's core, until enough rounds were undisturbed."""

from collections.abc import Callable
from dataclasses import asdict

from client import all_at_once, post
from machine import Watch, cpu_ns
from programs import Server
from setup import HEALTHZ, Setup
from wrk import Load, Work, wrk

# One number or load for each thing measured in a round.
Round = dict[str, dict[str, float]]

REPEATED_MAX = 2
HEALTHZ_DRIFT_MAX = 0.10
PEERS: dict[str, tuple[str, ...]] = {
    "axum": ("row", "row_many"),
    "axum_inline": ("row", "row_many"),
    "juniper_warp": ("row", "row_many"),
    "express": ("payload", "row"),
}


def rounds(setup: Setup, say: Callable[[str], None]) -> list[Round]:
    """As many rounds as wanted, undisturbed. If too many are disturbed, the last are kept, and marked."""
    accepted: list[Round] = []
    wanted = setup.sizes.rounds
    attempts = wanted + REPEATED_MAX
    for attempt in range(1, attempts + 1):
        watch = Watch()
        measured = one_round(setup, attempt)
        noise = watch.noise() or healthz_drift(measured)
        left = wanted - len(accepted)
        forced = noise is not None and attempts - attempt < left
        if noise is None or forced:
            accepted.append({**measured, "disturbed": {"value": float(forced)}})
        say(f"round {attempt}: {noise or 'undisturbed'}{', kept: too many were' if forced else ''}")
        if len(accepted) == wanted:
            break
    return accepted


def healthz_drift(measured: Round) -> str | None:
    begin, end = measured["healthz"]["cpu_us"], measured["healthz_end"]["cpu_us"]
    drift = end / begin - 1
    return f"/healthz changed by {drift:+.0%}" if abs(drift) > HEALTHZ_DRIFT_MAX else None


def one_round(setup: Setup, number: int) -> Round:
    measured: Round = {}
    value = lambda value: {"value": value}  # noqa: E731
    new = setup.new_tokens(f"new-{number}")

    def load(name: str, server: Server, work: Work, door: int = 0) -> None:
        measured[name] = asdict(warm(setup, server, work, door))

    measured["cold_start_ms"] = value(setup.vestibule.cold_start_ms(setup.database))
    with setup.vestibule.serve(setup.database) as server:
        measured["idle_mib"] = value(server.resident_mib())
        load("healthz", server, HEALTHZ)
        for name in ("payload", "payload_many", "row", "row_many"):
            load(name, server, getattr(setup, name))
        load("users", server, setup.users, door=1)
        measured["first_sight"] = each_once(server, new)
        measured["verify_us"] = value(setup.verify_us(new.tokens))
        load("healthz_end", server, HEALTHZ)
        measured["busy_mib"] = value(server.resident_mib())
    # In another order each time, so that none is always measured on a core that the one before has warmed.
    peers = list(PEERS)
    for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
        with setup.peer(peer) as server:
            # Node compiles what is hot.
            warm(setup, server, setup.row)
            for name in PEERS[peer]:
                load(f"{peer}_{name}", server, getattr(setup, name))
    return measured


def warm(setup: Setup, server: Server, work: Work, door: int = 0) -> Load:
    """A load after a short one of the same kind, and after one request whose answer must be good."""
    address = server.addresses[door]
    if work.tokens:
        all_at_once(address, [post(address, work.all_tokens()[0], work.query)], 1)
    wrk(address, server.pid, work, setup.sizes.seconds / 4)
    return wrk(address, server.pid, work, setup.sizes.seconds)


def each_once(server: Server, work: Work) -> dict[str, float]:
    """Sends each token once."""
    address = server.addresses[0]
    requests = [post(address, token, work.query) for token in work.all_tokens()]
    before = cpu_ns(server.pid)
    took, _ = all_at_once(address, requests, 32)
    return {"per_second": len(requests) / took, "cpu_us": (cpu_ns(server.pid) - before) / len(requests) / 1000}
