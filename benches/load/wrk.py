"""wrk: many requests for a time, from a core of its own."""

import json
from dataclasses import dataclass
from pathlib import Path

from machine import CLIENT_CORE, Failed, cpu_ns, pinned, run

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Load:
    """What was answered."""

    requests: int
    per_second: float
    # Latencies in microseconds.
    p50: int
    p99: int
    # The server's CPU time for each request, in microseconds.
    cpu_us: float


@dataclass(frozen=True)
class Work:
    """One kind of request: a GraphQL query with the tokens of a file in turn, or a GET without one."""

    path: str = "/graphql"
    tokens: Path | None = None
    query: str = "{ me { id email } }"

    def body(self) -> str:
        return json.dumps({"query": self.query})

    def all_tokens(self) -> list[str]:
        return self.tokens.read_text().split() if self.tokens else []


def wrk(
    address: str,
    pid: int,
    work: Work,
    seconds: float,
    *,
    connections: int = 32,
    per_second: float | None = None,
    core: int | str = CLIENT_CORE,
) -> Load:
    """Sends requests for some seconds. `per_second` paces them; otherwise the server is saturated."""
    script, arguments = "requests.lua", []
    if per_second is not None:
        script, arguments = "paced.lua", [f"{connections / per_second * 1000:.3f}"]
    tokens = str(work.tokens) if work.tokens else "-"
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--latency", "--timeout", "10s"]
    command += ["--duration", f"{max(round(seconds), 1)}s", "--script", str(FOLDER / script)]
    command += [address + work.path, "--", tokens, work.body(), *arguments]
    before = cpu_ns(pid)
    output = run(pinned(command, core))
    spent = cpu_ns(pid) - before
    done = json.loads(output.strip().splitlines()[-1])
    if done["failed"] or not done["requests"]:
        raise Failed(f"{done['failed']} requests to {address}{work.path} failed:\n{output}")
    requests = done["requests"]
    return Load(requests, requests / done["micros"] * 1e6, done["p50"], done["p99"], spent / requests / 1000)
