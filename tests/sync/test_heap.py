"""What was freed is given back: seen in a process of its own, whose heap nobody else has used."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

if sys.argv[1] == "small":
    from sync.heap import keep_heap
    assert keep_heap()
bytearray(30_000_000)  # the first large block freed: from now on glibc would keep ones like it
before = resident_mb()
blocks = [bytearray(b"x") * 2_000_000 for _ in range(10)]
pin = [object() for _ in range(100_000)]
del blocks
print(resident_mb() - before)
"""


def left_mb(how: str) -> float:
    """Resident megabytes that stay when 20 MB have come and gone."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_large_blocks_go_back_when_they_are_freed() -> None:
    assert left_mb("small") < 10 < left_mb("as it is")
