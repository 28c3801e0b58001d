"""Customers by Excel: the branch's columns both ways, a look before, all or nothing, and what is refused."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from cloud.store.customer_writes import read_record
from cloud.store.database import read
from sync.sheets import COMMUNICATIONS, CUSTOMERS, read_sheet, write_sheet
from tests.cloud.customers.conftest import Counter, Firm
from tests.cloud.customers.people import SECRETS, full_record, record

GOOD = (
    "c-1", "企业", "昆明东风商贸有限公司", "0871-65123456；13800138000", "张经理|采购|13912345678|1",
    "秘密巷七号", "批发", "高净值", "老客户", "8001", "一组", "2026-01-02T03:04:05.678Z",
)  # fmt: skip
PLAIN = ("", "个人", "王小明", "13911112222", *[""] * 8)
NAMELESS = ("", "个人", "", "13911112222", *[""] * 8)


def upload(counter: Counter, content: bytes, box: str = "") -> str:
    answer = counter.post("/customers/import", {"box": box}, files={"sheet": ("x.xlsx", content)})
    return f"{answer.status_code} {answer.text}"


def import_of(page: str) -> str:
    found = re.search(r"/customers/import/([^/\"]+)/confirm", page)
    assert found, page[-1500:]
    return found[1]


def test_a_sheet_is_looked_at_then_added_whole_then_undone(firm: Firm) -> None:
    counter = firm.counter("manager")
    page = upload(counter, write_sheet(CUSTOMERS, [GOOD, PLAIN]), "box-01")
    assert "全部 2 行都可以导入" in page
    assert "暂无客户" in counter.get("/customers").text  # nothing is added by looking
    import_id = import_of(page)
    answer = counter.post(f"/customers/import/{import_id}/confirm")
    assert answer.headers["location"] == "/customers/import?added=2"
    with read(firm.house.parts.engine) as db:
        row = firm.row("c-1")
        kept = read_record(db, firm.house.parts.ring, row)
    assert (row["box_id"], row["created_by"], row["created_utc"]) == ("box-01", "8001", GOOD[-1])
    assert kept.what.contacts[0].level == 1 and kept.what.address == "秘密巷七号"
    assert counter.post(f"/customers/import/{import_id}/confirm").status_code == 404
    assert counter.post("/customers/import/undo").headers["location"] == "/customers/import?removed=2&left=0"
    assert firm.row("c-1") is None
    assert counter.post("/customers/import/undo").status_code == 404


def test_one_bad_row_and_nothing_is_added(firm: Firm) -> None:
    counter = firm.counter("manager")
    page = upload(counter, write_sheet(CUSTOMERS, [PLAIN, NAMELESS, GOOD, GOOD]))
    assert "4 行中有 2 行无法导入" in page and "confirm" not in page
    found = re.search(r"/customers/import/([^/]+)/errors", page)
    assert found
    back = counter.get(f"/customers/import/{found[1]}/errors")
    cells = read_sheet(CUSTOMERS, back.content)
    assert cells[1] == NAMELESS  # the file comes back as it was
    workbook = zipfile.ZipFile(io.BytesIO(back.content)).read("xl/sharedStrings.xml").decode() if (
        "xl/sharedStrings.xml" in zipfile.ZipFile(io.BytesIO(back.content)).namelist()
    ) else zipfile.ZipFile(io.BytesIO(back.content)).read("xl/worksheets/sheet1.xml").decode()  # fmt: skip
    assert "请填写客户姓名" in workbook and "此编号在文件中重复" in workbook
    assert counter.post(f"/customers/import/{found[1]}/confirm").status_code == 409
    assert "暂无客户" in counter.get("/customers").text


def test_wrong_columns_are_named(firm: Firm) -> None:
    page = upload(firm.counter("manager"), write_sheet(COMMUNICATIONS, []))
    assert page.startswith("422")
    assert "第 A 列应为“客户编号 / Customer id”，文件中是“记录编号”" in page


def bomb() -> bytes:
    """A sheet that would unpack to more than half a gigabyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/workbook.xml", "<workbook/>")
        with parts.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(500):
                sheet.write(b" " * 1024 * 1024)
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"<html>", b"id,name\n1,x\n"])
def test_what_is_no_sheet_is_refused(firm: Firm, content: bytes) -> None:
    page = upload(firm.counter("manager"), content)
    assert page.startswith("422") and "不是可以读取的 .xlsx 表格" in page


def test_a_bomb_is_refused_before_it_is_unpacked(firm: Firm) -> None:
    content = bomb()
    assert len(content) < 1_000_000
    assert upload(firm.counter("manager"), content).startswith("422")


def test_a_branch_out_of_reach_is_refused(firm: Firm) -> None:
    assert upload(firm.counter("manager"), write_sheet(CUSTOMERS, [PLAIN]), "box-99").startswith("422")


def test_a_sheet_is_its_uploaders_own(firm: Firm) -> None:
    import_id = import_of(upload(firm.counter("manager"), write_sheet(CUSTOMERS, [PLAIN])))
    other = firm.counter("admin")
    assert other.post(f"/customers/import/{import_id}/confirm").status_code == 404
    assert other.get(f"/customers/import/{import_id}/errors").status_code == 404


def test_the_template_has_the_branch_pages_columns(firm: Firm) -> None:
    answer = firm.counter("manager").get("/customers/template")
    assert read_sheet(CUSTOMERS, answer.content) == []
    assert answer.headers["content-disposition"] == 'attachment; filename="customers-template.xlsx"'


def test_an_export_takes_a_grant(firm: Firm) -> None:
    firm.add(full_record())
    for role in ("agent", "manager", "admin"):
        answer = firm.counter(role).get("/customers/export")
        assert answer.status_code == 403
        assert not any(secret in answer.text for secret in SECRETS)


def test_formulas_stay_text(firm: Firm) -> None:
    counter = firm.counter("manager")
    row = ("", "个人", "=1+1", "13911112222", *[""] * 8)
    page = upload(counter, write_sheet(CUSTOMERS, [row]))
    counter.post(f"/customers/import/{import_of(page)}/confirm")
    firm.add(record("@SUM(A1)"))
    assert counter.get("/customers").text.count('name="id"') == 2
