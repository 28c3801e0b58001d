"""The conversation about outbox entries, as two machines without clock, socket or database.

    box (Sender)                                   head office (Receiver)

    connected -> hello {nonce, epoch, heads}  -->  known box?  --> welcome {upto, ranges per stream, credit}
    welcome   -> reads runs from the outbox        (or refused unknown_box; asked again later)
    run       -> batch, in flight             -->  take, commit --> ack {upto, ranges, nacks, credit}
    ack       -> marks rows, next run              not a batch  --> refused {ref}
    refused   -> the same entries one by one; one that is refused alone goes again wrapped as `opaque`
    no answer -> everything in flight again, slower each time; after three times hello again

Time comes in as monotonic seconds, chance as numbers in [0, 1). The caller keeps the promise that an ack is
made after the commit, and that rows are marked before `acked` is told.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from sync.envelope import VERSION, Batch, EnvelopeError, WrongVersion, unpack_batch
from sync.events import STREAMS
from sync.messages import Ack, Hello, MessageError, Refused, Standing, Welcome, unpack
from sync.ranges import Ranges
from sync.topics import Topic

WINDOW = 8  # batches in flight
WIDEST = 32  # where acks come back soon: head office then commits many batches at once
SOON_S = 1.0
GRACE_S = 2.0  # on top of twice the round trip, before something counts as unanswered
SLOWEST_S = 60.0
SILENT_AFTER = 3  # unanswered times before head office is asked where we stand
FULL_CREDIT = WIDEST
SLOW_COMMIT_S = 0.5
UNKNOWN_BOX = "unknown_box"  # code of a refusal: a certificate of ours, but not registered
HELD_BACK = "held_back"  # two boxes use one identity
OVER_QUOTA = "over_quota"
NOT_NOW = (UNKNOWN_BOX, HELD_BACK, OVER_QUOTA)  # nothing is wrong with what was sent: ask again later


def reference(payload: bytes) -> str:
    """What a refusal names a message by: SHA-256 of its payload."""
    return hashlib.sha256(payload).hexdigest()


def reconnect_s(attempt: int, chance: float, slowest_s: float = SLOWEST_S) -> float:
    """Seconds before connection attempt `attempt` (0, 1, ...): full jitter below 1, 2, 4 ... `slowest_s`."""
    return chance * min(slowest_s, 2.0 ** min(attempt, 10))


@dataclass(frozen=True, slots=True)
class Read:
    """Read the next run of a stream after `after_seq`, at most `limit` entries, and send it."""

    stream: str
    after_seq: int
    limit: int | None  # None: a full batch


@dataclass(frozen=True, slots=True)
class SayHello:
    """Ask head office where we stand."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What head office has of a stream once its transaction is committed."""

    epoch: str
    stream: str
    upto: int  # everything up to here, without a hole
    head: str  # chain value after upto
    ranges: Ranges = ()  # runs (first, last) beyond the first hole
    nacks: tuple[tuple[int, str], ...] = ()  # entries of this batch set aside: (seq, code)
    fresh: int = 0  # entries of this batch not seen before
    broken: bool = False  # the hash chain does not join what was there


@dataclass(slots=True)
class _Flight:
    stream: str
    first: int
    last: int
    ref: str
    sent_s: float


@dataclass(slots=True)
class Sender:
    """The box's end. `next` says what to do; the other methods tell it what happened."""

    rtt_s: float = 0.1
    credit: int = 0
    welcome: bool = False  # head office has answered on this connection
    refusal: str = ""  # why head office refuses, until it takes something
    unanswered: int = 0  # times in a row that nothing came back in time
    ignored: int = 0  # answers that were not for us, now
    window: int = WINDOW  # batches that may be in flight now, if there is credit
    _online: bool = False
    _nonce: str = ""
    _hello_ref: str = ""
    _hello_at_s: float = 0.0  # when to say (the next) hello
    _top: dict[str, int] = field(default_factory=dict)  # highest seq that exists, per stream
    _cursor: dict[str, int] = field(default_factory=dict)  # highest seq sent on this connection
    _fresh: set[str] = field(default_factory=set)  # streams that may have something to read
    _single: dict[str, int] = field(default_factory=dict)  # one entry per batch up to here
    _opaque: set[tuple[str, int]] = field(default_factory=set)
    _flights: list[_Flight] = field(default_factory=list)

    def connected(self, now_s: float) -> None:
        """The connection is up: hello comes first."""
        self._online, self.welcome = True, False
        self.window = WINDOW
        self._hello_at_s = now_s
        self.unanswered = 0
        self._forget_flights()

    def lost(self) -> None:
        """The connection is gone, and with it whatever was in flight."""
        self._online, self.welcome = False, False
        self._forget_flights()

    def woken(self) -> None:
        """The outbox may have new entries."""
        self._fresh = set(STREAMS)

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight."""
        return not self._flights

    def again(self) -> None:
        """Entries that were confirmed are owed again: read from the beginning of what is owed."""
        self._cursor.clear()
        self.woken()

    def said_hello(self, hello: Hello, ref: str, now_s: float) -> None:
        """`hello` was sent."""
        self._nonce, self._hello_ref, self._top = hello.nonce, ref, dict(hello.heads)
        self._hello_at_s = now_s + self._patience_s()
        self.unanswered += 1

    def welcomed(self, welcome: Welcome) -> bool:
        """Head office answered hello; False if it was not this one."""
        if not self._online or welcome.nonce != self._nonce:
            self.ignored += 1
            return False
        self.welcome, self.refusal, self.unanswered = True, "", 0
        self.credit = welcome.credit
        self._nonce = ""
        self._forget_flights()
        return True

    def sent(self, read: Read, first: int, last: int, ref: str, now_s: float) -> None:
        """The run that `read` asked for was sent: entries `first` to `last`."""
        self._flights.append(_Flight(read.stream, first, last, ref, now_s))
        self._cursor[read.stream] = last
        self._top[read.stream] = max(last, self._top.get(read.stream, 0))

    @property
    def wrapping(self) -> bool:
        """Whether any entry is to go wrapped."""
        return bool(self._opaque)

    def wraps(self, stream: str, seq: int) -> bool:
        """Whether an entry is to go wrapped as `opaque`, because head office could not read it."""
        return (stream, seq) in self._opaque

    def nothing(self, read: Read) -> None:
        """There was nothing to read: do not ask again until woken."""
        self._fresh.discard(read.stream)

    def knows(self, ack: Ack, epoch: str) -> bool:
        """Whether an ack can be true: of our epoch and about entries that exist."""
        claimed = max([ack.upto, *(last for _, last in ack.ranges), *(seq for seq, _ in ack.nacks)])
        if ack.epoch == epoch and claimed <= self._top.get(ack.stream, 0):
            return True
        self.ignored += 1
        return False

    def acked(self, ack: Ack, now_s: float) -> None:
        """Head office has committed; the rows are marked."""
        self.credit, self.refusal = ack.credit, ""
        done = [flight for flight in self._flights if _covers(ack, flight)]
        if done:
            self.unanswered = 0
            took_s = now_s - done[-1].sent_s
            self.rtt_s += (took_s - self.rtt_s) / 4
            self.window = min(WIDEST, self.window + len(done)) if took_s <= SOON_S else WINDOW
        self._flights = [flight for flight in self._flights if flight not in done]

    def refused(self, refused: Refused, now_s: float) -> None:
        """Head office would not take a message: send its entries singly, then wrapped, or ask again later."""
        if refused.ref == self._hello_ref or refused.code in NOT_NOW:
            self.refusal = refused.code
            self._ask_again(now_s)
            return
        flight = next((flight for flight in self._flights if flight.ref == refused.ref), None)
        if flight is None:
            self.ignored += 1
            return
        self.refusal = refused.code
        self._flights.remove(flight)
        if (flight.stream, flight.first) in self._opaque:
            self._ask_again(now_s)
            return
        if flight.first == flight.last:
            self._opaque.add((flight.stream, flight.first))
        self._single[flight.stream] = max(flight.last, self._single.get(flight.stream, 0))
        self._cursor[flight.stream] = flight.first - 1
        self._fresh.add(flight.stream)

    def next(self, now_s: float) -> SayHello | Read | None:
        """What to do now; None: wait for something to happen."""
        if not self._online:
            return None
        if self._flights and now_s - self._flights[0].sent_s > self._patience_s():
            self._give_up_flights(now_s)
        if not self.welcome or (self.credit == 0 and not self._flights):
            return SayHello() if now_s >= self._hello_at_s else None
        if len(self._flights) >= min(self.window, self.credit):
            return None
        return next((self._read(stream) for stream in STREAMS if stream in self._fresh), None)

    def _read(self, stream: str) -> Read:
        after = self._cursor.get(stream, 0)
        return Read(stream, after, 1 if after < self._single.get(stream, 0) else None)

    def _patience_s(self) -> float:
        return min(SLOWEST_S, (2 * self.rtt_s + GRACE_S) * 2.0**self.unanswered)

    def _give_up_flights(self, now_s: float) -> None:
        self.unanswered += 1
        self._forget_flights()
        if self.unanswered >= SILENT_AFTER:
            self._ask_again(now_s)

    def _ask_again(self, now_s: float) -> None:
        self.welcome = False
        self._hello_at_s = now_s + self._patience_s()

    def _forget_flights(self) -> None:
        self._flights.clear()
        self._cursor.clear()
        self.woken()


def _covers(ack: Ack, flight: _Flight) -> bool:
    if ack.stream != flight.stream:
        return False
    return flight.last <= ack.upto or any(
        first <= flight.first and flight.last <= last for first, last in ack.ranges
    )


def read_up(topic: Topic, payload: bytes) -> Batch | Hello | Refused:
    """Head office's first look at a message on a box's event connection: what it is, or why it is refused."""
    try:
        if topic.channel == "e":
            batch = unpack_batch(payload)
            if batch.box != topic.box_id:
                return Refused(ref=reference(payload), code="wrong_box", detail=f"envelope of {batch.box}")
            return batch
        message = unpack(payload)
    except (EnvelopeError, MessageError) as error:
        return Refused(ref=reference(payload), code=error.code, detail=str(error)[:500])
    if topic.channel == "p" and isinstance(message, Hello):
        if message.v == VERSION:
            return message
        return Refused(ref=reference(payload), code=WrongVersion.code, detail=f"version {message.v}")
    return Refused(ref=reference(payload), code="not_here", detail=type(message).__name__)


def ack_of(accepted: Accepted, credit: int, hq_utc: str) -> Ack:
    """The ack to send once `accepted` is committed."""
    return Ack(
        epoch=accepted.epoch,
        stream=accepted.stream,
        upto=accepted.upto,
        ranges=accepted.ranges,
        nacks=accepted.nacks,
        credit=credit,
        hq_utc=hq_utc,
    )


def welcome_of(hello: Hello, standing: list[Accepted], credit: int, hq_utc: str) -> Welcome:
    """The answer to a hello."""
    streams = {
        accepted.stream: Standing(accepted.upto, accepted.head, accepted.ranges, accepted.nacks)
        for accepted in standing
    }
    return Welcome(nonce=hello.nonce, streams=streams, credit=credit, hq_utc=hq_utc)


def share(credit: int, boxes: int) -> int:
    """Of that credit what each gets of so many boxes that send at the same time."""
    return min(credit, max(WINDOW, WIDEST // max(1, boxes)))


def next_credit(credit: int, commit_s: float) -> int:
    """Batches to allow each box, from how long the last commit took: halved when slow, else doubled."""
    return max(1, credit // 2) if commit_s > SLOW_COMMIT_S else min(FULL_CREDIT, 2 * credit)
