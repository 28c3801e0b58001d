"""Masks: what stays readable of each kind of value, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mask import MASKS, mask_text

SHAPES = {
    "number": [
        ("13800138000", "138****8000"),
        ("+86 138 0013 8000", "138****8000"),
        ("17951-13800138000", "138****8000"),
        ("0871-65123456", "0871-******56"),
        ("010 6512 3456", "010-******56"),
        ("65123456", "******56"),
        ("95588", "95588"),
        ("400-800-1234", "4008001234"),
        ("+1 212 555 0123", "******"),
        ("8001", "******"),
        ("0871-65123456转8001", "0871-******56"),
        ("anonymous", ""),
        ("", ""),
        ("hello", "******"),
    ],
    "name": [
        ("王小明", "王**"),
        ("李", "李**"),
        ("欧阳修", "欧阳**"),
        ("欧阳", "欧**"),
        ("John Smith", "J**"),
        (" ", ""),
    ],
    "company": [
        ("云南华信通信有限公司", "云南华信******公司"),
        ("大理商行", "大******"),
        ("", ""),
    ],
    "address": [
        ("云南省昆明市五华区人民中路12号3栋501", "云南省昆明市五华区****"),
        ("北京市朝阳区建国路1号", "北京市朝阳区****"),
        ("云南省大理白族自治州大理市古城1号", "云南省大理白族自治州大理市****"),
        ("12 High Street", "****"),
        ("昆明市", "****"),
        ("", ""),
    ],
    "email": [
        ("zhang.san@example.com", "z***@example.com"),
        ("@example.com", "***"),
        ("nonsense", "***"),
        ("", ""),
    ],
    "identity": [("53010219900101123X", "530*************3X"), ("12345", "*************"), ("", "")],
    "account": [("6222 0202 0001 2345 678", "****5678"), ("12345678", "****"), ("", "")],
}


@pytest.mark.parametrize(
    ("kind", "value", "left"), [(kind, *pair) for kind, pairs in SHAPES.items() for pair in pairs]
)
def test_shapes(kind: str, value: str, left: str) -> None:
    assert MASKS[kind](value) == left


def test_every_mask_has_a_table_of_shapes() -> None:
    assert set(SHAPES) | {"text"} == set(MASKS)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("请回电13800138000谢谢", "请回电138****8000谢谢"),
        ("打 138 0013 8000 或 0871-65123456", "打 138****8000 或 0871-******56"),
        ("１３８００１３８０００", "138****8000"),
        ("身份证53010219900101123X。", "身份证530*************3X。"),
        ("卡号6222020200012345678", "卡号****5678"),
        ("write to li.si@example.com now", "write to l***@example.com now"),
        ("2026-02-03 14:05:09 共 12 件，￥1234.50", "2026-02-03 14:05:09 共 12 件，￥1234.50"),
        ("单号 TK20260203", "单号 TK20260203"),
        ("", ""),
    ],
)
def test_free_text(text: str, left: str) -> None:
    assert mask_text(text) == left


@given(
    st.text("0123456789", min_size=9, max_size=9),
    st.text("客户来电 ，。-", max_size=12),
    st.text("请回 ,.。", max_size=8),
)
def test_no_mobile_number_survives_in_free_text(rest: str, before: str, after: str) -> None:
    number = f"13{rest}"
    assert number not in mask_text(f"{before}{number}{after}")


@given(st.sampled_from(["13", "15", "18", "19"]), st.text("0123456789", min_size=9, max_size=9))
def test_the_middle_of_a_mobile_number_is_never_left(start: str, rest: str) -> None:
    number = start + rest
    assert MASKS["number"](number) == f"{number[:3]}****{number[-4:]}"


@given(st.text(max_size=40))
def test_any_text_can_be_masked_and_a_long_value_never_passes_whole(text: str) -> None:
    for name, mask in MASKS.items():
        masked = mask(text)
        if name not in ("text", "number") and len(text.strip()) > 12:
            assert text.strip() != masked
