"""Presence: stale wills, restarts, restored copies, and two boxes that use one identity."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.envelope import EnvelopeError
from sync.presence import (
    MOST_BEFORE,
    TWO_BOXES,
    Birth,
    Death,
    NotPresence,
    Seen,
    born,
    died,
    pack,
    released,
    unpack,
)

AT = "2026-11-22T04:05:06.789Z"
LATER = "2026-11-22T04:06:00.000Z"


def birth(nonce: int, boot: str = "b0", epoch: str = "e") -> Birth:
    return Birth(nonce=f"{nonce:016x}", boot=boot, epoch=epoch * 16, at=AT, heads={"evt": 3})


def after(*births: Birth) -> Seen:
    seen: Seen | None = None
    for one in births:
        seen = born(seen, one, AT)
    assert seen is not None
    return seen


def test_a_birth_and_a_death_are_read_back() -> None:
    for message in (birth(1), Death(nonce="ab" * 8)):
        assert unpack(pack(message)) == message


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"t":"birth"}', b'{"t":"death","nonce":"x"}', b"[" * 4000, b"0" * 5000]
)
def test_what_is_neither_is_refused(payload: bytes) -> None:
    with pytest.raises(NotPresence):
        unpack(payload)


@given(st.binary(max_size=100))
def test_noise_is_refused(payload: bytes) -> None:
    with pytest.raises(EnvelopeError):
        unpack(payload)


def test_the_will_of_an_earlier_connection_is_stale() -> None:
    seen = after(birth(1), birth(2))
    assert died(seen, Death(nonce=birth(1).nonce), LATER) is seen
    gone = died(seen, Death(nonce=birth(2).nonce), LATER)
    assert gone is not None
    assert (gone.online, gone.since_utc) == (False, LATER)


def test_a_death_of_nobody_is_nothing() -> None:
    assert died(None, Death(nonce="ab" * 8), AT) is None


def test_a_death_told_twice_counts_once() -> None:
    gone = died(after(birth(1)), Death(nonce=birth(1).nonce), AT)
    assert died(gone, Death(nonce=birth(1).nonce), LATER) is gone


def test_a_retained_birth_that_is_known_changes_nothing() -> None:
    gone = died(after(birth(1)), Death(nonce=birth(1).nonce), AT)
    assert born(gone, birth(1), LATER) is gone


ONE_BOX = {
    "it reconnects": [birth(1), birth(2), birth(3)],
    "it is switched off and on": [birth(1, "b0"), birth(2, "b1"), birth(3, "b2"), birth(4, "b2")],
    "its card is restored from a copy": [birth(1, "b0", "a"), birth(2, "b1", "b"), birth(3, "b2", "b")],
}
TWO = {
    "two boxes take turns": [birth(1, "b0"), birth(2, "b1"), birth(3, "b0")],
    "two databases take turns": [birth(1, "b0", "a"), birth(2, "b0", "b"), birth(3, "b0", "a")],
    "one comes back after many reboots of the other": [
        birth(1, "b0"), *(birth(number, f"b{number}") for number in range(2, 40)), birth(50, "b0"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("story", ONE_BOX)
def test_one_box_is_not_held_back_when(story: str) -> None:
    assert after(*ONE_BOX[story]).held is None


@pytest.mark.parametrize("story", TWO)
def test_two_boxes_are_held_back_when(story: str) -> None:
    held = after(*TWO[story])
    assert held.held == TWO_BOXES
    assert born(held, birth(99, "b99"), LATER).held == TWO_BOXES, "and stay so until a person has looked"


def test_a_person_lets_the_remaining_box_in() -> None:
    seen = born(released(after(*TWO["two boxes take turns"])), birth(4, "b1"), LATER)
    assert seen.held is None
    assert born(seen, birth(5, "b1"), LATER).held is None


def test_what_is_remembered_is_bounded() -> None:
    seen = after(*(birth(number, f"b{number}") for number in range(500)))
    assert len(seen.before) == MOST_BEFORE
    assert replace(seen, before=()).held is None
