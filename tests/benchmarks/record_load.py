"""What `edge record` costs with busy lines, everything on, beside ffmpeg that only writes one card to FLAC.

One core is kept busy by another program all the time. CPU is that of the recorder and its encoding worker,
read from /proc; both recorders listen to the same virtual card, one after the other. What one more line costs
is by the least of several turns of each size: what else the machine does must not fall on one size alone.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from hw.virtual.ring import Ring
from tests.benchmarks.figures import Figure
from tests.benchmarks.peers import ffmpeg, install_packages
from tests.world import SCRIPTS, World

SECONDS = float(os.environ.get("RECORD_LOAD_SECONDS", "60"))  # of the run with all lines
SHORT_S = min(SECONDS, 120.0)  # of every other run
TURNS, TURN_S = 3, min(SECONDS, 30.0)
WARM_UP_S = 15.0  # until most lines are in a call
FEW, HALF, ALL = 4, 18, 32
RATE_HZ = 8000
TICKS = os.sysconf("SC_CLK_TCK")
MOST_TIMES_FFMPEG, MOST_MEMORY_MB, MOST_TIMES_PER_LINE = 4, 150, 1.2


@dataclass(frozen=True, slots=True)
class Load:
    """One run of the recorder."""

    cpu: float  # seconds a second
    memory_mb: float
    gaps: int
    starved: int  # frames the card had to make up: then the machine was too busy for the test itself


def measure() -> list[Figure]:
    """Run the recorder at each size, and ffmpeg at the largest."""
    install_packages(ffmpeg.PACKAGES)
    with _one_core_busy():
        few, half = (_run(lines, SHORT_S)[0] for lines in (FEW, HALF))
        full, peers = _run(ALL, SECONDS, beside=True)
        least = _least_cpu()
    figures = [
        Figure(f"edge record, {ALL} busy lines, CPU against ffmpeg, {way}", 100 * full.cpu, "% of a core",
               100 * cpu, ratio_target=MOST_TIMES_FFMPEG)
        for way, cpu in peers.items()
    ]  # fmt: skip
    first, then = (least[HALF] - least[FEW]) / (HALF - FEW), (least[ALL] - least[HALF]) / (ALL - HALF)
    figures.append(
        Figure(f"CPU per added line, {HALF} to {ALL} against {FEW} to {HALF}", 100 * then, "% of a core",
               100 * first, ratio_target=MOST_TIMES_PER_LINE)
    )  # fmt: skip
    for lines, load, seconds in ((FEW, few, SHORT_S), (HALF, half, SHORT_S), (ALL, full, SECONDS)):
        name = f"edge record, {lines} busy lines"
        figures += [
            Figure(f"{name}, CPU", 100 * load.cpu, "% of a core"),
            Figure(f"{name}, memory", load.memory_mb, "MB (PSS, ring included)", target=MOST_MEMORY_MB),
            Figure(f"{name}, gaps in {seconds:.0f} s", load.gaps, "gaps", target=0),
            Figure(f"{name}, frames the card itself lacked", load.starved, "frames"),
        ]
    return figures


def _least_cpu() -> dict[int, float]:
    """The least CPU seconds a second of each size."""
    turns = [{lines: _run(lines, TURN_S)[0].cpu for lines in (FEW, HALF, ALL)} for _ in range(TURNS)]
    return {lines: min(turn[lines] for turn in turns) for lines in (FEW, HALF, ALL)}


def _run(lines: int, seconds: float, beside: bool = False) -> tuple[Load, dict[str, float]]:
    """The recorder for `seconds`, then, if asked for, ffmpeg in each of its ways."""
    with TemporaryDirectory(prefix="bench-") as folder:
        world = World(Path(folder), SCRIPTS / "busy.toml", lines=lines)
        world.prepare()
        try:
            world.start("hat", "record")
            pid = world.programs["record"].pid
            cpu = _cpu_of(lambda: _family(pid), seconds)
            memory_mb = sum(pss_mb(one) for one in _family(pid))
            with closing(Ring.open(world.ring)) as card:
                starved = card.starved
            world.stop("record")
            peers = {way: _ffmpeg(world, way, lines) for way in ffmpeg.WAYS} if beside else {}
        finally:
            world.stop()
        return Load(cpu, memory_mb, _gaps(world), starved), peers


def _ffmpeg(world: World, way: str, lines: int) -> float:
    folder = world.folder / way.replace(" ", "-")
    folder.mkdir()
    process = ffmpeg.start(way, lines, RATE_HZ, folder, world.folder / "alsa.conf")
    try:
        cpu = _cpu_of(lambda: [process.pid], SHORT_S)
    finally:
        ffmpeg.stop(process, folder, lines if way == "one file per line" else lines // ffmpeg.MOST_CHANNELS)
    return cpu


@contextmanager
def _one_core_busy() -> Iterator[None]:
    """Another program that wants all of core 0."""
    spin = "import os; os.sched_setaffinity(0, {0})\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", spin])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _cpu_of(family: Callable[[], list[int]], seconds: float) -> float:
    """CPU seconds a second of these processes, once they are warm."""
    Event().wait(WARM_UP_S)
    before = sum(map(_cpu_s, family()))
    Event().wait(seconds)
    return (sum(map(_cpu_s, family())) - before) / seconds


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _gaps(world: World) -> int:
    with closing(sqlite3.connect(world.config.database)) as db:
        (count,) = db.execute("SELECT count(*) FROM gaps").fetchone()
    return int(count)
