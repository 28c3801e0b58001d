"""Each format both ways: tables of good and refused messages, and what hypothesis can think of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.callerid import (
    BUILD_DIGITS,
    BUILD_MESSAGE,
    MESSAGE_FORMATS,
    PARSE_DIGITS,
    PARSE_MESSAGE,
    BadChecksum,
    CallerId,
    CallerIdError,
    NotPlausible,
    NotThisStandard,
    WrongLength,
    dtmf,
    mdmf,
    parse_message,
    sdmf,
)


def sealed(head: bytes) -> bytes:
    """Append the checksum."""
    return head + bytes([-sum(head) % 256])


def as_mdmf(*parameters: tuple[int, bytes], kind: int = 0x80) -> bytes:
    body = b"".join(bytes([number, len(value)]) + value for number, value in parameters)
    return sealed(bytes([kind, len(body)]) + body)


TIME = (0x01, b"11220446")

MDMF: dict[str, tuple[bytes, CallerId]] = {
    "time and number": (
        as_mdmf(TIME, (0x02, b"13800138000")),
        CallerId("bell202", "mdmf", "13800138000", None, "11220446"),
    ),
    "name in GB 2312": (
        as_mdmf(TIME, (0x02, b"02288881234"), (0x07, "天津分行".encode("gb2312"))),
        CallerId("bell202", "mdmf", "02288881234", "天津分行", "11220446"),
    ),
    "name before number, padded with spaces": (
        as_mdmf((0x07, b"WANG LI        "), (0x02, b"5550123")),
        CallerId("bell202", "mdmf", "5550123", "WANG LI"),
    ),
    "number withheld": (
        as_mdmf(TIME, (0x04, b"P")),
        CallerId("bell202", "mdmf", None, None, "11220446", "withheld"),
    ),
    "number not available, name absent": (
        as_mdmf(TIME, (0x04, b"O"), (0x08, b"O")),
        CallerId("bell202", "mdmf", None, None, "11220446", "unavailable", other=((0x08, b"O"),)),
    ),
    "nothing about the number": (
        as_mdmf(TIME),
        CallerId("bell202", "mdmf", None, None, "11220446", "unavailable"),
    ),
    "unknown parameters are kept": (
        as_mdmf((0x11, b"\x01"), (0x02, b"123"), (0x50, b"\x00\xff")),
        CallerId("bell202", "mdmf", "123", other=((0x11, b"\x01"), (0x50, b"\x00\xff"))),
    ),
    "a second number is kept as bytes": (
        as_mdmf((0x02, b"123"), (0x02, b"456")),
        CallerId("bell202", "mdmf", "123", other=((0x02, b"456"),)),
    ),
    "a name that is not GB 2312 is read as Latin-1 and kept": (
        as_mdmf((0x02, b"123"), (0x07, b"M\xfcller")),
        CallerId("bell202", "mdmf", "123", "Müller", other=((0x07, b"M\xfcller"),)),
    ),
}

SDMF: dict[str, tuple[bytes, CallerId]] = {
    "number": (
        sealed(b"\x04\x1311220446138" + b"00138000"),
        CallerId("bell202", "sdmf", "13800138000", None, "11220446"),
    ),
    "withheld": (
        sealed(b"\x04\x0911220446P"),
        CallerId("bell202", "sdmf", None, None, "11220446", "withheld"),
    ),
    "not available": (
        sealed(b"\x04\x0911220446O"),
        CallerId("bell202", "sdmf", None, None, "11220446", "unavailable"),
    ),
    "no number": (
        sealed(b"\x04\x0811220446"),
        CallerId("bell202", "sdmf", None, None, "11220446", "unavailable"),
    ),
}

REFUSED: dict[str, tuple[bytes, type[CallerIdError]]] = {
    "empty": (b"", WrongLength),
    "two bytes": (b"\x80\x00", WrongLength),
    "cut short": (as_mdmf(TIME)[:-2], WrongLength),
    "too long": (as_mdmf(TIME) + b"\x00", WrongLength),
    "parameter past the end": (sealed(b"\x80\x03\x02\x05\x31"), WrongLength),
    "half a parameter": (sealed(b"\x80\x01\x02"), WrongLength),
    "one bit wrong": (bytes([*as_mdmf(TIME)[:-1], as_mdmf(TIME)[-1] ^ 1]), BadChecksum),
    "top bit wrong": (as_mdmf((0x02, b"123"), (0x07, b"WANG")).replace(b"W", b"\xd7"), BadChecksum),
    "message waiting": (as_mdmf((0x0B, b"\xff"), kind=0x82), NotThisStandard),
    "no such type": (sealed(b"\x55\x01\x00"), NotThisStandard),
    "no parameter": (sealed(b"\x80\x00"), NotPlausible),
    "month 13": (as_mdmf((0x01, b"13220446")), NotPlausible),
    "day 32": (as_mdmf((0x01, b"11320446")), NotPlausible),
    "hour 24": (as_mdmf((0x01, b"11222446")), NotPlausible),
    "minute 60": (as_mdmf((0x01, b"11220460")), NotPlausible),
    "time of 7 digits": (as_mdmf((0x01, b"1122044")), NotPlausible),
    "letter in a number": (as_mdmf((0x02, b"1380013800x")), NotPlausible),
    "number of 25 digits": (as_mdmf((0x02, b"1" * 25)), NotPlausible),
    "bell in a name": (as_mdmf((0x07, b"WANG\x07")), NotPlausible),
    "SDMF without room for a time": (sealed(b"\x04\x0511220"), WrongLength),
    "SDMF with a letter in the number": (sealed(b"\x04\x0a1122044612"[:11] + b"x"), NotPlausible),
}


@pytest.mark.parametrize("name", MDMF)
def test_mdmf_says(name: str) -> None:
    message, caller = MDMF[name]
    assert mdmf.parse(message) == parse_message(message) == caller


@pytest.mark.parametrize("name", SDMF)
def test_sdmf_says(name: str) -> None:
    message, caller = SDMF[name]
    assert sdmf.parse(message) == parse_message(message) == caller


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    message, error = REFUSED[name]
    with pytest.raises(CallerIdError) as refusal:
        parse_message(message)
    assert type(refusal.value) is error and refusal.value.reason == error.reason
    assert str(refusal.value)


def test_a_parser_refuses_the_other_format() -> None:
    with pytest.raises(NotThisStandard):
        mdmf.parse(SDMF["number"][0])
    with pytest.raises(NotThisStandard):
        sdmf.parse(MDMF["time and number"][0])


def test_every_format_stands_in_both_tables() -> None:
    assert set(MESSAGE_FORMATS.values()) == set(PARSE_MESSAGE) == set(BUILD_MESSAGE)
    assert set(PARSE_DIGITS) == set(BUILD_DIGITS)


def test_standard_is_what_the_receiver_says() -> None:
    assert parse_message(MDMF["time and number"][0], "v23").standard == "v23"


times = st.builds(
    "{:02d}{:02d}{:02d}{:02d}".format,
    st.integers(1, 12),
    st.integers(1, 31),
    st.integers(0, 23),
    st.integers(0, 59),
)
numbers = st.text("0123456789", min_size=1, max_size=20)
ascii_names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=15)
names = st.one_of(ascii_names, st.text("中国天津上海分行客户张王李赵", min_size=1, max_size=7))
others = st.lists(st.tuples(st.sampled_from([0x03, 0x11, 0x13, 0x50]), st.binary(max_size=6)), max_size=3)


@given(times, st.none() | numbers, st.none() | names, others)
def test_mdmf_both_ways(
    time: str, number: str | None, name: str | None, other: list[tuple[int, bytes]]
) -> None:
    presentation = "available" if number else "withheld"
    caller = CallerId("bell202", "mdmf", number, name, time, presentation, other=tuple(other))
    assert mdmf.parse(mdmf.build(caller)) == caller


@given(times, st.none() | numbers)
def test_sdmf_both_ways(time: str, number: str | None) -> None:
    caller = CallerId("bell202", "sdmf", number, None, time, "available" if number else "unavailable")
    assert sdmf.parse(sdmf.build(caller)) == caller


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    try:
        caller = parse_message(message)
    except CallerIdError:
        return
    assert sum(message) % 256 == 0 and caller.format in PARSE_MESSAGE


@given(numbers, st.integers(0, 200), st.integers(1, 255))
def test_one_changed_byte_never_gives_another_caller(number: str, at: int, change: int) -> None:
    message = bytearray(mdmf.build(CallerId("bell202", "mdmf", number, None, "11220446")))
    message[at % len(message)] ^= change
    with pytest.raises(CallerIdError):
        parse_message(bytes(message))


def test_what_cannot_be_said_is_not_built() -> None:
    with pytest.raises(NotPlausible, match="GB 2312"):
        mdmf.build(CallerId("bell202", "mdmf", "1", "😀"))
    with pytest.raises(NotPlausible, match="time"):
        sdmf.build(CallerId("bell202", "sdmf", "1"))
    with pytest.raises(WrongLength, match="255"):
        mdmf.build(CallerId("bell202", "mdmf", "1", "x" * 250, "11220446"))


def keyed(number: str | None, presentation: str = "available", **more: object) -> CallerId:
    return CallerId("dtmf", "dtmf", number, presentation=presentation, confidence=dtmf.CONFIDENCE, **more)


DTMF: dict[str, CallerId] = {
    "D13800138000C": keyed("13800138000"),
    "A02288881234C": keyed("02288881234"),
    "B5550123#": keyed("5550123"),
    "C5550123C": keyed("5550123"),
    "*123#": keyed("123"),
    "A13800138000D02288881234C": keyed("13800138000", other=((0x1A, b"02288881234"),)),
    "A5550123D": keyed("5550123"),
    "A5550123D5550199D": keyed("5550123", other=((0x1A, b"5550199"),)),
    "B00C": keyed(None, "unavailable"),
    "B10C": keyed(None, "withheld"),
    "D1#": keyed(None, "withheld"),
    "D3#": keyed(None, "unavailable"),
}
DTMF_REFUSED: dict[str, type[CallerIdError]] = {
    "": WrongLength,
    "DC": WrongLength,
    "13800138000": NotThisStandard,
    "13800138000#": NotThisStandard,
    "D13800138000": WrongLength,
    "D13800138000A": WrongLength,
    "D12C": WrongLength,
    "D" + "1" * 21 + "C": WrongLength,
    "D1234*45C": NotPlausible,
    "DD123C": NotPlausible,
    "A1D2B3D4C": NotPlausible,
}


@pytest.mark.parametrize("digits", DTMF)
def test_dtmf_says(digits: str) -> None:
    assert dtmf.parse(digits) == DTMF[digits]


@pytest.mark.parametrize("digits", DTMF_REFUSED)
def test_dtmf_refused(digits: str) -> None:
    with pytest.raises(CallerIdError) as refusal:
        dtmf.parse(digits)
    assert type(refusal.value) is DTMF_REFUSED[digits]


@given(st.text("0123456789", min_size=3, max_size=20))
def test_dtmf_both_ways(number: str) -> None:
    assert dtmf.parse(dtmf.build(keyed(number))) == keyed(number)


@pytest.mark.parametrize("presentation", ["withheld", "unavailable"])
def test_dtmf_absence_both_ways(presentation: str) -> None:
    build: Callable[[CallerId], str] = BUILD_DIGITS["dtmf"]
    assert dtmf.parse(build(keyed(None, presentation))) == keyed(None, presentation)


@given(st.text("0123456789ABCD*#", max_size=24))
def test_any_keys_are_read_or_refused(digits: str) -> None:
    try:
        caller = dtmf.parse(digits)
    except CallerIdError:
        return
    assert caller.number is None or caller.number in digits
