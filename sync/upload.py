"""The box's end of sending a file, and the next, without clock, socket or disk (head office's: sync.chunks).

A file is begun whole, or as far as it has grown; head office then says what it has of it, and only the rest
is sent. When another file waits for its turn, what is on the way is let arrive and `PickFile` comes again:
the file that was left is opened anew some day and goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sync import spans
from sync.chunks import MAX_CHUNK, MIN_CHUNK
from sync.messages import MAX_SUMS, At, Declined, Stored
from sync.pace import Pace
from sync.spans import Span, Spans

GRACE_S = 2.0
SLOWEST_S = 60.0
PIECE_BYTES = 1 << 20  # of a file whose hash was wrong, at least: what does not match is sent again
HASHED_PER_S = 20e6  # head office reads a finished file once more


@dataclass(frozen=True, slots=True)
class SendOpen:
    """Say that the current file is about to come."""


@dataclass(frozen=True, slots=True)
class SendChunk:
    """Send `length` bytes of the current file from `offset`."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class SendSums:
    """Say the SHA-256 of each `step` bytes of the current file between `start` and `end`."""

    start: int
    end: int
    step: int


@dataclass(frozen=True, slots=True)
class SendFin:
    """Say that all of the current file was sent."""


@dataclass(frozen=True, slots=True)
class PickFile:
    """Choose the next file and `begin` it."""


@dataclass(slots=True)
class FileSender:
    """The box's end. `next` says what to do; the other methods tell what happened."""

    rid: str = ""  # of the file under way; "": none
    span: Span = (0, 0)  # the bytes of it that are to be sent now
    grows: bool = False  # there will be more of it later
    unanswered: int = 0
    others: bool = False  # another file waits for its turn
    pace: Pace = field(default_factory=lambda: Pace(MIN_CHUNK, MAX_CHUNK))  # of the connection
    on_the_way: int = 0  # bytes sent and not yet acknowledged
    _online: bool = False
    _fresh: bool = True
    _agreed: bool = False  # the receiver has said what it has since we (re)opened
    _there: Spans = ()  # bytes the receiver has
    _cursor: int = 0  # sent up to here since we (re)opened
    _flights: list[tuple[int, int, float]] = field(default_factory=list)  # start, end, when
    _said: SendFin | SendSums | None = None  # what closes the file was sent, and is not answered
    _doubt: bool = False  # the receiver wants the sums of the whole file
    _heard_s: float = 0.0  # when the receiver last moved on, or we last asked
    _asked: bool = False

    @property
    def closing(self) -> bool:
        """Whether all of the file was sent, and the word that it is stored is awaited."""
        return isinstance(self._said, SendFin)

    def connected(self) -> None:
        """The connection is up: what was under way is opened again, and goes on where the receiver says."""
        self._online = True
        self._reopen()

    def lost(self) -> None:
        """The connection is gone."""
        self._online = False

    def woken(self) -> None:
        """There may be new files."""
        self._fresh = True

    def nothing(self) -> None:
        """There was no file to pick: do not ask again until woken."""
        self._fresh = False

    def begin(self, rid: str, size: int) -> None:
        """The next file was picked, all of it."""
        self._begin(rid, (0, size), grows=False)

    def begin_part(self, rid: str, start: int, end: int) -> None:
        """The next file was picked; it still grows, and only the bytes from `start` to `end` are settled."""
        self._begin(rid, (start, end), grows=True)

    def drop(self) -> None:
        """Leave the current file: it cannot be read now."""
        self.rid = ""
        self._land()

    def opened(self, now_s: float) -> None:
        """Open, or grow, was sent."""
        self._asked, self._heard_s = True, now_s

    def sent(self, action: SendChunk | SendSums | SendFin, now_s: float) -> None:
        """A chunk, or what closes the file, was sent."""
        if not self._owed():
            self._heard_s = now_s
        if isinstance(action, SendChunk):
            self._cursor = action.offset + action.length
            self._flights.append((action.offset, self._cursor, now_s))
            self._count(action.length)
        else:
            self._said, self._doubt = action, False

    def at(self, at: At, now_s: float) -> bool:
        """The receiver says what it has; True when that settles the part of a growing file we began."""
        there = ((0, at.offset), *at.spans) if at.offset else at.spans
        if at.rid != self.rid or not self._asked or not self._can_be(there):
            return False
        answers = at.asked or at.doubt
        if not (answers or self._agreed):
            return False  # to a chunk from before we (re)opened
        before, self._there = self._there, there
        whole = at.asked and spans.holds(there, *self.span)
        settled = whole and isinstance(self._said, SendSums)
        if whole and isinstance(self._said, SendFin):
            self._reopen()  # it has all of it and does not close it: our open was lost to it
        elif answers:
            self._start_over(at)
        elif there != before:
            self._came_through(now_s)
        else:
            return False
        self._heard_s = now_s
        if settled and self.grows:
            self._turn_is_over()
        return settled and self.grows

    def finished(self, answer: Stored | Declined) -> bool:
        """The receiver is done with a file; False if it is not ours."""
        if answer.rid != self.rid or not self._asked:
            return False
        self._turn_is_over()
        return True

    def next(self, now_s: float) -> PickFile | SendOpen | SendChunk | SendSums | SendFin | None:
        """What to do now; None: wait for something to happen."""
        if not self._online:
            return None
        if not self.rid:
            return PickFile() if self._fresh else None
        if not self._asked:
            return SendOpen()
        if self._owed() and now_s - self._heard_s > self._patience_s():
            self.unanswered += 1
            self.pace.restart()
            self._reopen()
            return SendOpen()
        return self._part() if self._agreed else None

    def _part(self) -> PickFile | SendChunk | SendSums | SendFin | None:
        start, end = self.span
        if self._said is not None:
            return None
        if self._doubt:
            return SendSums(0, end, max(PIECE_BYTES, -(-end // MAX_SUMS)))
        hole = next(spans.missing(self._there, max(start, self._cursor), end), None)
        if hole is None:
            return self._closing()
        if self.others:
            return self._leave()
        if not self.pace.room():
            return None
        return SendChunk(hole[0], min(self.pace.chunk, hole[1] - hole[0]))

    def _leave(self) -> PickFile | None:
        if self._flights:
            return None
        self._turn_is_over()
        return PickFile()

    def _closing(self) -> SendSums | SendFin | None:
        if not self.grows:
            return SendFin()
        start, end = self.span
        return None if self._flights else SendSums(start, end, max(1, end - start))

    def _begin(self, rid: str, span: Span, *, grows: bool) -> None:
        self.rid, self.span, self.grows = rid, span, grows
        self.unanswered, self.others = 0, False
        self._reopen()

    def _turn_is_over(self) -> None:
        self.rid = ""
        self._land()  # `stored` may come before the word about the last chunks
        self._fresh = True

    def _can_be(self, there: Spans) -> bool:
        return spans.are_spans(there) and (self.grows or not there or there[-1][1] <= self.span[1])

    def _start_over(self, at: At) -> None:
        self._agreed, self._said, self._doubt = True, None, at.doubt
        self._cursor = self.span[0]
        self._land()

    def _came_through(self, now_s: float) -> None:
        """Chunks arrive in order: one that is there proves that those before it came or are lost."""
        came, last_s, landed = 0, 0.0, 0
        for number, (start, end, sent_s) in enumerate(self._flights, 1):
            if spans.holds(self._there, start, end):
                came, last_s, landed = came + end - start, sent_s, number
        if landed:
            self.pace.acked(came, now_s - last_s, now_s)
            self._land(landed)
        self.unanswered = 0

    def _land(self, number: int | None = None) -> None:
        """The first so many chunks, or all, are no longer on the way."""
        self._count(-sum(end - start for start, end, _ in self._flights[:number]))
        del self._flights[:number]

    def _count(self, bytes_: int) -> None:
        self.on_the_way += bytes_
        self.pace.on_the_way += bytes_

    def _owed(self) -> bool:
        return not self._agreed or self._said is not None or bool(self._flights)

    def _patience_s(self) -> float:
        hashing_s = self.span[1] / HASHED_PER_S if self._said is not None else 0.0
        return hashing_s + min(SLOWEST_S, (2 * self.pace.rtt_s + GRACE_S) * 2.0**self.unanswered)

    def _reopen(self) -> None:
        self._agreed = self._asked = self._doubt = False
        self._said = None
        self._there, self._cursor = (), 0
        self._land()
