"""F29 with limits the kernel keeps: little memory, none at all, little CPU, and a recorder among gluttons.

    memory   |== what the programs need ==|~~ page cache, taken back as often as needed ~~| limit
    killed   |== what the program needs ==|######## neighbours, who take the rest ########| limit

The limits are control groups (tests.faults.cgroups); without root or without these controllers the tests are
skipped, and the summary counts them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from pathlib import Path
from threading import Event

import pytest

from sync import outbox
from tests.benchmarks import sync_box
from tests.edge.test_syncer_kills import MB, VICTIMS, Installation
from tests.fakes import wait_for
from tests.faults import cgroups
from tests.faults.cgroups import Group, Limits, limited
from tests.faults.killed_box import KilledBox
from tests.faults.test_bad_disk import nothing_lost, rows
from tests.faults.test_kill_campaign import everything_once
from tests.faults.test_starvation import troubles
from tests.sync import processes
from tests.sync.station import Box, Station, call_ended, until

MISSING = cgroups.why_not("memory", "cpu")
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs control groups: {MISSING}")

UNITS = Path(__file__).parents[2] / "edge" / "systemd"
SYNCER_MB = 60  # what the product promises of it
NEED_MB = {"box": SYNCER_MB, "office": 88, "broker": 8}  # a fifth above what they need, or more
ROOM_MB = {"box": 144, "office": 184, "broker": 112}  # for whoever is killed, and the neighbours
CPU_SHARE = {"box": 0.05, "office": 0.1, "broker": 0.05}
RECORDING_BYTES = 8 * MB
TALK_S = 8.0
CPUS = os.cpu_count() or 1
HEAVY = 100.0  # beside a program of no group: no priority but a real-time one helps against that
HARDWARE = ["chrt", "--fifo", "40"]  # the virtual card and exchange, which nobody can starve
# Least of the normal priorities: in the session, and of the session where the kernel makes groups of them.
LEAST = ["sh", "-c", 'echo 19 > /proc/self/autogroup; exec nice -n 19 "$@"', "sh"]
BOX_MB, NEIGHBOURS = 400, 4
GLUTTON = "eaten = []\nwhile input(): eaten.append(bytearray(b'x') * 4_000_000)"
HOGS = f"""
import os, time
ends_s = time.monotonic() + {TALK_S}
hogs = []
for _ in range({2 * CPUS} - 1):
    hogs.append(os.fork())
    if not hogs[-1]:
        hogs = []
        break
while time.monotonic() < ends_s:
    pass
while hogs:
    os.waitpid(hogs.pop(), 0)
"""


class Confined(Installation):
    """A station whose programs are in groups from their first moment."""

    def __init__(self, folder: Path, groups: Mapping[str, Group]) -> None:
        self.groups = groups
        super().__init__(folder, begin=begin)

    def start(self, end: str) -> None:
        super().start(end)
        if end in self.groups:
            self.groups[end].put(self.process(end).pid)

    def process(self, end: str) -> subprocess.Popen[bytes]:
        process = self.station.mosquitto if end == "broker" else self.running[end]
        assert isinstance(process, subprocess.Popen)
        return process

    def ended(self) -> list[str]:
        """Who does not run any more."""
        return [end for end in VICTIMS if self.process(end).poll() is not None]


def begin(end: str, station: Station) -> subprocess.Popen[bytes]:
    """The box's syncer with nothing else in its process, as the product starts it."""
    return sync_box.start(station.box_settings) if end == "box" else processes.start(end, station)


@contextmanager
def confined(folder: Path, limits: Mapping[str, Limits]) -> Iterator[Confined]:
    """An installation whose programs are limited so."""
    with ExitStack() as ends:
        installation = Confined(folder, {end: ends.enter_context(limited(of)) for end, of in limits.items()})
        ends.callback(installation.close)
        yield installation


def load(box: Box, calls: int, recordings: int) -> tuple[set[str], dict[str, bytes]]:
    """Calls and recordings for the syncer; the audio is on the disk alone, not in memory."""
    events = [call_ended() for _ in range(calls)]
    told = {event.call_id for event in events}
    audio = {}
    box.put(*events)
    for _ in range(recordings):
        data = os.urandom(RECORDING_BYTES)
        call, ready = box.record(data)
        told.add(call.call_id)
        audio[ready.sha256] = data
        forget(box.settings.recordings_dir / f"{ready.recording_id}.flac")
    return told, audio


def forget(file: Path) -> None:
    """Have the kernel drop a file's pages: whoever reads it next has them on its own account."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_memory(folder: Path) -> bool:
    """Whether its files are memory of whoever wrote them, and have no cache that could be taken back."""
    done = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True)
    return done.stdout.strip() in ("tmpfs", "ramfs")


def test_a_group_kills_in_itself_alone_and_is_removed() -> None:
    """The tool first: what it counts is what happened."""
    with limited(Limits(memory_bytes=24 * MB)) as group, glutton() as inside, glutton() as outside:
        group.put(inside.pid)
        folders = list(group.folders.values())
        for _ in range(10):
            feed(inside), feed(outside)
        assert inside.wait(timeout=60) == -9
        assert (group.kills(), outside.poll()) == (1, None)
        assert group.held() > 0
        group.put(outside.pid)  # and is still there at the end
    assert not any(folder.exists() for folder in folders)


def test_the_syncer_stays_within_its_memory(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.start_broker()
    office, looking = station.office(), station.box()
    with limited(Limits(memory_bytes=SYNCER_MB * MB)) as group:
        syncer = sync_box.start(station.box_settings)
        try:
            group.put(syncer.pid)
            told, audio = load(looking, calls=500, recordings=4)
            until(lambda: looking.owes == 0 or syncer.poll() is not None, office)
            assert (group.kills(), syncer.poll()) == (0, None)
        finally:
            processes.kill(syncer)
            station.kill_broker()
    assert all(office.audio(sha256) == data for sha256, data in audio.items())
    looking.close()
    office.close()
    everything_once(tmp_path / "head-office.db", told)


@pytest.mark.faults
def test_each_end_and_the_broker_stay_within_their_memory(tmp_path: Path) -> None:
    with confined(tmp_path, {end: Limits(memory_bytes=mb * MB) for end, mb in NEED_MB.items()}) as all_of_it:
        told, audio = load(all_of_it.looking_at_box, calls=5000, recordings=12)
        all_of_it.until(lambda: all_of_it.looking_at_box.owes == 0 or all_of_it.ended())
        assert {end: group.kills() for end, group in all_of_it.groups.items()} == dict.fromkeys(VICTIMS, 0)
        assert all_of_it.ended() == []
        reached = [end for end in ("box", "office") if all_of_it.groups[end].held() > 0]
        assert reached == ["box", "office"] or in_memory(tmp_path), "the others were never near their limits"
        all_there(all_of_it, told, audio)


def all_there(installation: Installation, told: set[str], audio: dict[str, bytes]) -> None:
    everything_once(installation.station.folder / "head-office.db", told)
    assert all(installation.looking_at_office.audio(sha256) == data for sha256, data in audio.items())


@pytest.mark.faults
@pytest.mark.parametrize("victim", VICTIMS)
def test_who_is_killed_for_want_of_memory_loses_nothing(tmp_path: Path, victim: str) -> None:
    with confined(tmp_path, {victim: Limits(memory_bytes=ROOM_MB[victim] * MB)}) as installation:
        box, group = installation.looking_at_box, installation.groups[victim]
        first, _ = load(box, calls=1, recordings=0)
        installation.until(lambda: box.owes == 0)
        killed = installation.process(victim)
        Path(f"/proc/{killed.pid}/oom_score_adj").write_text("1000")  # of the two it is the one to go
        with glutton() as one, glutton() as other:
            group.put(one.pid, other.pid)
            for neighbour in (one, other) * 10:
                feed(neighbour)
            told, audio = load(box, calls=6000, recordings=6)
            owed = outbox.waiting(box.db).entries
            installation.until(lambda: outbox.waiting(box.db).entries < owed)
            starve((one, other), lambda: killed.poll() is not None)
            assert box.owes > 0, "it was killed in the midst of it"
        assert killed.wait() == -9
        assert (kills := group.kills()) > 0  # a neighbour may be among them
        assert installation.ended() == [victim]
        installation.start(victim)
        installation.until(lambda: box.owes == 0)
        assert group.kills() == kills
        all_there(installation, first | told, audio)


@pytest.mark.faults
def test_with_a_twentieth_of_a_cpu_each_all_arrives_once_and_nobody_gives_up(tmp_path: Path) -> None:
    with confined(tmp_path, {}) as installation, ExitStack() as ends:
        box = installation.looking_at_box
        first, _ = load(box, calls=1, recordings=0)
        installation.until(lambda: box.owes == 0)
        before = troubles(box)
        groups = {end: ends.enter_context(limited(Limits(cpu=share))) for end, share in CPU_SHARE.items()}
        for end, group in groups.items():
            group.put(installation.process(end).pid)
        told, audio = load(box, calls=3000, recordings=3)
        installation.until(lambda: box.owes == 0)
        assert all(groups[end].throttled() > 0 for end in ("box", "office"))
        assert installation.ended() == []
        assert troubles(box) == before, "a slow answer is no lost connection"
        all_there(installation, first | told, audio)


@pytest.mark.faults
def test_a_recorder_among_programs_that_take_every_cpu_misses_nothing(tmp_path: Path) -> None:
    """It has the priority of its unit and, without that, the least there is."""
    box = KilledBox(tmp_path / "box", lines=4, seed=1)
    box.world.before = {
        "hat": HARDWARE,
        "record": [*LEAST, *as_its_unit("record")],
        "sync": as_its_unit("sync"),
    }
    try:
        box.world.start("hat", "record", "sync")
        wait_for(lambda: rows(box, "SELECT 1 FROM recordings"), timeout_s=20, what="a recording")
        with limited(Limits(weight=HEAVY)) as group:
            subprocess.run([*group.entering, sys.executable, "-S", "-c", HOGS], check=True)
        nothing_lost(box)
        assert rows(box, "SELECT * FROM gaps") == []
    finally:
        box.world.stop()


@pytest.mark.faults
def test_when_memory_runs_out_the_recorder_is_the_last_to_go(tmp_path: Path) -> None:
    box = KilledBox(tmp_path / "box", lines=4, seed=1)
    with limited(Limits(memory_bytes=BOX_MB * MB)) as group, ExitStack() as ends:
        ends.callback(box.world.stop)
        box.world.before = {"hat": HARDWARE}
        for program in ("record", "sync"):
            box.world.before[program] = [*group.entering, *as_its_unit(program)]
        box.world.start("hat", "record", "sync")
        recorder, syncer = (box.world.programs[program] for program in ("record", "sync"))
        wait_for(lambda: rows(box, "SELECT 1 FROM recordings"), timeout_s=20, what="a recording")
        neighbours = [ends.enter_context(glutton(as_others())) for _ in range(NEIGHBOURS)]
        group.put(*(neighbour.pid for neighbour in neighbours))
        starve(neighbours, lambda: syncer.poll() is not None)
        assert [neighbour.poll() for neighbour in neighbours] == [None] * NEIGHBOURS
        assert recorder.poll() is None, box.world.log("record")
        assert group.kills() > 0
        for neighbour in neighbours:
            neighbour.kill()
        Event().wait(TALK_S)
        nothing_lost(box)
        assert rows(box, "SELECT * FROM gaps") == []


def as_its_unit(program: str) -> list[str]:
    """What a command begins with to run as its unit has it run."""
    unit = settings_of(program)
    words = ["choom", "-n", str(int(unit["OOMScoreAdjust"]) - LOWEST), "--"]
    if "CPUSchedulingPolicy" in unit:
        words += ["chrt", f"--{unit['CPUSchedulingPolicy']}", unit["CPUSchedulingPriority"]]
    return [*words, "nice", "-n", unit.get("Nice", "0")]


def as_others() -> list[str]:
    """The same of a program whose unit says nothing."""
    return ["choom", "-n", str(-LOWEST), "--"]


def settings_of(program: str) -> dict[str, str]:
    """What a unit says, the last of each."""
    text = (UNITS / f"branchline-{program}.service").read_text()
    return {"OOMScoreAdjust": "0"} | dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


LOWEST = min(int(settings_of(program)["OOMScoreAdjust"]) for program in ("record", "sync", "web", "backup"))


@contextmanager
def glutton(before: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A program that takes 4 MB for each line it is told."""
    words = [*before, sys.executable, "-S", "-c", GLUTTON]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, bufsize=0)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def feed(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it was killed
        process.stdin.write(b"more\n")


def starve(neighbours: Sequence[subprocess.Popen[bytes]], enough: Callable[[], bool]) -> None:
    """Let the neighbours take more and more until `enough`; being several, none is the largest."""
    turns = cycle(neighbours)

    def is_enough() -> bool:
        feed(next(turns))
        return enough()

    wait_for(is_enough, what="the kernel's choice")
