"""Instructions and allocations of a process, counted by valgrind's callgrind."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# The instructions of cryptography depend on what the CPU has; those that gather its entropy (jitterentropy) on time.
CRYPTOGRAPHY = re.compile(r"aws_lc_|sha256_block|^(bn|BN)_|ecp_nistz256|ChaCha20|^jent_|^rol64|^xoshiro")
ALLOCATION = re.compile(r"^(malloc|calloc|realloc|posix_memalign|aligned_alloc|mi_(heap_)?(malloc|zalloc|calloc|realloc)\w*)$")


@dataclass(frozen=True)
class Counts:
    """What a process has done."""

    instructions: int
    cryptography: int
    allocations: int


def command(output: Path) -> list[str]:
    """What to put before the counted command."""
    options = ["--tool=callgrind", f"--callgrind-out-file={output}", "--compress-strings=no", "--compress-pos=no"]
    return ["valgrind", "--quiet", *options]


def read(output: Path) -> Counts:
    """Reads callgrind's output: https://valgrind.org/docs/manual/cl-format.html."""
    own: Counter[str] = Counter()
    allocations, function, callee, is_call = 0, "", "", False
    for line in output.read_text().splitlines():
        if line.startswith("fn="):
            function = line[3:]
        elif line.startswith("cfn="):
            callee = line[4:]
        elif line.startswith("calls="):
            is_call = True  # the next line has the callee's cost
            if ALLOCATION.match(callee) and not ALLOCATION.match(function):
                allocations += int(line[6:].split()[0])
        elif line[:1].isdigit():
            if not is_call:
                own[function] += int(line.split()[1])
            is_call = False
    cryptography = sum(cost for name, cost in own.items() if CRYPTOGRAPHY.search(name))
    return Counts(sum(own.values()) - cryptography, cryptography, allocations)
