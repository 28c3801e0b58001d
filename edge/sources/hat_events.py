"""Events of the board, each taken once: the box's half of the journal in firmware/linehat.

Only the next number is taken; everything else comes again. The mark is saved with what the events caused, in
one transaction, before the board may forget them: so a restart on either side loses and doubles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventMark:
    """Everything of `journal` up to `number` is kept."""

    journal: int
    number: int


@dataclass(frozen=True, slots=True)
class HatEvent:
    """What the board saw on a line; `kind` and `data` as in hw/wire."""

    number: int
    line: int  # as the box counts
    position: int | None  # None: before a start of the board that the box did not see
    kind: int
    data: int


@dataclass(slots=True)
class EventInbox:
    """Says which numbers are new, and counts what can never come."""

    mark: EventMark | None = None
    lost: int = 0
    forgotten: int = 0  # journals that ended with the board's memory: what they held besides is not known

    def about(self, journal: int, first: int, last: int) -> None:
        """The board keeps `first`..`last` of `journal`."""
        if self.mark is None:
            self.mark = EventMark(journal, first - 1)
        elif self.mark.journal != journal:
            self.forgotten += 1
            self.mark = EventMark(journal, 0)
        elif self.mark.number > last:
            self.mark = EventMark(journal, last)

    def take(self, number: int) -> bool:
        """Whether this is the next one; then it counts as taken."""
        if self.mark is None or number != self.mark.number + 1:
            return False
        self.mark = EventMark(self.mark.journal, number)
        return True

    def skip(self, first: int, last: int) -> None:
        """The board no longer has `first`..`last`."""
        if self.mark is not None and first <= self.mark.number + 1 <= last:
            self.lost += last - self.mark.number
            self.mark = EventMark(self.mark.journal, last)
