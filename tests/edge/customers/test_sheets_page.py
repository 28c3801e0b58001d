"""Sheets over HTTP: looked at, added whole or not at all, undone; out of one box and into another."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from typing import Any

import pytest

from edge.store import imports
from edge.web.server import MOST_BODY_BYTES, small_bodies
from sync.particulars import Contact
from sync.sheets import COMMUNICATIONS, CUSTOMERS, Layout, read_sheet, write_sheet
from tests.edge.customers.conftest import BY, Shop, token
from tests.edge.web.conftest import Answer, Browser

BOUNDARY = "----sheet"


def upload(browser: Browser, path: str, content: bytes) -> Answer:
    """The form with a file, as a browser sends it."""
    page = path.rsplit("/import", 1)[0]
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n{token(browser, page)}\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="sheet"; filename="a.xlsx"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = parts.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return browser.ask("POST", path, body, CONTENT_TYPE=f"multipart/form-data; boundary={BOUNDARY}")


def import_id(answer: Answer, table: str) -> str:
    found = answer.text.split(f'action="/{table}/import/')[1].split('"')[0]
    assert found != "undo"
    return found


def rows(*names: str) -> bytes:
    """A sheet of customers with these names."""
    return write_sheet(CUSTOMERS, [("", "个人", name, "13800138000") + ("",) * 8 for name in names])


def count(shop: Shop, table: str = "customers") -> int:
    return int(shop.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def records(db: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """What a record is, without what says when and by what way it came here."""
    left_out = {"no", "creator_name", "creator_group_id", "changed_utc", "import_id", "terms", "revision"}
    found = db.execute(f"SELECT * FROM {table} ORDER BY id")
    return [{name: row[name] for name in row.keys() if name not in left_out} for row in found]  # noqa: SIM118


def fill(shop: Shop) -> None:
    shop.customer(
        "昆明东风", "138 0013 8000", "0871-65123456转8001", kind="enterprise", of="ann",
        contacts=(Contact("张经理", "采购", ("13900139000", "65123457")), Contact("李")), industry="商贸",
        address="滇池路 1 号", tags=("高净值", "家庭用户"), remark="第一行\n=1+1",
    )  # fmt: skip
    shop.customer('=HYPERLINK("http://a.example")', "+85221234567", of="bob", remark="@SUM(A1)")
    shop.communication("要装宽带\n明天", subject="-1+1", feedback="好", number="13800138000",
                       customer_name="昆明东风", call_id="call-1", from_popup=True, of="ann")  # fmt: skip
    shop.communication("到店", kind="visit", of="chief")


@pytest.mark.parametrize(("table", "layout"), [("customers", CUSTOMERS), ("communications", COMMUNICATIONS)])
def test_out_of_one_box_and_into_an_empty_one(
    shop: Shop, table: str, layout: Layout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fill(shop)
    boss = shop.browser("boss")
    content = boss.get(f"/{table}/export.xlsx").body
    before = records(shop.db, table)
    assert len(read_sheet(layout, content)) == len(before) == 2
    shop.db.execute(f"DELETE FROM {table}")
    looked = upload(boss, f"/{table}/import", content)
    assert "2 rows can be added" in looked.text and count(shop, table) == 0
    done = shop.post(boss, f"/{table}/import/{import_id(looked, table)}")
    assert done.headers["Location"] == f"/{table}/import?added=2"
    assert records(shop.db, table) == before
    assert (
        boss.get(f"/{table}/export.xlsx").body
        and "2 records were added" in boss.get(done.headers["Location"]).text
    )
    names = [one[0] for one in shop.branch.operations()]
    assert {f"export_{table}", f"check_{table}", f"import_{table}"} <= set(names)


def test_one_bad_row_and_nothing_is_added(shop: Shop) -> None:
    boss = shop.browser("boss")
    sheet = [("", "", "好的", "13800138000") + ("",) * 8, ("", "", "坏的", "不是电话") + ("",) * 8]
    looked = upload(boss, "/customers/import", write_sheet(CUSTOMERS, sheet))
    assert "1 row cannot be added, so none is" in looked.text
    kept = looked.text.split("/customers/import/")[1].split("/")[0]
    reasons = boss.get(f"/customers/import/{kept}/reasons.xlsx")
    assert read_sheet(CUSTOMERS, reasons.body) == sheet
    assert b"cannot be a telephone number" in unzipped(reasons.body)
    assert shop.post(boss, f"/customers/import/{kept}").status == 409
    assert count(shop) == 0


def unzipped(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        return b"".join(parts.read(name) for name in parts.namelist())


def test_the_first_column_that_differs_is_named(shop: Shop) -> None:
    wrong = Layout("客户", "Customers", (CUSTOMERS.columns[0], CUSTOMERS.columns[2]))
    answer = upload(shop.browser("boss"), "/customers/import", write_sheet(wrong, []))
    assert answer.status == 400 and "Column B" in answer.text and "客户类别" in answer.text
    assert ("import_customers", "refused", "boss", "") in shop.branch.operations()
    assert upload(shop.browser("boss"), "/customers/import", b"name,number").status == 400


def test_an_undo_takes_out_what_came_in_but_not_what_was_changed(shop: Shop) -> None:
    boss = shop.browser("boss")
    shop.customer("原有", "13900139000")
    looked = upload(boss, "/customers/import", rows("甲", "乙", "丙"))
    import_path = f"/customers/import/{import_id(looked, 'customers')}"
    assert shop.post(boss, import_path).status == 303
    assert shop.post(boss, import_path).status == 404  # confirmed once
    page = "/customers/" + shop.db.execute("SELECT id FROM customers WHERE name = '乙'").fetchone()[0]
    assert shop.post(boss, page, name="乙二", numbers="13800138000", revision="1").status == 303
    undone = shop.post(boss, "/customers/import/undo")
    assert undone.headers["Location"] == "/customers/import?removed=2&kept=1"
    assert {row[0] for row in shop.db.execute("SELECT name FROM customers")} == {"原有", "乙二"}
    assert shop.post(boss, "/customers/import/undo").status == 404


def test_a_box_that_stopped_in_the_middle(shop: Shop) -> None:
    kept = imports.keep_file(shop.db, "customers", "u", b"", 2, shop.now)
    made = [lambda: shop.db.execute("SELECT 1")] * imports.BATCH

    def fail() -> None:
        raise RuntimeError("power")

    with pytest.raises(RuntimeError):
        imports.add_all(shop.db, kept, [*made, fail], BY, shop.now)
    assert shop.db.execute("SELECT state FROM imports").fetchone()[0] == "undone"
    shop.customer("半个", "13800138000")
    shop.db.execute("UPDATE imports SET state = 'adding'")
    shop.db.execute("UPDATE customers SET import_id = ?", (kept.id,))
    imports.finish_undone(shop.db, shop.now)
    assert count(shop) == count(shop, "customer_numbers") == 0
    shop.db.execute("INSERT INTO customers_search (customers_search) VALUES ('integrity-check')")


def test_who_does_not_see_all_becomes_the_author(shop: Shop) -> None:
    fill(shop)
    boss, ann = shop.browser("boss"), shop.browser("ann")
    content = boss.get("/communications/export.xlsx").body
    shop.db.execute("DELETE FROM communications")
    looked = upload(ann, "/communications/import", content)
    assert shop.post(ann, f"/communications/import/{import_id(looked, 'communications')}").status == 303
    found = shop.db.execute(
        "SELECT DISTINCT creator_number, call_id, from_popup FROM communications"
    ).fetchall()
    assert [tuple(row) for row in found] == [("ann", None, 0)]


def test_anothers_upload_is_not_there(shop: Shop) -> None:
    looked = upload(shop.browser("boss"), "/customers/import", rows("甲"))
    path = f"/customers/import/{import_id(looked, 'customers')}"
    chief = shop.browser("chief")
    assert shop.post(chief, path).status == chief.get(f"{path}/reasons.xlsx").status == 404


def test_an_id_that_is_there_or_stands_twice(shop: Shop) -> None:
    made = shop.customer("王", "13800138000")
    boss = shop.browser("boss")
    sheet = [(one, "", "x", "13800138000") + ("",) * 8 for one in (made.id, "new-1", "new-1", "bad id")]
    text = upload(boss, "/customers/import", write_sheet(CUSTOMERS, sheet)).text
    assert "3 rows cannot be added" in text
    for words in ("with this id already", "stands twice", "id cannot be read"):
        assert words in text


@pytest.mark.parametrize(
    ("path", "length", "more", "status"),
    [
        ("/log-in", str(MOST_BODY_BYTES), {}, "200"),
        ("/log-in", str(MOST_BODY_BYTES + 1), {}, "413"),
        ("/customers/import", str(MOST_BODY_BYTES + 1), {}, "200"),
        ("/customers/import", str(10**9), {}, "413"),
        ("/log-in", "", {"HTTP_TRANSFER_ENCODING": "chunked"}, "413"),
        ("/log-in", "-1", {}, "413"),
        ("/lines", "", {}, "200"),
    ],
)
def test_only_sheets_may_be_large(path: str, length: str, more: dict[str, str], status: str) -> None:
    said: list[str] = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return []

    environ = {"PATH_INFO": path, "CONTENT_LENGTH": length} | more
    small_bodies(app)(environ, lambda line, headers: said.append(line.split()[0]))
    assert said == [status]
