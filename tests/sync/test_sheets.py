"""Sheets: what is written is read back, formulas stay text, a file that is not ours is refused by name."""

from __future__ import annotations

import io
import zipfile

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import sheets
from sync.sheets import (
    COMMUNICATIONS,
    CUSTOMERS,
    Column,
    Layout,
    NotASheet,
    WrongHeader,
    column_letters,
    read_sheet,
    write_sheet,
)

SMALL = Layout("表", "Sheet", (Column("a", "甲", "First"), Column("b", "乙", "Second")))
ROWS = [("王小明", "13800138000"), ("=1+1", "@SUM(A1)"), ("", "-2+3"), ("a\nb", "0871")]


def made(*rows: list[object], formulas: bool = False) -> bytes:
    """A sheet as somebody else's program would write it."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"strings_to_formulas": formulas}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    return file.getvalue()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_written_is_read_back(language: str) -> None:
    assert read_sheet(SMALL, write_sheet(SMALL, ROWS, language)) == ROWS


@pytest.mark.parametrize("layout", [CUSTOMERS, COMMUNICATIONS])
def test_an_empty_list_is_the_template(layout: Layout) -> None:
    content = write_sheet(layout, [])
    assert read_sheet(layout, content) == []
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert "xl/worksheets/sheet1.xml" in parts.namelist()


def test_no_cell_is_a_formula() -> None:
    content = write_sheet(SMALL, [("=cmd|' /C calc'!A0", "+1"), ("-1", "@x"), ("\t=1", "http://a.example")])
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        xml = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in xml and "hyperlink" not in xml


def test_a_formula_in_a_foreign_file_is_a_text() -> None:
    content = made(["甲", "乙"], ["=1+1", 5], formulas=True)
    assert read_sheet(SMALL, content)[0][0] in {"0", "2", "=1+1"}  # never computed here


@pytest.mark.parametrize(
    ("cell", "text"),
    [(13800138000, "13800138000"), (1.5, "1.5"), (True, "TRUE"), ("  x ", "x"), (0, "0"), ("", "")],
)
def test_cells_become_text(cell: object, text: str) -> None:
    assert read_sheet(SMALL, made(["甲", "乙"], ["x", cell], ["last", "row"]))[0] == ("x", text)


@pytest.mark.parametrize(
    ("header", "column", "came"),
    [
        (["乙", "甲"], "A", "乙"),
        (["甲", "丙"], "B", "丙"),
        (["甲"], "B", ""),
        (["甲", "乙", "丙"], "C", "丙"),
        (["甲", "Second", "原因", "丁"], "D", "丁"),
        ([], "A", ""),
    ],
)
def test_the_first_column_that_differs_is_named(header: list[object], column: str, came: str) -> None:
    with pytest.raises(WrongHeader) as caught:
        read_sheet(SMALL, made(header, ["x", "y"]) if header else made())
    assert (caught.value.column, caught.value.came) == (column, came)
    assert column in str(caught.value)


def test_an_error_file_can_be_mended_and_read_again() -> None:
    content = write_sheet(SMALL, [("x", "y", "电话不对"), ("z", "w", "")])
    assert read_sheet(SMALL, content) == [("x", "y"), ("z", "w")]


def test_titles_of_either_language_do() -> None:
    assert read_sheet(SMALL, made(["First", "乙"], ["x", "y"])) == [("x", "y")]


def test_short_rows_are_filled_and_empty_ones_at_the_end_left_out() -> None:
    assert read_sheet(SMALL, made(["甲", "乙"], ["x"], ["", ""], ["y", ""], ["", " "])) == [
        ("x", ""), ("", ""), ("y", ""),
    ]  # fmt: skip


def zipped(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"name,number\n", zipped(hello=b"x"), zipped(**{"xl__workbook.xml": b"<broken"})],
    ids=["empty", "torn", "csv", "zip", "broken"],
)
def test_what_is_no_sheet(content: bytes) -> None:
    with pytest.raises(NotASheet):
        read_sheet(SMALL, content)


def test_a_file_that_would_unpack_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped(**{"xl__workbook.xml": b"x", "xl__sharedStrings.xml": b"\x00" * 2_000_000})
    assert len(bomb) < 10_000
    monkeypatch.setattr(sheets, "MOST_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(NotASheet, match="unpacked"):
        read_sheet(SMALL, bomb)


def test_more_rows_or_bytes_than_a_sheet_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    content = write_sheet(SMALL, [("x", "y")] * 11)
    monkeypatch.setattr(sheets, "MOST_ROWS", 10)
    with pytest.raises(NotASheet, match="10 rows, this one has 11"):
        read_sheet(SMALL, content)
    monkeypatch.setattr(sheets, "MOST_BYTES", 100)
    with pytest.raises(NotASheet, match="100 bytes"):
        read_sheet(SMALL, content)


@pytest.mark.parametrize(
    ("at", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (702, "AAA")]
)
def test_names_of_columns(at: int, letters: str) -> None:
    assert column_letters(at) == letters


CELLS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20).map(
    str.strip
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS.filter(bool)), max_size=5))
def test_any_text_comes_back(rows: list[tuple[str, str]]) -> None:
    assert read_sheet(SMALL, write_sheet(SMALL, rows)) == rows
