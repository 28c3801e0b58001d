"""Live listening (实时监听, REC-08): a line's sound from the ring, as a WAV that lasts as the call does.

The ring is mapped read-only, so nothing a listener does reaches the recorder. Who listened to which call,
and for how long, stands in the operation log.

    GET -> a call on the line? -> WAV header, then every EVERY_S what is new -> call over or no right: the end
              | 409
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from bottle import HTTPError, HTTPResponse

from edge.ring import RingError, RingOvertaken, RingReader
from edge.store.operations import Operation, log_operation
from edge.store.sessions import session_user
from edge.store.users import lines_in_scope
from edge.web import sessions
from edge.web.guard import keep_to_scope
from edge.web.rights import Right, rights_of
from edge.web.site import Visit

EVERY_S = 0.1
HEAD_START_S = 0.3  # sent at once, so that the player never runs dry
STILL_S = 3.0  # the recorder has stopped when nothing new came for so long
LOOK_EVERY_S = 1.0  # at the call and at the listener's rights
ENDLESS = 0xFFFFFFFF  # a WAV whose length is not known yet


@dataclass(frozen=True, slots=True)
class Tap:
    """One line's column of a ring."""

    ring: RingReader
    column: int

    def read(self, position: int) -> tuple[bytes, int]:
        """What came since `position` as PCM, and where that ends; what was overtaken is left out."""
        end = self.ring.position
        try:
            block = self.ring.read(position, end - position)
        except RingOvertaken:
            return b"", end
        return block[:, self.column].astype("<i2").tobytes(), end


def tap(rings: tuple[Path, ...], line: int) -> Tap | None:
    """Where the samples of `line` are, lines counted through all rings; None: they cannot be read."""
    first = 1
    for path in rings:
        try:
            ring = RingReader.open(path)
        except RingError:
            return None
        if first <= line < first + ring.lines:
            return Tap(ring, line - first)
        first += ring.lines
    return None


def wav_header(rate_hz: int) -> bytes:
    """The 44 bytes before 16-bit mono samples of a sound without an end."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    riff = struct.pack("<4sI4s", b"RIFF", ENDLESS, b"WAVE")
    return riff + form + struct.pack("<4sI", b"data", ENDLESS)


def listen(visit: Visit, line: str) -> HTTPResponse:
    """The sound of a line from now until its call is over; 404 for a line not theirs, 409 without a call."""
    number = line_number(visit, line)
    call_id, source = call_on(visit, number), tap(visit.site.settings.rings, number)
    if call_id is None or source is None:
        raise HTTPError(409)
    if not visit.site.streams.acquire(blocking=False):
        raise HTTPError(503)
    headers = {"Content-Type": "audio/wav", "Cache-Control": "no-store"}
    return HTTPResponse(_sound(visit, number, call_id, source), headers=headers)


def line_number(visit: Visit, line: str) -> int:
    """The number of a line that is there and the user's; 404."""
    known = line.isascii() and line.isdecimal() and len(line) <= 3
    found = visit.db.execute("SELECT line FROM lines WHERE line = ?", (int(line),)) if known else None
    if found is None or found.fetchone() is None:
        raise HTTPError(404)
    keep_to_scope(visit, int(line), f"line {line}")
    return int(line)


def call_on(visit: Visit, line: int) -> str | None:
    """The id of the call that goes on."""
    row = visit.db.execute("SELECT call_id FROM lines WHERE line = ?", (line,)).fetchone()
    return str(row[0]) if row and row[0] else None


def _sound(visit: Visit, line: int, call_id: str, source: Tap) -> Iterator[bytes]:
    site, begun_s = visit.site, visit.site.clock.monotonic_s()
    try:
        with closing(site.open_db()) as db:
            own = replace(visit, db=db)
            _log(own, call_id, f"line {line}")
            try:
                yield wav_header(source.ring.rate_hz)
                yield from _samples(own, line, call_id, source)
            finally:
                heard_s = round(site.clock.monotonic_s() - begun_s)
                _log(own, call_id, f"line {line}, ended after {heard_s} s")
    finally:
        site.streams.release()


def _samples(visit: Visit, line: int, call_id: str, source: Tap) -> Iterator[bytes]:
    clock, ring = visit.site.clock, source.ring
    position = max(ring.first, ring.position - round(HEAD_START_S * ring.rate_hz))
    moved_s = looked_s = clock.monotonic_s()
    while not visit.site.stop.is_set():
        now_s = clock.monotonic_s()
        if now_s - looked_s >= LOOK_EVERY_S:
            looked_s = now_s
            if call_on(visit, line) != call_id or not _may_go_on(visit):
                return
        sound, end = source.read(position)
        if end != position:
            position, moved_s = end, now_s
        if sound:
            yield sound
        elif now_s - moved_s >= STILL_S:
            return
        visit.site.stop.wait(EVERY_S)


def _may_go_on(visit: Visit) -> bool:
    now, key = visit.site.clock.utc(), sessions.token_hash(visit.token or "")
    user = session_user(visit.db, key, now, sessions.IDLE, sessions.ABSOLUTE)
    if user is None or Right.LISTEN not in rights_of(user):
        return False
    return lines_in_scope(visit.db, user) == visit.lines


def _log(visit: Visit, call_id: str, told: str) -> None:
    name = visit.user.name if visit.user else None
    heard = Operation("listen", "done", visit.address, name, call_id, told)
    log_operation(visit.db, heard, visit.site.clock.utc())
