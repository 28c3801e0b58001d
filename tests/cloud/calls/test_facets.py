"""The facet of a call: nothing that fits a wish is left out, whatever the call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.calls.facets import (
    AUDIO,
    DIRECTIONS,
    GAP,
    LENGTHS,
    LENGTHS_MS,
    OUTCOMES,
    Wish,
    bits_for,
    facet_of,
    facets_for,
)

maybe = st.none() | st.booleans()
lengths = st.integers(0, 20_000_000) | st.sampled_from(LENGTHS_MS)


@given(
    st.sampled_from([*DIRECTIONS, "sideways"]), st.sampled_from([*OUTCOMES, "later"]), lengths,
    st.booleans(), st.booleans(),
    st.none() | st.sampled_from(DIRECTIONS), st.none() | st.sampled_from(OUTCOMES),
    st.none() | lengths, st.none() | lengths, maybe, maybe,
)  # fmt: skip
def test_a_facet_is_wanted_when_the_call_is(
    way: str, end: str, ms: int, audio: bool, gap: bool,
    direction: str | None, outcome: str | None, shortest: int | None, longest: int | None,
    has_audio: bool | None, has_gap: bool | None,
) -> None:  # fmt: skip
    facet = facet_of(way, end, ms) | (AUDIO if audio else 0) | (GAP if gap else 0)
    wish = Wish(direction, outcome, shortest, longest, has_audio, has_gap)
    wanted = facet in facets_for(wish)
    mask, value, (least, most) = bits_for(wish)
    assert wanted == (facet & mask == value and least <= facet & LENGTHS <= most)
    same = (
        direction in (None, way)
        and outcome in (None, end)
        and has_audio in (None, audio)
        and has_gap in (None, gap)
    )
    fits = same and (shortest is None or ms >= shortest) and (longest is None or ms <= longest)
    assert wanted or not fits
    if not same:
        assert not wanted


def test_a_wish_for_anything_is_every_facet_there_is() -> None:
    facets = {
        facet_of(way, end, ms) | bits
        for way in (*DIRECTIONS, "?")
        for end in (*OUTCOMES, "?")
        for ms in (0, *LENGTHS_MS)
        for bits in (0, AUDIO, GAP, AUDIO | GAP)
    }
    assert facets_for(Wish()) == facets and max(facets) < 1 << 11
    assert Wish().is_any and not Wish(has_gap=False).is_any


@pytest.mark.parametrize("at", range(len(LENGTHS_MS)))
def test_a_class_of_lengths_begins_at_its_bound(at: int) -> None:
    bound = LENGTHS_MS[at]
    assert facet_of("in", "answered", bound - 1) != facet_of("in", "answered", bound)
    assert facets_for(Wish(longest_ms=bound - 1)) & facets_for(Wish(shortest_ms=bound)) == set()
