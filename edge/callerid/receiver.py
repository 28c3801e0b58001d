"""Caller ID by FSK on all lines: the gate says where, the decoders say what, checksum and field rules decide.

While a line is open it is looked at every 50 ms, so a message is reported as soon as its last byte is there.
What must have been a message but could not be read is reported as refused, once, when the burst has been
searched: a step of each search for every 6 ms of audio, so that the other lines do not wait for all of it.

    limit                     accepted                refused
    level                     -50 .. 0 dBm0           -62 dBm0
    space against mark        -6 .. +6 dB
    noise                     3 dB SNR                refused, not guessed, below -1 dB
    bit rate                  1200 +-2 %
    mark before the message   40 bits, no seizure     none
    stop bit                  1 .. 11 bits
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.callerid import MESSAGE_FORMATS, CallerId, CallerIdError, NotThisStandard, parse_message
from edge.callerid.likely import likely_message
from edge.dsp.fsk import BELL202, V23, FskStandard
from edge.dsp.fsk_baseband import RATE_HZ, analytic
from edge.dsp.fsk_gate import FskGate, Look
from edge.dsp.fsk_lattice import Characters as Weighed
from edge.dsp.fsk_lattice import Lattice
from edge.dsp.fsk_mark import MarkRun, mark_runs, rough_hz
from edge.dsp.fsk_places import bent, comb, earlier, walk
from edge.dsp.fsk_uart import Characters, read_characters
from edge.dsp.history import History
from edge.dsp.hops import HopBank, Hops
from edge.samples import Samples

HISTORY_S = 5
BEFORE_S = 0.3  # of the mark run that is read with it: seizure, and the filter settles
MIN_MARGIN = 0.15  # of the weakest bit, to trust a checksum alone
MIN_BYTES_REFUSED = 6  # fewer are not worth a refusal
MIN_BURST_S = 0.2
MIN_QUALITY = 0.55  # of the energy the best bytes explain: 0 dB gives 0.62, noise alone 0.3
MIN_QUALITY_UNEVEN = 0.7
MIN_CONFIDENCE = 0.995
MIN_CONFIDENCE_UNEVEN = 0.9999  # for unequal steps, which can be made to fit more
CLEAR, LITTLE = 0.85, 3.0  # quality; log odds given up
OTHER_BAUDS = (1185.0, 1215.0)
MARK_RUNS = 2
MOST_AWAITED_S = 1.0  # a length may have been misread
STEP_S = 0.006  # of audio, for which one step of a search is done
NOT_CALLERS = (0x06, 0x82, 0x86, 0x89)  # message waiting, charge, SMS: good messages that name nobody


@dataclass(frozen=True, slots=True)
class CallerFound:
    """A message on `line` from its first start bit to its last stop bit.

    `reason` when it was refused; `message` when it is a good one that names nobody (NOT_CALLERS).
    """

    line: int
    start: int
    end: int
    caller: CallerId | None
    standard: str
    reason: str = ""
    message: bytes = b""
    mended: bool = False  # clear enough to be read as it is, yet only read by putting bytes right

    def says_the_same_as(self, other: CallerFound) -> bool:
        """However sure either is."""
        mine, its = (one.caller and replace(one.caller, confidence=1.0) for one in (self, other))
        return (mine, self.message) == (its, other.message)

    @property
    def is_good(self) -> bool:
        """Whether it says something, about a caller or not."""
        return self.caller is not None or bool(self.message)


Search = Generator[None, None, CallerFound | None]


class CallerIdReceiver:
    """Reads FSK caller ID in blocks of any length."""

    BANDS = FskGate.BANDS

    def __init__(self, lines: int, rate_hz: int, bank: HopBank | None = None) -> None:
        self._bank = bank or HopBank(lines, rate_hz, (), self.BANDS)
        self._rate_hz = rate_hz
        self._gate = FskGate(self._bank)
        self._awaited: dict[int, int] = {}  # line -> position before which its message cannot be whole
        self._searches: deque[Search] = deque()
        self._unsearched = 0  # frames of audio no step of a search has been done for
        self._history = History(lines, HISTORY_S * rate_hz)

    def feed(self, samples: Samples, position: int) -> list[CallerFound]:
        """Take int16 (frames, lines) from `position` on; return the messages that are complete."""
        found: list[CallerFound] = []
        for at in range(0, len(samples), self._rate_hz):  # no longer than the history can hold
            piece = samples[at : at + self._rate_hz]
            found += self.take(self._bank.feed(piece, position + at), piece, position + at)
            found += self.search(len(piece))
        return found

    @property
    def reading(self) -> bool:
        """May a burst be under way on some line? Then what comes next is waited for."""
        return self._gate.is_open

    def search(self, frames: int) -> list[CallerFound]:
        """Go on with the bursts that are not clear, as far as `frames` more of audio allow."""
        found: list[CallerFound] = []
        self._unsearched = self._unsearched + frames if self._searches else 0
        while self._searches and self._unsearched >= STEP_S * self._rate_hz:
            self._unsearched -= round(STEP_S * self._rate_hz)
            for _ in range(len(self._searches)):
                search = self._searches.popleft()
                try:
                    next(search)
                    self._searches.append(search)
                except StopIteration as over:
                    found += [over.value] if over.value else []
        return found

    def take(self, hops: Hops, samples: Samples, position: int) -> list[CallerFound]:
        """The same on hops measured by a bank shared with other receivers; at most a second at a time."""
        self._history.feed(samples, position)
        found: list[CallerFound] = []

        def done(look: Look) -> bool:
            one = self._look(look)
            found.extend([one] if one else [])
            return one is not None

        self._gate.take(hops, done)
        return sorted(found, key=lambda one: one.end)

    def _look(self, look: Look) -> CallerFound | None:
        """Read one line's burst so far; an unclear one is searched once it is over."""
        awaited = self._awaited.pop(look.line, 0)
        if look.end < awaited and not look.last:
            self._awaited[look.line] = awaited
            return None
        start, samples = self._history.read(
            look.line - 1, look.start - round(BEFORE_S * self._rate_hz), look.end
        )
        signal = analytic(samples, self._rate_hz)
        refused: CallerFound | None = None
        for characters in read_characters(signal):
            one = self._judge(characters, look.line, start, look.last)
            if one is not None and one.is_good:
                return one
            refused = refused or one
            if one is None and not look.last:
                self._await(characters, look.line, start)
        if not look.last:
            return None
        worth = look.end - look.start > MIN_BURST_S * self._rate_hz
        if not worth:
            return refused
        self._searches.append(self._search(signal, look.line, start, refused))
        return None

    def _search(
        self, signal: NDArray[np.complex64], line: int, start: int, refused: CallerFound | None
    ) -> Search:
        """The eye was not open: weigh all bytes of the whole burst, at several bit rates, step by step."""
        best: CallerFound | None = None
        held: CallerFound | None = None  # was mended, so whatever else the burst may be has to agree
        runs = mark_runs(signal)[:MARK_RUNS]
        yield
        for run in runs:
            for standard in _standards(run):
                for characters in _hypotheses(signal, run, standard):
                    yield
                    one = self._weigh(characters, standard, line, start) if characters else None
                    if one is not None and one.is_good:
                        if not one.mended:
                            return one
                        if held is not None and not held.says_the_same_as(one):
                            return replace(one, caller=None, message=b"", reason="uncertain")
                        held = held or one
                    best = best or one
                if held is not None:
                    return held
        return best or refused

    def _weigh(self, characters: Weighed, standard: FskStandard, line: int, start: int) -> CallerFound | None:
        if characters.quality < MIN_QUALITY:
            return None
        even = float(np.ptp(np.diff(characters.starts))) < RATE_HZ / 1200 / 4
        if not even and characters.quality < MIN_QUALITY_UNEVEN:
            return None
        likely = likely_message(characters.likelihood)
        if likely is None:
            return None
        scale = self._rate_hz / RATE_HZ
        ends = characters.starts[[0, min(len(likely.message), len(characters.starts)) - 1]]
        place = start + round(ends[0] * scale), start + round((ends[1] + 10 * RATE_HZ / 1200) * scale)
        try:
            caller = parse_message(likely.message, standard.name)
        except NotThisStandard:
            if likely.confidence < (MIN_CONFIDENCE if even else MIN_CONFIDENCE_UNEVEN):
                return None
            return CallerFound(line, *place, None, standard.name, "not_a_caller", likely.message)
        except CallerIdError as error:
            return CallerFound(line, *place, None, standard.name, error.reason)
        if likely.confidence < (MIN_CONFIDENCE if even else MIN_CONFIDENCE_UNEVEN):
            return CallerFound(line, *place, None, standard.name, "uncertain")
        caller = replace(caller, confidence=likely.confidence)
        mended = characters.quality > CLEAR and likely.mended > LITTLE
        return CallerFound(line, *place, caller, standard.name, mended=mended)

    def _await(self, characters: Characters, line: int, start: int) -> None:
        """A message that says how long it is need not be looked at before it can be whole."""
        message = characters.message
        if len(message) >= 2 and message[0] in MESSAGE_FORMATS:
            end = characters.start + (message[1] + 3) * 10 * RATE_HZ // 1200
            longest = min(end, characters.end + MOST_AWAITED_S * RATE_HZ)
            self._awaited[line] = start + round(longest * self._rate_hz / RATE_HZ)

    def _judge(self, characters: Characters, line: int, start: int, last: bool) -> CallerFound | None:
        """Return the message or why it is none; None while it may still be coming, or never was one."""
        message = characters.message
        if len(message) < 2 or message[0] not in {*MESSAGE_FORMATS, *NOT_CALLERS}:
            return None
        wanted = message[1] + 3
        if len(message) < wanted and not last:
            return None
        scale = self._rate_hz / RATE_HZ
        standard = BELL202 if rough_hz(characters.mark) < (BELL202.mark_hz + V23.mark_hz) / 2 else V23
        place = start + round(characters.start * scale), start + round(characters.end * scale)
        try:
            caller = parse_message(message[:wanted], standard.name)
        except NotThisStandard:
            sure = sum(message[:wanted]) % 256 == 0 and min(characters.margins[:wanted]) >= MIN_MARGIN
            said = message[:wanted] if sure else b""
            return CallerFound(line, *place, None, standard.name, "not_a_caller", said) if said else None
        except CallerIdError as error:
            worth = len(message) >= MIN_BYTES_REFUSED
            return CallerFound(line, *place, None, standard.name, error.reason) if worth else None
        weakest = min(characters.margins[:wanted])
        if weakest < MIN_MARGIN:
            return CallerFound(line, *place, None, standard.name, "uncertain")
        return CallerFound(line, *place, replace(caller, confidence=min(1.0, 0.5 + weakest)), standard.name)


def _hypotheses(
    signal: NDArray[np.complex64], run: MarkRun, standard: FskStandard
) -> Iterator[Weighed | None]:
    """Equal steps at the nominal bit rate, unequal steps, other bit rates: the likeliest first.

    What asks for a clearer burst than this is, is left out.
    """
    lattice = Lattice(signal, run, standard)
    quality = 0.0
    for places in (comb, earlier, bent, walk):
        characters = lattice.characters(places)
        quality = max(quality, characters.quality if characters else 0.0)
        yield characters
    if quality > CLEAR:
        yield Lattice(signal, run, standard, loose=True).characters(bent)
    if quality > MIN_QUALITY:
        for baud in OTHER_BAUDS:
            yield Lattice(signal, run, standard, baud).characters(comb)


def _standards(run: MarkRun) -> list[FskStandard]:
    """Which standard has this mark, the nearer one first; between the two it may be either."""
    nearest = sorted((BELL202, V23), key=lambda one: abs(one.mark_hz - run.hz))
    between = abs(run.hz - (BELL202.mark_hz + V23.mark_hz) / 2) < 15
    return nearest if between else nearest[:1]
