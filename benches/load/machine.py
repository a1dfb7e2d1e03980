"""The machine: processes pinned to a core, the CPU time they take, and whether something else disturbs a measurement."""

import os
import resource
import shutil
import statistics
import subprocess
import time
from pathlib import Path

SERVER_CORE, CLIENT_CORE = 0, 1
# How much lower the priority is of what shares the client's core with wrk.
NICE = 19


class Failed(Exception):
    """A measurement that cannot be made; the text says what to do."""


def pinned(command: list[str], core: int | str) -> list[str]:
    """The command, to run on a core, or on several, such as "0,1"."""
    return ["taskset", "--cpu-list", str(core), *command]


def cpu_ns(pid: int) -> int:
    """The CPU time of all threads of a process so far, in nanoseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:  # the thread has ended
            pass
    return total


def resident_mib(pid: int) -> float:
    """The resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise Failed(f"process {pid} has ended")


def stolen() -> tuple[int, int]:
    """The ticks that the hypervisor gave to others, and all ticks, so far."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return ticks[7], sum(ticks[:8])


def calibrate() -> float:
    """The seconds that a fixed piece of work takes on the server's core: the median of several."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        times = []
        for _ in range(9):
            begun, x = time.perf_counter(), 1
            for _ in range(200_000):
                x = (x * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
            times.append(time.perf_counter() - begun)
        return statistics.median(times)
    finally:
        os.sched_setaffinity(0, before)


class Watch:
    """Notes how fast and how undisturbed the machine is from its creation to `noise`."""

    STEAL_MAX, DRIFT_MAX = 0.02, 0.10

    def __init__(self) -> None:
        self.speed, self.steal = calibrate(), stolen()

    def noise(self) -> str | None:
        """What disturbed the time since; `None` if nothing did."""
        stolen_ticks, all_ticks = (now - then for now, then in zip(stolen(), self.steal))
        steal, drift = stolen_ticks / max(all_ticks, 1), calibrate() / self.speed - 1
        if steal > self.STEAL_MAX:
            return f"{steal:.0%} of the CPU was stolen"
        if abs(drift) > self.DRIFT_MAX:
            return f"the core's speed changed by {drift:+.0%}"
        return None


def raise_open_files() -> int:
    """Raises the limit of open files, also for the processes started later, and returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (max(hard, 65_536), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
        except (ValueError, PermissionError):  # only root may raise the hard limit
            pass
    return hard


def description() -> str:
    """The processor, the number of cores, the memory, the kernel."""
    info = Path("/proc/cpuinfo").read_text()
    names = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = os.uname().release
    hypervisor = ", virtual" if " hypervisor" in info else ""
    return f"{names[0] if names else os.uname().machine}, {os.cpu_count()} cores{hypervisor}, {memory:.0f} GiB, Linux {kernel}"


def install(tool: str) -> None:
    """Installs a tool that has the name of its Debian package, if it is missing."""
    if shutil.which(tool):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Failed(f"{tool} was not found: install it")
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", tool])


def run(command: list[str], **options: object) -> str:
    """The standard output of a command; its failure fails the bench."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failed(f"`{' '.join(command)}` failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout
