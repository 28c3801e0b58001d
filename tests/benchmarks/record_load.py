"""What `edge record` costs with 4, 8 and 32 busy lines: CPU and memory, the encoding worker included."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from tests.benchmarks.figures import Figure
from tests.world import SCRIPTS, World

SECONDS = 45.0
WARM_UP_S = 8.0
TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> list[Figure]:
    """Run the recorder at each size and read /proc."""
    figures: list[Figure] = []
    per_line: float | None = None
    for lines in (4, 8, 32):
        cpu, memory_mb, overruns = _run(lines)
        figures.append(Figure(f"edge record, {lines} busy lines, CPU", 100 * cpu, "% of a core"))
        figures.append(
            Figure(
                f"edge record, {lines} busy lines, CPU per line", 100 * cpu / lines, "% of a core", per_line
            )
        )
        per_line = per_line or 100 * cpu / lines
        figures.append(
            Figure(f"edge record, {lines} busy lines, memory", memory_mb, "MB (PSS, ring included)")
        )
        figures.append(Figure(f"edge record, {lines} busy lines, gaps", overruns, "gaps", target=0))
    return figures


def _run(lines: int) -> tuple[float, float, int]:
    with TemporaryDirectory(prefix="bench-") as folder:
        world = World(Path(folder), SCRIPTS / "busy.toml", lines=lines)
        world.prepare()
        try:
            world.start("hat", "record")
            pid = world.programs["record"].pid
            Event().wait(WARM_UP_S)
            before = _cpu_s(pid)
            Event().wait(SECONDS)
            cpu = (_cpu_s(pid) - before) / SECONDS
            memory = sum(_pss_mb(one) for one in _family(pid))
        finally:
            world.stop()
        return cpu, memory, _gaps(world)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def _cpu_s(pid: int) -> float:
    total = 0
    for one in _family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _gaps(world: World) -> int:
    with closing(sqlite3.connect(world.config.database)) as db:
        (count,) = db.execute("SELECT count(*) FROM gaps WHERE reason != 'restart'").fetchone()
    return int(count)
