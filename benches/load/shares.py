"""Where the server's CPU time goes, by `perf`, if it is installed and allowed."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from setup import Setup
from wrk import wrk

# The first pattern that a symbol matches says whose it is.
OWNERS = [
    ("the kernel", r"^\[k\]"),
    ("malloc and free", r"malloc|calloc|realloc|cfree|_int_free|mi_|__rust_(de)?alloc|unlink_chunk|consolidate"),
    ("memory copies", r"mem(move|cpy|set|cmp|chr)"),
    ("SQLite", r"sqlite3|rusqlite|vdbe|btree|walF|pcache1|^\[\.\] [a-z]+[A-Z][A-Za-z0-9]+$"),
    ("cryptography", r"aws_lc|sha256|ring::"),
    ("juniper", r"juniper"),
    ("HTTP (hyper, warp, tokio)", r"hyper|warp|tokio|http::|mio|bytes::|tower|httparse"),
    ("futures", r"futures"),
    ("the log", r"tracing|fmt::"),
    ("JSON", r"serde_json|ryu|itoa"),
    ("Vestibule", r"vestibule"),
]


def profiles(setup: Setup) -> dict[str, dict[str, float]]:
    """The shares of the time of each kind of request; empty without `perf`."""
    if not shutil.which("perf"):
        return {}
    found = {}
    with setup.vestibule.serve(setup.database) as server:
        kinds = {name: (getattr(setup, name), 0) for name in ("payload", "payload_many", "row", "row_many")}
        for name, (work, door) in {**kinds, "users": (setup.users, 1)}.items():
            data = str(setup.folder / "perf.data")
            record = ["perf", "record", "--quiet", "-e", "cpu-clock", "-F", "997", "-o", data, "-p", str(server.pid)]
            with ThreadPoolExecutor() as threads:
                load = threads.submit(wrk, server.addresses[0 + door], server.pid, work, setup.sizes.seconds + 1)
                done = subprocess.run([*record, "--", "sleep", str(setup.sizes.seconds)], capture_output=True)
                load.result()
            if done.returncode == 0:
                found[name] = owners(data)
    return {name: of for name, of in found.items() if of}


def owners(data: str) -> dict[str, float]:
    """The share of each owner, greatest first."""
    command = ["perf", "report", "--stdio", "--no-children", "-F", "overhead,sym", "-i", data]
    report = subprocess.run(command, capture_output=True, text=True)
    total: dict[str, float] = {}
    for line in report.stdout.splitlines():
        if found := re.match(r"\s*([\d.]+)%\s+(\[.\] .*)", line):
            symbol = found[2].strip()
            owner = next((name for name, pattern in OWNERS if re.search(pattern, symbol)), "other code")
            total[owner] = total.get(owner, 0) + float(found[1]) / 100
    return dict(sorted(total.items(), key=lambda share: -share[1]))
