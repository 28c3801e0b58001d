"""How many bytes may be sent, and for which file: cap, month, share; pure, with time passed in as seconds.

A cap holds over every 10 s, not on average: `Bucket` saves up no more than `SAVED_S` of it, 1.5 % of 10 s.
Call records are counted and never asked: audio makes up for them.
"""

from __future__ import annotations

from dataclasses import dataclass

SAVED_S = 0.15  # of the cap, saved up while nothing was sent
MESSAGE_S = 0.08  # one message takes no more of the cap than this

TLS_RECORD = 16 * 1024
TLS_BYTES = 22  # a record's header and tag
SEGMENT = 1400
SEGMENT_BYTES = 66  # Ethernet, IP and TCP around a segment
SHARE_MEMORY = 64_000_000  # bytes over which the shares of old and new are kept


def wire_bytes(packet: int) -> int:
    """What an MQTT packet of so many bytes puts on the line: with TLS, TCP, IP and Ethernet around it."""
    sealed = packet + TLS_BYTES * (packet // TLS_RECORD + 1)
    return sealed + SEGMENT_BYTES * (sealed // SEGMENT + 1)


@dataclass(slots=True)
class Bucket:
    """A cap in bytes a second; 0 is none."""

    cap: float = 0.0
    _saved: float = 0.0
    _at_s: float = 0.0

    @property
    def largest(self) -> int | None:
        """The largest message (its bytes on the line) that keeps the cap; None: any."""
        return max(1, int(self.cap * MESSAGE_S)) if self.cap else None

    def limit(self, cap: float, now_s: float) -> None:
        """From now on this cap holds."""
        if cap != self.cap:
            self._fill(now_s)
            self.cap = cap
            self._saved = min(self._saved, cap * SAVED_S)

    def may(self, now_s: float) -> bool:
        """Whether a message of at most `largest` may be sent now."""
        if not self.cap:
            return True
        self._fill(now_s)
        return self._saved >= self.cap * MESSAGE_S

    def spend(self, bytes_: int, now_s: float) -> None:
        """So many bytes were put on the line, allowed or not."""
        if self.cap:
            self._fill(now_s)
            self._saved -= bytes_

    def _fill(self, now_s: float) -> None:
        self._saved = min(self.cap * SAVED_S, self._saved + (now_s - self._at_s) * self.cap)
        self._at_s = now_s


@dataclass(slots=True)
class Month:
    """A budget of bytes for each month; what is used is noted ahead in lumps, so that no crash forgets it."""

    limit: int = 0  # 0: none
    month: str = ""  # yyyy-mm
    used: int = 0
    noted: int = 0  # what the database says is used: never less than `used`

    @property
    def lump(self) -> int:
        """Bytes noted ahead at once: little beside the budget."""
        return max(64_000, min(4_000_000, self.limit // 1000))

    def begin(self, month: str, noted: int) -> None:
        """This month runs, of which the database says that so much is used."""
        self.month, self.used, self.noted = month, noted, noted

    def may(self, bytes_: int) -> bool:
        """Whether so many bytes are left."""
        return not self.limit or self.used + bytes_ <= self.limit

    def spend(self, bytes_: int) -> int | None:
        """So many bytes are going to be sent; what the database has to say before that, None if it does."""
        self.used += bytes_
        if not self.limit or self.used <= self.noted:
            return None
        self.noted = self.used + self.lump
        return self.noted


@dataclass(slots=True)
class Share:
    """Whose turn it is, so that a long backlog hides neither today's calls nor the oldest ones for ever."""

    oldest: float = 0.3  # part of the bytes that goes to the oldest file; the newest gets the rest
    _sent: float = 0.0
    _sent_oldest: float = 0.0

    def oldest_next(self) -> bool:
        """Whether the oldest file is next."""
        return self.oldest >= 1.0 or self._sent_oldest < self.oldest * self._sent

    def spend(self, bytes_: int, *, oldest: bool) -> None:
        """So many bytes were sent of the oldest, or of the newest file."""
        self._sent += bytes_
        self._sent_oldest += bytes_ if oldest else 0
        if self._sent > SHARE_MEMORY:
            self._sent /= 2
            self._sent_oldest /= 2
