"""A box whose recorder is killed again and again while its lines talk, and what each kill cost.

The real `edge record` listens to a virtual HAT; the exchange behind the HAT is played again afterwards, so
every sample there should be is known. What a kill cost a line is counted in samples of that truth:

    card       ----|ready ......... talking ............................ K|killed
    recording               |=========================== kept ========|   |
    lost                                                              |<->|     on every line that talked at K
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from edge.samples import Samples
from edge.verify import examine
from hw.virtual.exchange import Exchange
from hw.virtual.ring import Ring
from hw.virtual.script import read_script
from hw.virtual.stage import ScriptedCall
from sync.moment import from_text
from tests.fakes import wait_for
from tests.world import World

RATE_HZ = 8000
LIVES_S = (0.1, 3.0)  # from ready to the kill
STILLBORN = 0.12  # share of lives that end before the recorder is ready
START_S = 1.5
APART = 2 * RATE_HZ  # the clock of a recording and the card's may differ by this
KEY = 64  # samples that find a recording in the truth
SCRIPT = """
loop = true
[[lines]]
steps = [
  { do = "wait", s = [0.2, 1] },
  { do = "ring", bursts = 1 },
  { do = "pick_up", after_s = [0.3, 1] },
  { do = "repeat", times = 2, steps = [
    { do = "say", who = "far", s = [2, 5] },
    { do = "say", who = "staff", s = [2, 5] },
  ] },
  { do = "hang_up", who = "staff" },
]
[[lines]]
steps = [
  { do = "wait", s = [0.2, 2] },
  { do = "dial", digits = "02155500", ringbacks = 0 },
  { do = "say", who = "far", s = [4, 12] },
  { do = "hang_up", who = "staff" },
]
"""


@dataclass(frozen=True, slots=True)
class Life:
    """One run of the recorder, in positions of the card."""

    ready: int | None  # None: it was killed before
    killed: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What is left of one recording, at its place in the truth."""

    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kill cost one line that talked."""

    line: int
    lost_ms: float
    recorded: bool  # False: the recorder had only just come up and had not begun a recording yet


@dataclass(slots=True)
class KilledBox:
    """One box in `folder`."""

    folder: Path
    lines: int
    seed: int
    world: World = field(init=False)
    lives: list[Life] = field(default_factory=list)
    starved: int = 0  # frames the card had to make up, because this machine was too busy
    _zero_utc: datetime = field(init=False)  # of position 0 of the card
    _last: int = 0  # position of the card when that was looked at
    _choice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        script = self.folder / "talking.toml"
        self.folder.mkdir(parents=True, exist_ok=True)
        script.write_text(SCRIPT)
        self.world = World(self.folder, script, lines=self.lines)
        self.world.prepare()
        self._choice = random.Random(self.seed)

    def live(self, kills: int, lives_s: tuple[float, float] = LIVES_S, stillborn: float = STILLBORN) -> None:
        """Start and kill the recorder so many times, then let it finish what it found."""
        try:
            self.world.start("hat")
            with closing(Ring.open(self.world.ring)) as card:
                self.measure(card)
                for _ in range(kills):
                    self.lives.append(self._one_life(card, lives_s, stillborn))
                self.starved = card.starved
            self.world.start("record")
            wait_for(lambda: not self.unfinished(), timeout_s=120, what="every recording being finished")
        finally:
            self.world.stop()

    def measure(self, card: Ring) -> None:
        """When position 0 of the card was, by the wall clock."""
        self._zero_utc = datetime.now(UTC) - timedelta(seconds=card.position() / RATE_HZ)
        self._last = card.position()

    def _one_life(self, card: Ring, lives_s: tuple[float, float], stillborn: float) -> Life:
        """Start, wait, kill."""
        log = self.world.folder / "log" / "record.log"
        said = log.stat().st_size if log.exists() else 0
        self.world._spawn("record", log)
        ready = None
        last_s = self._choice.uniform(0, START_S)
        if self._choice.random() >= stillborn:
            self.world.wait_ready("record", said)
            ready = card.position()
            last_s = self._choice.uniform(*lives_s)
        until = card.position() + round(last_s * RATE_HZ)
        wait_for(lambda: card.position() >= until, what="the end of a life")
        killed = card.position()
        self.world.kill("record")
        return Life(ready, killed)

    def _rows(self, query: str) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(self.world.config.database)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(query).fetchall()

    def unfinished(self) -> list[sqlite3.Row]:
        """Recordings of earlier lives that are not files yet; those of now go on."""
        return self._rows(
            "SELECT r.id FROM recordings r JOIN calls c ON c.id = r.call_id"
            " WHERE r.state = 'part' OR (r.state = 'recording' AND c.state = 'ended')"
        )

    # -- what became of it

    def faults(self) -> list[str]:
        """What `edge verify` says, and every promise of the rows that does not hold."""
        config = self.world.config
        found = [fault.says for fault in examine(config.database, config.recordings_dir)]
        news = "SELECT count(*) FROM outbox WHERE kind = 'call_ended' AND instr(body, CAST(id AS BLOB))"
        for row in self._rows(f"SELECT id, state, ({news}) AS told FROM calls"):
            if row["told"] != (row["state"] == "ended"):
                found.append(f"call {row['id']} is {row['state']}, head office is told {row['told']} times")
        if (config.recordings_dir / "quarantine").exists():
            found.append("files were put aside that a row should have named")
        return found

    def costs(self) -> list[Cost]:
        """What each kill cost each line that talked; AssertionError for a sample that is not the line's."""
        last = max(life.killed for life in self.lives) + APART
        truth, story = self._truth(last)
        kept = list(self._kept(truth))
        return [cost for life in self.lives if life.ready is not None
                for cost in _costs_of(life.ready, life.killed, story, kept)]  # fmt: skip

    def kept(self) -> list[Recording]:
        """What is left of every recording; AssertionError for a sample that is not the line's."""
        truth, _ = self._truth(self._last + 3 * APART)
        return list(self._kept(truth))

    def shifts(self) -> list[int]:
        """How many samples each piece behind a gap lies beside its place on the line.

        AssertionError for a sample between the gaps that is not the line's.
        """
        truth, _ = self._truth(self._last + 3 * APART)
        found = []
        for row, gaps in self._with_gaps():
            about = (from_text(row["started_utc"]) - self._zero_utc).total_seconds() * RATE_HZ
            audio, _ = soundfile.read(self.world.config.recordings_dir / row["file"], dtype="int16")
            line, first = truth[:, row["line"] - 1], None
            for start, end in _between(gaps, len(audio)):
                if end - start < RATE_HZ // 2:
                    continue  # too short to be told from another place
                piece = audio[start:end]
                at = _place(piece, line, round(about) + start)
                assert (piece == line[at : at + len(piece)]).all(), f"{row['file']} at {start}"
                first = at - start if first is None else first
                found.append(at - start - first)
        return found

    def _with_gaps(self) -> Iterator[tuple[sqlite3.Row, list[sqlite3.Row]]]:
        recordings = "SELECT r.*, c.line FROM recordings r JOIN calls c ON c.id = r.call_id"
        for row in self._rows(f"{recordings} WHERE r.state = 'ready' AND r.about = 'call'"):
            gaps = self._rows(f"SELECT * FROM gaps WHERE recording_id = '{row['id']}' ORDER BY start_sample")
            if gaps:
                yield row, gaps

    def _truth(self, last: int) -> tuple[Samples, list[ScriptedCall]]:
        """Everything the lines carried, int16 (frames, lines), and the calls."""
        exchange = Exchange(read_script(self.world.script), self.lines, RATE_HZ)
        seconds = [exchange.audio(at, RATE_HZ) for at in range(0, last, RATE_HZ)]
        later = last + 60 * RATE_HZ  # calls that had not ended yet
        exchange.audio(later - 1, 1)
        return np.concatenate(seconds), exchange.story(later)

    def _kept(self, truth: Samples) -> Iterator[Recording]:
        rows = self._rows(
            "SELECT r.*, c.line FROM recordings r JOIN calls c ON c.id = r.call_id"
            " WHERE r.state = 'ready' AND r.about = 'call'"
        )
        gaps = {(row["recording_id"], row["start_sample"]): row["length_samples"]
                for row in self._rows("SELECT * FROM gaps")}  # fmt: skip
        starved = 0
        for row in rows:
            about = (from_text(row["started_utc"]) - self._zero_utc).total_seconds() * RATE_HZ
            if about > len(truth) - 2 * APART:
                continue  # of the last run, which nobody killed
            audio, _ = soundfile.read(self.world.config.recordings_dir / row["file"], dtype="int16")
            heard = np.ones(len(audio), bool)
            for (recording_id, at), length in gaps.items():
                if recording_id == row["id"]:
                    heard[at : at + length] = False
            line = truth[:, row["line"] - 1]
            start = _place(audio, line, round(about))
            wrong = (audio != line[start : start + len(audio)]) & heard
            assert not audio[wrong].any(), f"{row['file']} is not what line {row['line']} carried"
            starved += int(wrong.sum())
            yield Recording(row["line"], start, start + len(audio))
        assert starved <= self.starved * self.lines, (
            f"{starved} samples are silence, {self.starved} were late"
        )


def _between(gaps: list[sqlite3.Row], length: int) -> Iterator[tuple[int, int]]:
    """The stretches of a recording that are no gap."""
    start = 0
    for gap in gaps:
        yield start, gap["start_sample"]
        start = gap["start_sample"] + gap["length_samples"]
    yield start, length


def _place(audio: Samples, line: Samples, about: int) -> int:
    """Where in `line` the recording begins, near `about`."""
    first = max(0, about - APART)
    windows = np.lib.stride_tricks.sliding_window_view(line[first : about + APART], KEY)
    for at in range(0, len(audio) - KEY, KEY):
        key = audio[at : at + KEY]
        found = np.flatnonzero((windows == key).all(axis=1)) if len(set(key.tolist())) > KEY // 8 else ()
        if len(found) == 1:
            return first + int(found[0]) - at
    raise AssertionError(f"a recording of {len(audio)} samples lies nowhere near {about}")


def _costs_of(ready: int, killed: int, story: list[ScriptedCall], kept: list[Recording]) -> Iterator[Cost]:
    for call in story:
        lifted = call.begin if call.direction == "out" else call.answered
        if lifted is None or not lifted <= killed < call.end:
            continue
        ends = [one.end for one in kept if one.line == call.line and one.start <= killed and one.end > ready]
        until = max([max(lifted, ready), *ends])
        recorded = any(end > lifted for end in ends)
        yield Cost(call.line, (killed - until) * 1000 / RATE_HZ, recorded)


def histogram(values: list[float], step: int = 20) -> dict[str, int]:
    """How many fell into each range of `step` ms, up to the largest."""
    edges = list(range(0, int(max(values, default=0)) + 2 * step, step))
    return {f"{low} to {high} ms": sum(low <= value < high for value in values)
            for low, high in pairwise(edges)}  # fmt: skip
