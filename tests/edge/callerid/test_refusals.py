"""What a refusal says, word for word: what was wanted, what came; and that nothing sent is lost."""

from __future__ import annotations

import pytest

from edge.callerid import CallerIdError, NotPlausible, dtmf, fields, mdmf, parse_message, sdmf
from edge.callerid.caller import CallerId
from tests.edge.callerid.test_formats import DTMF_REFUSED, REFUSED, TIME, as_mdmf, sealed

NUMBERS = "a number has up to 24 of 0-9 * # + A-D, got "
SAYS: dict[str, str] = {
    "empty": "a message has at least 3 bytes, got 0",
    "two bytes": "a message has at least 3 bytes, got 2",
    "cut short": "the length byte says 13 bytes, got 11",
    "too long": "the length byte says 13 bytes, got 14",
    "parameter past the end": "the parameter at byte 2 runs past the end of 3 bytes",
    "half a parameter": "the parameter at byte 2 runs past the end of 1 bytes",
    "one bit wrong": "the sum must be 0 modulo 256, got 255",
    "top bit wrong": "the sum must be 0 modulo 256, got 128",
    "message waiting": "no caller-ID format has message type 0x82",
    "no such type": "no caller-ID format has message type 0x55",
    "no parameter": "a message without a parameter says nothing",
    "month 13": "a time is MMDDhhmm, got b'13220446'",
    "day 32": "a time is MMDDhhmm, got b'11320446'",
    "hour 24": "a time is MMDDhhmm, got b'11222446'",
    "minute 60": "a time is MMDDhhmm, got b'11220460'",
    "time of 7 digits": "a time is MMDDhhmm, got b'1122044'",
    "letter in a number": NUMBERS + "b'1380013800x'",
    "number of 25 digits": NUMBERS + f"b'{'1' * 25}'",
    "bell in a name": "a name has no control characters, got b'WANG\\x07'",
    "SDMF without room for a time": "a body has at least 8 bytes of time, got 5",
    "SDMF with a letter in the number": NUMBERS + "b'1x'",
}
PARTS = "a start key, then digits, up to three times, got "
DTMF_SAYS: dict[str, str] = {
    "": "at least a start key, a digit and an end key, got ''",
    "DC": "at least a start key, a digit and an end key, got 'DC'",
    "13800138000": "the start key is one of ABCD*#, got '1'",
    "13800138000#": "the start key is one of ABCD*#, got '1'",
    "D13800138000": "the end key is one of CD#, got '0'",
    "D13800138000A": "the end key is one of CD#, got 'A'",
    "D12C": "a number has 3-20 digits, got 2",
    "D" + "1" * 21 + "C": "a number has 3-20 digits, got 21",
    "D1234*45C": PARTS + "'D1234*45C'",
    "DD123C": PARTS + "'DD123C'",
    "A1D2B3D4C": PARTS + "'A1D2B3D4C'",
}
# what cannot be built -> why
UNSAYABLE = {
    "a name in no alphabet of the line": (
        mdmf.build,
        CallerId("", "mdmf", "1", "😀"),
        "a name must fit GB 2312, got '😀'",
    ),
    "no time in SDMF": (sdmf.build, CallerId("", "sdmf", "1"), "SDMF always carries a time, got none"),
    "a body of 260": (
        mdmf.build,
        CallerId("", "mdmf", other=((0x50, bytes(255)),)),
        "a body has at most 255 bytes, got 260",
    ),
    "two keys": (dtmf.build, CallerId("", "dtmf", "12"), "a number has 3-20 digits, got 2"),
}


def test_every_refusal_of_the_tables_has_its_words() -> None:
    assert (set(SAYS), set(DTMF_SAYS)) == (set(REFUSED), set(DTMF_REFUSED))


@pytest.mark.parametrize("name", SAYS)
def test_words_of_a_message(name: str) -> None:
    with pytest.raises(CallerIdError) as refusal:
        parse_message(REFUSED[name][0])
    assert str(refusal.value) == SAYS[name]


@pytest.mark.parametrize("digits", DTMF_SAYS)
def test_words_of_keys(digits: str) -> None:
    with pytest.raises(CallerIdError) as refusal:
        dtmf.parse(digits)
    assert str(refusal.value) == DTMF_SAYS[digits]


@pytest.mark.parametrize("name", UNSAYABLE)
def test_words_of_what_cannot_be_said(name: str) -> None:
    build, caller, words = UNSAYABLE[name]
    with pytest.raises(CallerIdError) as refusal:
        build(caller)
    assert str(refusal.value) == words


def test_words_of_a_format_asked_for_another() -> None:
    with pytest.raises(CallerIdError, match=r"^message type must be 0x80, got 0x04$"):
        mdmf.parse(sealed(b"\x04\x0811220446"))
    with pytest.raises(CallerIdError, match=r"^message type must be 0x04, got 0x80$"):
        sdmf.parse(as_mdmf(TIME))


# Every parameter type of GR-30-CORE, EN 300 659-3 and YD/T 1277.1 besides time, number, name and absence
KEPT = (0x03, 0x05, 0x06, 0x08, 0x0B, 0x0D, 0x10, 0x11, 0x13, 0x15, 0x16, 0x1A, 0x20, 0x21, 0x23, 0x50, 0x55)


@pytest.mark.parametrize("kind", [*KEPT, 0x00, 0x99, 0xFF])
@pytest.mark.parametrize("value", [b"", b"\x01", b"O", bytes(range(0, 256, 9))])
def test_every_other_parameter_is_kept_as_bytes_both_ways(kind: int, value: bytes) -> None:
    message = as_mdmf(TIME, (0x02, b"123"), (kind, value))
    caller = mdmf.parse(message)
    assert caller.other == ((kind, value),) and caller.number == "123"
    assert mdmf.build(caller) == message


@pytest.mark.parametrize("name", ["天津分行", "O'NEIL & CO", "上海A座1号", " "])
def test_names_both_ways(name: str) -> None:
    assert fields.read_name(fields.write_name(name)) == (name.rstrip(), True)


@pytest.mark.parametrize("raw", [b"WANG\x00LI", b"\x07", b"\x7f"])
def test_a_name_with_control_characters_is_refused(raw: bytes) -> None:
    with pytest.raises(NotPlausible, match=r"^a name has no control characters, got b"):
        fields.read_name(raw)


@pytest.mark.parametrize(("presentation", "letter"), [("withheld", b"P"), ("unavailable", b"O")])
def test_absence_both_ways_in_both_formats(presentation: str, letter: bytes) -> None:
    for build, parse, layout in ((mdmf.build, mdmf.parse, "mdmf"), (sdmf.build, sdmf.parse, "sdmf")):
        caller = CallerId("bell202", layout, None, None, "11220446", presentation)
        message = build(caller)
        assert letter in message and parse(message) == caller
