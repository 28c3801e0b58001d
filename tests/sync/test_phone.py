"""Numbers as lines and people say them: one table of what each is, and properties that hold for all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.phone import Number, read_number, same_line

AREA = "0871"  # Kunming

# what was said -> kind, normal form, extension; read with the area above and no access digit
SAID = [
    ("13800138000", "mobile", "+8613800138000", ""),
    ("013800138000", "mobile", "+8613800138000", ""),
    ("+8613800138000", "mobile", "+8613800138000", ""),
    ("+86 138-0013-8000", "mobile", "+8613800138000", ""),
    ("008613800138000", "mobile", "+8613800138000", ""),
    ("8613800138000", "mobile", "+8613800138000", ""),
    ("(86)13800138000", "mobile", "+8613800138000", ""),
    ("１３８－００１３－８０００", "mobile", "+8613800138000", ""),
    ("14911223344", "mobile", "+8614911223344", ""),  # a range newer than most tables
    ("19912345678", "mobile", "+8619912345678", ""),
    ("17951-13800138000", "mobile", "+8613800138000", ""),
    ("12593 13800138000", "mobile", "+8613800138000", ""),
    ("1790913800138000", "mobile", "+8613800138000", ""),
    ("11808013800138000", "mobile", "+8613800138000", ""),
    ("10193 0871 65123456", "fixed", "+8687165123456", ""),
    ("17909087165123456", "fixed", "+8687165123456", ""),
    ("9,13800138000", "mobile", "+8613800138000", ""),
    ("0-13800138000", "mobile", "+8613800138000", ""),
    ("913800138000", "mobile", "+8613800138000", ""),
    ("9087165123456", "fixed", "+8687165123456", ""),
    ("965123456", "fixed", "+8687165123456", ""),
    ("9 17909 0138 0013 8000 转 8001", "mobile", "+8613800138000", "8001"),
    ("65123456", "fixed", "+8687165123456", ""),
    ("6512345", "fixed", "+868716512345", ""),
    ("0871-65123456", "fixed", "+8687165123456", ""),
    ("（0871）65123456", "fixed", "+8687165123456", ""),
    ("+86 871 6512 3456", "fixed", "+8687165123456", ""),
    ("+86(0)871 6512 3456", "fixed", "+8687165123456", ""),
    ("008687165123456", "fixed", "+8687165123456", ""),
    ("8687165123456", "fixed", "+8687165123456", ""),
    ("87165123456", "fixed", "+8687165123456", ""),  # the area lost its 0 on the way
    ("010-84664163", "fixed", "+861084664163", ""),
    ("02155500101", "fixed", "+862155500101", ""),
    ("0691-2123456", "fixed", "+866912123456", ""),
    ("0871-65123456转8001", "fixed", "+8687165123456", "8001"),
    ("0871-65123456 分机 8001", "fixed", "+8687165123456", "8001"),
    ("65123456-转-12", "fixed", "+8687165123456", "12"),
    ("65123456 ext. 8001", "fixed", "+8687165123456", "8001"),
    ("65123456x801", "fixed", "+8687165123456", "801"),
    ("65123456#801", "fixed", "+8687165123456", "801"),
    ("400-800-1234", "service", "4008001234", ""),
    ("400-800-1234转2", "service", "4008001234", "2"),
    ("8008101234", "service", "8008101234", ""),
    ("95588", "service", "95588", ""),
    ("02195588", "service", "95588", ""),  # a bank's calls, as its exchange presents them
    ("95013123", "service", "95013123", ""),
    ("96123", "service", "96123", ""),
    ("10000", "service", "10000", ""),
    ("10086", "service", "10086", ""),
    ("1008611", "service", "1008611", ""),
    ("12345", "service", "12345", ""),
    ("087112345", "service", "12345", ""),
    ("110", "service", "110", ""),
    ("10690123456", "service", "10690123456", ""),
    ("+852 2123 4567", "foreign", "+85221234567", ""),
    ("0085221234567", "foreign", "+85221234567", ""),
    ("+1 (212) 555-0100", "foreign", "+12125550100", ""),
    ("801", "extension", "801", ""),
    ("8001", "extension", "8001", ""),
    ("", "withheld", "", ""),
    ("   ", "withheld", "", ""),
    ("anonymous", "withheld", "", ""),
    ("P", "withheld", "", ""),
    ("O", "withheld", "", ""),
    ("Private", "withheld", "", ""),
    ("王小明", "unknown", "", ""),
    ("call 13800138000", "unknown", "", ""),
    ("\x00\x1b[2J", "unknown", "", ""),
    ("999999999999999", "unknown", "999999999999999", ""),
]


@pytest.mark.parametrize(("said", "kind", "normal", "extension"), SAID)
def test_what_was_said(said: str, kind: str, normal: str, extension: str) -> None:
    number = read_number(said, AREA)
    assert (number.kind, number.normal, number.extension) == (kind, normal, extension)
    assert number.said == said


@pytest.mark.parametrize(
    ("said", "area", "access", "kind", "normal", "local"),
    [
        ("84664163", "", "", "fixed", "", "84664163"),  # nobody told the area
        ("84664163", "010", "", "fixed", "+861084664163", "84664163"),
        ("84664163", "10", "", "fixed", "+861084664163", "84664163"),
        ("84664163", "nonsense", "", "fixed", "", "84664163"),
        ("96512345", "0691", "9", "fixed", "+866916512345", "6512345"),
        ("96512345", "0691", "", "service", "96512345", ""),
        ("0084664163", "010", "0", "unknown", "0084664163", ""),
        ("084664163", "010", "0", "fixed", "+861084664163", "84664163"),
        ("0087165123456", "0871", "0", "fixed", "+8687165123456", "65123456"),
        ("995588", "0871", "9", "service", "95588", ""),
        ("9", "0871", "9", "extension", "9", ""),
    ],
)
def test_what_the_branch_knows(said: str, area: str, access: str, kind: str, normal: str, local: str) -> None:
    number = read_number(said, area, access)
    assert (number.kind, number.normal, number.local) == (kind, normal, local)


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("13800138000", "+86 138 0013 8000", "sure"),
        ("13800138000", "13900138000", ""),
        ("0871-65123456", "65123456", "sure"),
        ("0871-65123456", "010-65123456", ""),
        ("0871-65123456", "0871-65123456转8001", "likely"),
        ("0871-65123456转8002", "0871-65123456转8001", ""),
        ("02195588", "95588", "sure"),
        ("801", "801", ""),  # an extension here is nobody's number outside
        ("", "", ""),
    ],
)
def test_whether_two_numbers_are_one(one: str, other: str, how: str) -> None:
    assert same_line(read_number(one, AREA), read_number(other, AREA)) == how
    assert same_line(read_number(other, AREA), read_number(one, AREA)) == how


def test_a_local_number_without_area_is_only_likely() -> None:
    assert same_line(read_number("65123456"), read_number("0871-65123456")) == "likely"
    assert same_line(read_number("65123456"), read_number("65123456")) == "likely"
    assert same_line(read_number("65123456"), read_number("65123457")) == ""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("013800138000", "138 0013 8000"),
        ("65123456转8001", "0871-6512 3456 转8001"),
        ("4008001234", "400-800-1234"),
        ("95588", "95588"),
        ("+85221234567", "+85221234567"),
        ("王小明", "王小明"),
    ],
)
def test_what_people_see(said: str, shown: str) -> None:
    assert read_number(said, AREA).shown == shown


def test_the_keys_of_a_number() -> None:
    assert read_number("65123456", AREA).keys == ("+8687165123456", "local:65123456")
    assert read_number("65123456").keys == ("local:65123456",)
    assert read_number("13800138000").keys == ("+8613800138000",)
    assert read_number("801").keys == read_number("P").keys == ()


BEFORE = st.sampled_from(["", "0", "+86", "0086", "86", "17909", "9"])


@given(st.text(max_size=40), st.sampled_from(["", "0871", "010"]), st.sampled_from(["", "9", "0"]))
def test_anything_may_be_said(said: str, area: str, access: str) -> None:
    number = read_number(said, area, access)
    assert isinstance(number, Number) and number.kind
    assert number.normal.lstrip("+").isdigit() or not number.normal


@given(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    BEFORE,
)
def test_whatever_stands_before_a_mobile(mobile: str, before: str) -> None:
    assert read_number(before + mobile, AREA).normal == f"+86{mobile}"


@given(st.from_regex(r"[2-8][0-9]{7}", fullmatch=True), st.sampled_from(["0871", "010", "021", "0691"]))
def test_the_normal_form_reads_as_itself(local: str, area: str) -> None:
    once = read_number(area + local)
    assert read_number(once.normal, "0999").normal == once.normal
    assert same_line(once, read_number(local, area)) == "sure"
