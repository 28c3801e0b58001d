"""Excel sheets in fixed columns: written from rows of text, read back as rows of text, or refused by name.

Both ends exchange the same sheets, and what comes in is hostile: every value is written as text, so nothing a
caller is called can become a formula (in CSV it is defused), and a file is looked at before it is unpacked.

    SheetError
      NotASheet      no .xlsx, broken, locked with a password, or larger than it may be
      WrongHeader    the first column that differs: place, what was wanted, what came
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import IO

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook

MOST_ROWS = 200_000
MOST_BYTES = 32 * 1024 * 1024
MOST_UNPACKED_BYTES = 400 * 1024 * 1024
LONGEST_CELL = 32_767  # Excel's own limit
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet takes what begins so for a formula


class SheetError(ValueError):
    """A file that cannot be read as the sheet it should be."""


class NotASheet(SheetError):
    """No .xlsx, broken, locked with a password, or larger than it may be."""


class WrongHeader(SheetError):
    """The first column that differs from the layout."""

    def __init__(self, column: str, wanted: str, came: str) -> None:
        super().__init__(f"column {column} should be {wanted!r}, but is {came!r}")
        self.column, self.wanted, self.came = column, wanted, came


@dataclass(frozen=True, slots=True)
class Column:
    """One column; its title in either language is accepted."""

    key: str
    zh: str
    en: str
    width: int = 16

    def title(self, language: str) -> str:
        """Its title in `zh` or `en`."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a sheet, in their order."""

    zh: str
    en: str
    columns: tuple[Column, ...]

    def title(self, language: str) -> str:
        """The sheet's name in `zh` or `en`."""
        return self.en if language == "en" else self.zh


REASON = Column("reason", "原因", "Reason", 48)

CUSTOMERS = Layout(
    "客户", "Customers",
    (
        Column("id", "客户编号", "Customer id", 38),
        Column("kind", "客户类别", "Kind", 10),
        Column("name", "姓名或单位名称", "Name", 24),
        Column("numbers", "电话", "Numbers", 28),
        Column("contacts", "联系人", "Contacts", 36),
        Column("address", "地址", "Address", 32),
        Column("industry", "行业", "Industry", 14),
        Column("tags", "标签", "Tags", 18),
        Column("remark", "备注", "Remark", 40),
        Column("employee_number", "录入工号", "Added by (number)", 14),
        Column("group", "录入组别", "Added by (group)", 14),
        Column("created", "录入时间", "Added (UTC)", 26),
    ),
)  # fmt: skip

COMMUNICATIONS = Layout(
    "沟通记录", "Communications",
    (
        Column("id", "记录编号", "Record id", 38),
        Column("kind", "沟通方式", "Kind", 10),
        Column("at", "沟通时间", "Time (UTC)", 26),
        Column("customer_id", "客户编号", "Customer id", 38),
        Column("customer", "客户", "Customer", 24),
        Column("number", "电话", "Number", 18),
        Column("subject", "主题", "Subject", 24),
        Column("content", "内容", "Content", 48),
        Column("feedback", "反馈", "Feedback", 32),
        Column("call_id", "通话编号", "Call id", 38),
        Column("from_popup", "来自弹屏", "From pop-up", 10),
        Column("employee_number", "录入工号", "Added by (number)", 14),
        Column("group", "录入组别", "Added by (group)", 14),
        Column("created", "录入时间", "Added (UTC)", 26),
    ),
)  # fmt: skip

CALLS = Layout(
    "通话", "Calls",
    (
        Column("id", "通话编号", "Call id", 38),
        Column("started", "开始时间", "Started", 20),
        Column("line", "线路", "Line", 6),
        Column("line_name", "线路名称", "Line name", 16),
        Column("direction", "方向", "Direction", 10),
        Column("outcome", "结果", "Outcome", 10),
        Column("number", "号码", "Number", 18),
        Column("name", "来电姓名", "Caller name", 20),
        Column("duration", "通话时长（秒）", "Talking (s)", 14),
        Column("rings", "振铃次数", "Rings", 10),
        Column("recording", "录音编号", "Recording id", 38),
        Column("gaps", "缺失处数", "Gaps", 10),
        Column("notes", "备注条数", "Notes", 10),
        Column("tags", "标签", "Tags", 20),
    ),
)  # fmt: skip
CALLS_OF_BRANCHES = Layout(
    CALLS.zh, CALLS.en, (CALLS.columns[0], Column("branch", "网点", "Branch", 18), *CALLS.columns[1:])
)


def write_sheet(layout: Layout, rows: Iterable[Sequence[str]], language: str = "zh") -> bytes:
    """An .xlsx of the layout's header and `rows`, every cell as text; a row may be longer by a reason."""
    file = io.BytesIO()
    write_sheet_into(file, layout, rows, language)
    return file.getvalue()


def write_sheet_into(
    file: IO[bytes], layout: Layout, rows: Iterable[Sequence[str]], language: str = "zh"
) -> None:
    """`write_sheet` into `file`; `rows` are taken one at a time and none is kept."""
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(layout.title(language))
        head = book.add_format({"bold": True, "bg_color": "#E3F1F2", "bottom": 1})
        text = book.add_format({"num_format": "@", "text_wrap": False})
        sheet.freeze_panes(1, 0)
        columns = (*layout.columns, REASON)
        for at, column in enumerate(columns):
            sheet.set_column(at, at, column.width, text)
        for row_at, row in enumerate(_headed(layout, rows, language)):
            for at, value in enumerate(row):
                if value:
                    sheet.write_string(row_at, at, value[:LONGEST_CELL], head if row_at == 0 else text)


def write_csv(file: IO[str], layout: Layout, rows: Iterable[Sequence[str]], language: str = "zh") -> None:
    """The layout's header and `rows` as CSV, each cell harmless; `rows` are taken one at a time."""
    writer = csv.writer(file)
    writer.writerow([column.title(language) for column in layout.columns])
    writer.writerows([harmless(cell) for cell in row] for row in rows)


def harmless(cell: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(DANGEROUS) else cell


def _headed(layout: Layout, rows: Iterable[Sequence[str]], language: str) -> Iterator[Sequence[str]]:
    """The rows under their header, which has the reason's title when the first row has a reason."""
    header = [column.title(language) for column in layout.columns]
    for at, row in enumerate(rows):
        if at == 0:
            yield [*header, REASON.title(language)] if len(row) > len(header) else header
            header = []
        yield row
    if header:
        yield header


def read_sheet(layout: Layout, content: bytes) -> list[tuple[str, ...]]:
    """The rows below the header, as text in the layout's columns; empty rows at the end are left out.

    NotASheet or WrongHeader when the file is not one of this layout. A formula's cell is its shown value as
    text. A trailing column of reasons (as an error file has it) is passed over.
    """
    rows = _cells(content)
    header = [_text(cell) for cell in rows[0]] if rows else []
    _check_header(layout, header)
    wide = len(layout.columns)
    texts = [tuple([_text(cell) for cell in row[:wide]] + [""] * (wide - len(row))) for row in rows[1:]]
    while texts and not any(texts[-1]):
        texts.pop()
    return texts


def _cells(content: bytes) -> Sequence[Sequence[object]]:
    _look_before_unpacking(content)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except CalamineError as error:
        raise NotASheet(f"not a sheet that can be read: {error}") from error
    if len(rows) > MOST_ROWS + 1:
        raise NotASheet(f"a sheet may have {MOST_ROWS} rows, this one has {len(rows) - 1}")
    return rows


def _look_before_unpacking(content: bytes) -> None:
    """Refuse what is no zip of spreadsheet parts, or would unpack to more than it may."""
    if len(content) > MOST_BYTES:
        raise NotASheet(f"a file may have {MOST_BYTES} bytes, this one has {len(content)}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            sizes = {part.filename: part.file_size for part in parts.infolist()}
    except zipfile.BadZipFile as error:
        raise NotASheet("not an .xlsx file") from error
    if "xl/workbook.xml" not in sizes:
        raise NotASheet("not an .xlsx file")
    if sum(sizes.values()) > MOST_UNPACKED_BYTES:
        raise NotASheet(f"unpacked it has {sum(sizes.values())} bytes, more than {MOST_UNPACKED_BYTES}")


def _check_header(layout: Layout, header: list[str]) -> None:
    for at, column in enumerate(layout.columns):
        came = header[at] if at < len(header) else ""
        if came not in (column.zh, column.en):
            raise WrongHeader(column_letters(at), f"{column.zh} / {column.en}", came)
    for at, came in enumerate(header[len(layout.columns) :], start=len(layout.columns)):
        if came and not (at == len(layout.columns) and came in (REASON.zh, REASON.en)):
            raise WrongHeader(column_letters(at), "", came)


def column_letters(at: int) -> str:
    """The name of column `at` (from 0) in a spreadsheet: A ... Z, AA ..."""
    letters = ""
    at += 1
    while at:
        at, place = divmod(at - 1, 26)
        letters = chr(ord("A") + place) + letters
    return letters


def _text(cell: object) -> str:
    """A cell as text: numbers as typed (138... without a .0), times in ISO form."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if math.isfinite(cell) and cell == int(cell) else repr(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell).strip()
