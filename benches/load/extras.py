"""What is measured once or a few times: memory, latency below saturation, growth, cores, first logins, concurrency."""

import os
import shutil
import socket
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from threading import get_native_id

from client import all_at_once, percentile, post, subscribe
from machine import NICE, cpu_ns, raise_open_files
from programs import AUDIENCES
from rounds import Round, each_once, warm
from setup import HEALTHZ, Setup
from wrk import Work, wrk

CONCURRENCY = (1, 8, 32, 128, 512)
# What the plots compare: program → the kind of request.
CURVES = {"vestibule payload": "payload_many", "vestibule": "row_many", "axum": "row_many", "juniper_warp": "row_many", "express": "row_many"}
READS_PER_SECOND = 1_000


def live_tokens(setup: Setup) -> Round:
    """The memory of a server that has verified many tokens."""
    count = setup.sizes.live_tokens
    tokens = setup.work("live", (setup.spread(setup.sizes.users) * (count // 1_000 + 1))[:count])
    with setup.vestibule.serve(setup.database) as server:
        each_once(server, tokens)
        return {"live_tokens_mib": {"value": server.resident_mib()}}


def request_line(setup: Setup) -> Round:
    """The CPU time of a request with its line in the log, over that without."""
    cost: dict[str, list[float]] = {"true": [], "false": []}
    for _ in range(min(setup.sizes.rounds, 3)):
        for requests, samples in cost.items():
            with setup.vestibule.serve(setup.database, extra=[f"log.requests={requests}"]) as server:
                samples.append(warm(setup, server, setup.payload).cpu_us)
    with_line, without = (statistics.median(samples) for samples in cost.values())
    return {"request_line": {"value": with_line / without}}


def half_saturation(setup: Setup) -> Round:
    """The latency at half of the throughput that saturates the server."""
    with setup.vestibule.serve(setup.database) as server:
        work, seconds = setup.payload_many, setup.sizes.seconds * 2
        full = warm(setup, server, work)
        half = wrk(server.addresses[0], server.pid, work, seconds, connections=64, per_second=full.per_second / 2)
        return {"half_saturation": {**vars(half), "value": half.p99 / max(half.p50, 1), "full": full.per_second}}


def sockets(setup: Setup) -> Round:
    """The memory of an idle subscription, half of them at each door. The limits of connections are raised for it. Where few
    files may be open there are fewer: a door accepts as many connections as its third of the files, less some."""
    count = min(setup.sizes.sockets, (raise_open_files() - 1_000) * 2 // 3)
    limits = [f"{door}.socket.{limit}" for door in AUDIENCES for limit in (f"connections={count}", "per_caller=0")]
    limits += ["http.per_address=0", f"http.connections={count}"]
    subscriptions = [
        (setup.row.all_tokens()[0], "subscription { meChanged { id } }"),
        (setup.users.all_tokens()[0], "subscription { userChanged { id } }"),
    ]
    with setup.vestibule.serve(setup.database, extra=limits) as server:

        def open_sockets(number: int) -> list[socket.socket]:
            turns = zip(range(number), cycle(zip(server.addresses, subscriptions)))
            return [subscribe(address, *subscription) for _, (address, subscription) in turns]

        some = open_sockets(count // 20)
        before = server.resident_mib()
        more = open_sockets(count - len(some))
        time.sleep(0.5)
        grown = server.resident_mib() - before
        for connection in some + more:
            connection.close()
    return {"socket_kib": {"value": grown * 1024 / len(more), "sockets": count}}


def growth(setup: Setup, say: Callable[[str], None]) -> Round:
    """The CPU time of the same queries in databases of several sizes, in turns."""
    cost: dict[str, dict[int, list[float]]] = {"row": {}, "users": {}}
    works = {}
    for users in setup.sizes.growth:
        begun = time.monotonic()
        works[users] = (setup.vestibule.database(users), setup.work(f"row-{users}", setup.spread(users)))
        say(f"imported {users:,} users in {time.monotonic() - begun:.0f} s")
    for _ in range(min(setup.sizes.rounds, 3)):
        for users, (database, row) in works.items():
            with setup.vestibule.serve(database) as server:
                healthz = warm(setup, server, HEALTHZ).cpu_us
                for name, work, door in (("row", row, 0), ("users", setup.users, 1)):
                    cost[name].setdefault(users, []).append(warm(setup, server, work, door).cpu_us / healthz)
    medians = {name: {str(users): statistics.median(of) for users, of in sizes.items()} for name, sizes in cost.items()}
    smallest = str(min(setup.sizes.growth))
    return {
        f"growth_{name}": {**sizes, "value": max(sizes.values()) / sizes[smallest]} for name, sizes in medians.items()
    }


def two_cores(setup: Setup) -> Round:
    """The throughput of two cores over that of one. Without two more cores for wrk it is estimated: twice, divided by how much
    more CPU time a request takes when the server has both."""
    measured = {}
    enough = (os.cpu_count() or 1) >= 4
    for server_cores, client_cores in (("0", "1"), ("0,1", "2,3" if enough else "0,1")):
        with setup.vestibule.serve(setup.database, core=server_cores) as server:
            wrk(server.addresses[0], server.pid, setup.row_many, 1, core=client_cores)
            load = wrk(
                server.addresses[0], server.pid, setup.row_many, setup.sizes.seconds * 2, connections=64, core=client_cores
            )
            measured[server_cores] = load
    one, two = measured["0"], measured["0,1"]
    speedup = two.per_second / one.per_second if enough else 2 * one.cpu_us / two.cpu_us
    return {"two_cores": {"value": speedup, "one_us": one.cpu_us, "two_us": two.cpu_us, "estimated": float(not enough)}}


def first_logins(setup: Setup) -> Round:
    """Many first logins at once, beside readers: how many a second, how busy the CPU is, and what the readers notice."""
    database = setup.folder / "logins.db"
    shutil.copy(setup.database, database)
    count, seconds = setup.sizes.logins, 2
    tokens = setup.work("logins", [f"auth0|first{number}" for number in range(count)]).all_tokens()
    with setup.vestibule.serve(database) as server, ThreadPoolExecutor() as threads:

        def read() -> int:
            address, work = server.addresses[0], setup.payload_many
            return wrk(address, server.pid, work, seconds, connections=16, per_second=READS_PER_SECOND).p99

        def log_in() -> tuple[float, list[float]]:
            # The readers share their core with this thread and must not wait for it.
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICE)
            return all_at_once(server.addresses[0], requests, 480)

        warm(setup, server, setup.payload_many)
        alone = read()
        requests = [post(server.addresses[0], token, "{ me { id } }") for token in tokens]
        readers = threads.submit(read)
        time.sleep(0.3)
        before = cpu_ns(server.pid)
        took, times = threads.submit(log_in).result()
        busy = (cpu_ns(server.pid) - before) / 1e9 / took
        beside = readers.result()
    return {
        "first_logins": {
            "value": beside / alone,
            "per_second": count / took,
            "cpu": busy,
            "p99_ms": percentile(times, 99) * 1000,
            "readers_alone_us": alone,
            "readers_beside_us": beside,
        }
    }


def curves(setup: Setup) -> dict[str, dict[str, dict[str, float]]]:
    """Throughput and latency of each program at each concurrency."""
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for name, kind in CURVES.items():
        work: Work = getattr(setup, kind)
        ours = name.startswith("vestibule")
        with setup.vestibule.serve(setup.database) if ours else setup.peer(name) as server:
            warm(setup, server, work)
            measured[name] = {
                str(connections): vars(
                    wrk(server.addresses[0], server.pid, work, setup.sizes.seconds, connections=connections)
                )
                for connections in CONCURRENCY
            }
    return measured


ONCE = (request_line, live_tokens, half_saturation, sockets, two_cores, first_logins)
