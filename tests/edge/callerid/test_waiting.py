"""Message waiting both ways: tables of good and refused messages, and what hypothesis can think of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.callerid import BadChecksum, CallerIdError, NotPlausible, NotThisStandard, WrongLength, waiting
from edge.callerid.waiting import Waiting


def sealed(head: bytes) -> bytes:
    """Append the checksum."""
    return head + bytes([-sum(head) % 256])


GOOD: dict[str, tuple[bytes, Waiting]] = {
    "SDMF, on": (sealed(b"\x06\x03BBB"), Waiting("sdmf", True)),
    "SDMF, off": (sealed(b"\x06\x03ooo"), Waiting("sdmf", False)),
    "MDMF, on": (sealed(b"\x82\x03\x0b\x01\xff"), Waiting("mdmf", True)),
    "MDMF, off": (sealed(b"\x82\x03\x0b\x01\x00"), Waiting("mdmf", False)),
    "MDMF, five of them": (sealed(b"\x82\x06\x0b\x01\xff\x13\x01\x05"), Waiting("mdmf", True, 5)),
    "MDMF, only their number": (sealed(b"\x82\x03\x13\x01\x02"), Waiting("mdmf", True, 2)),
    "MDMF, none": (sealed(b"\x82\x03\x13\x01\x00"), Waiting("mdmf", False, 0)),
    "MDMF, when and from whom": (
        sealed(b"\x82\x13\x0b\x01\xff\x01\x0811220446\x02\x04" + b"1234"),
        Waiting("mdmf", True, None, "1234", "11220446"),
    ),
    "MDMF, more besides": (
        sealed(b"\x82\x06\x0b\x01\xff\x0d\x01\x07"),
        Waiting("mdmf", True, other=((0x0D, b"\x07"),)),
    ),
}
REFUSED: dict[str, tuple[bytes, type[CallerIdError], str]] = {
    "nothing": (b"", WrongLength, "a message has at least 3 bytes, got 0"),
    "two bytes": (b"\x06\x00", WrongLength, "a message has at least 3 bytes, got 2"),
    "a caller": (
        sealed(b"\x80\x03\x02\x01\x31"),
        NotThisStandard,
        "a message-waiting type is 0x06 or 0x82, got 0x80",
    ),
    "cut short": (sealed(b"\x06\x03BBB")[:-1], WrongLength, "the length byte says 6 bytes, got 5"),
    "a wrong sum": (b"\x06\x03BBB\x00", BadChecksum, "the sum must be 0 modulo 256, got 207"),
    "four letters": (sealed(b"\x06\x04BBBB"), WrongLength, "the lamp is three letters, got 4"),
    "other letters": (sealed(b"\x06\x03abc"), NotPlausible, "the lamp is BBB or ooo, got b'abc'"),
    "half lit": (sealed(b"\x82\x03\x0b\x01\x80"), NotPlausible, "an indicator is FF or 00, got 80"),
    "an empty indicator": (
        sealed(b"\x82\x02\x0b\x00"),
        NotPlausible,
        "an indicator is FF or 00, got nothing",
    ),
    "no indicator": (
        sealed(b"\x82\x03\x02\x01\x31"),
        NotPlausible,
        "neither an indicator nor a number of messages",
    ),
    "no parameter": (sealed(b"\x82\x00"), NotPlausible, "a message without a parameter says nothing"),
    "parameter past the end": (
        sealed(b"\x82\x03\x0b\x05\xff"),
        WrongLength,
        "the parameter at byte 2 runs past the end of 3 bytes",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_says(name: str) -> None:
    message, said = GOOD[name]
    assert waiting.parse(message) == said


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    message, error, words = REFUSED[name]
    with pytest.raises(CallerIdError) as refusal:
        waiting.parse(message)
    assert type(refusal.value) is error and str(refusal.value) == words


said_by_mdmf = st.builds(
    Waiting,
    st.just("mdmf"),
    st.booleans(),
    st.none() | st.integers(0, 255),
    st.none() | st.text("0123456789", min_size=1, max_size=12),
    st.none() | st.just("11220446"),
    st.lists(st.tuples(st.sampled_from([0x0D, 0x50]), st.binary(max_size=4)), max_size=2).map(tuple),
)


@given(said_by_mdmf | st.builds(Waiting, st.just("sdmf"), st.booleans()))
def test_both_ways(said: Waiting) -> None:
    assert waiting.parse(waiting.build(said)) == said


def test_what_the_short_format_cannot_say_is_not_built() -> None:
    with pytest.raises(NotPlausible, match="only whether"):
        waiting.build(Waiting("sdmf", True, 3))


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    try:
        waiting.parse(message)
    except CallerIdError:
        return
    assert sum(message) % 256 == 0
