"""The facet of a call: all that it is filtered by with few choices, in one number that one index serves.

Filters that are each common and never meet (missed, and longer than a minute) make a database look through
everything; of facets there are some hundreds, and which of them exist is known (`cloud.store.facets`).

      10     9      8..5      4..2     1..0     bits
    | gap | audio | length | outcome | way |
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

DIRECTIONS = ("in", "out", "unknown")
OUTCOMES = ("answered", "missed", "voicemail", "busy", "no_answer", "unknown")
# Where a class of lengths ends and the next begins; the first is exactly 0, the last has no end.
LENGTHS_MS = tuple(int(s * 1000) for s in (0.001, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200))
_OTHER = 1  # one more choice of each: what a newer box sends and this list does not know
_WAY_BITS, _OUTCOME_BITS, _LENGTH_BITS = 2, 3, 4
_OUTCOME_AT = _WAY_BITS
_LENGTH_AT = _OUTCOME_AT + _OUTCOME_BITS
AUDIO = 1 << (_LENGTH_AT + _LENGTH_BITS)  # its audio is in the object store
GAP = AUDIO << 1  # samples are missing from a recording of it
MARKS = AUDIO | GAP
LENGTHS = (1 << _LENGTH_BITS) - 1 << _LENGTH_AT  # the bits of a length


@dataclass(frozen=True, slots=True)
class Wish:
    """What of a facet is wanted; None means any."""

    direction: str | None = None
    outcome: str | None = None
    shortest_ms: int | None = None
    longest_ms: int | None = None
    has_audio: bool | None = None
    has_gap: bool | None = None

    @property
    def is_any(self) -> bool:
        """Whether every call will do."""
        return self == Wish()


def facet_of(direction: str, outcome: str, duration_ms: int) -> int:
    """The facet of a call without audio or gap; those are bits to be added."""
    return _way_and_end(direction, outcome) | bisect_right(LENGTHS_MS, duration_ms) << _LENGTH_AT


def facets_for(wish: Wish) -> frozenset[int]:
    """Every facet a call that fits `wish` can have; at its ends a class of lengths holds others as well."""
    shortest, longest = _lengths(wish)
    parts = (
        _choices(DIRECTIONS, wish.direction),
        [end << _OUTCOME_AT for end in _choices(OUTCOMES, wish.outcome)],
        [one << _LENGTH_AT for one in range(shortest, longest + 1)],
        _bits(AUDIO, wish.has_audio),
        _bits(GAP, wish.has_gap),
    )
    return frozenset(sum(one) for one in product(*parts))


def bits_for(wish: Wish) -> tuple[int, int, tuple[int, int]]:
    """The same facets: which bits are looked at, what they are, between what those of LENGTHS lie.

    Three numbers are compared with a row's in no time; hundreds of facets are, one by one, for each row.
    """
    wanted = (
        (DIRECTIONS, wish.direction, 0, _WAY_BITS),
        (OUTCOMES, wish.outcome, _OUTCOME_AT, _OUTCOME_BITS),
        ((False, True), wish.has_audio, _LENGTH_AT + _LENGTH_BITS, 1),
        ((False, True), wish.has_gap, _LENGTH_AT + _LENGTH_BITS + 1, 1),
    )
    mask = value = 0
    for known, one, at, bits in wanted:
        if one is not None:
            mask |= ((1 << bits) - 1) << at
            value |= _place(known, one) << at
    shortest, longest = _lengths(wish)
    return mask, value, (shortest << _LENGTH_AT, longest << _LENGTH_AT)


@lru_cache(maxsize=256)
def _way_and_end(direction: str, outcome: str) -> int:
    return _place(DIRECTIONS, direction) | _place(OUTCOMES, outcome) << _OUTCOME_AT


def _lengths(wish: Wish) -> tuple[int, int]:
    shortest = 0 if wish.shortest_ms is None else _length_class(wish.shortest_ms)
    return shortest, len(LENGTHS_MS) if wish.longest_ms is None else _length_class(wish.longest_ms)


def _length_class(duration_ms: int) -> int:
    return bisect_right(LENGTHS_MS, duration_ms)


def _place(known: tuple[object, ...], value: object) -> int:
    return known.index(value) if value in known else len(known)


def _choices(known: tuple[str, ...], value: str | None) -> list[int]:
    return list(range(len(known) + _OTHER)) if value is None else [_place(known, value)]


def _bits(bit: int, wanted: bool | None) -> list[int]:
    return [0, bit] if wanted is None else [bit if wanted else 0]
