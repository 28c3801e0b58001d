"""Calls taken away as a file: what it takes, what stands in it, what the audit says, what is refused."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import Any

import pytest
from httpx import Response
from python_calamine import CalamineWorkbook
from sqlalchemy import func, select
from starlette.testclient import TestClient

from cloud.access.decision import Clarity, Verb
from cloud.access.grants import Place
from cloud.exporting import BATCH, Taken, TooMany, Wanted, take
from cloud.reading import Desk, Found, Look
from cloud.store import trail
from cloud.store.access_tables import access_grant_rows
from cloud.store.database import read
from sync.sheets import CALLS_OF_BRANCHES
from tests.cloud.granting import grant_to
from tests.cloud.house import SOMEBODY, House
from tests.cloud.test_trail import rows as trail_rows
from tests.cloud.verdicts import asking

TAKING = frozenset({Verb.EXPORT})
HEADER = [column.zh for column in CALLS_OF_BRANCHES.columns]


def may_take(house: House, role: str = "manager", **fields: Any) -> TestClient:
    """Somebody with a live grant to take calls away, masked unless `fields` say otherwise."""
    client = house.visitor(role)
    plain = {"verbs": TAKING, "clarity": Clarity.MASKED}
    grant_to(house, client, role, **(plain | fields))
    return client


def export(house: House, client: TestClient, form: str = "csv", /, **fields: Any) -> Response:
    sent = {"form": form, "csrf_token": house.csrf_token(client)} | fields
    return client.post("/calls/export", data=sent)


def csv_rows(answer: Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def sheet_rows(content: bytes) -> list[list[Any]]:
    with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
        return book.get_sheet_by_index(0).to_python()


def last(house: House) -> dict[str, Any]:
    return dict(trail_rows(house.parts.engine)[-1])


def counted(house: House) -> int:
    with read(house.parts.engine) as db:
        return db.execute(select(func.count()).select_from(access_grant_rows)).scalar_one()


@pytest.fixture
def three(house: House) -> list[str]:
    """Three calls of box-01, the newest last."""
    house.add_box("box-01", "Dali")
    texts = ("=HYPERLINK(1)", "王小明", "+86")
    return [
        house.add_call(caller_name=name, started_utc=f"2026-03-02T03:0{minute}:00.000Z")
        for minute, name in enumerate(texts)
    ]


def test_it_takes_a_grant_of_everybody(house: House, three: list[str]) -> None:
    for role in ("agent", "manager", "admin", "regulator", "partner"):
        answer = export(house, house.visitor(role))
        assert answer.status_code == 403 and "/applications/new?kind=calls&amp;actions=export" in answer.text
        row = last(house)
        assert (row["action"], row["kind"], row["reason"], row["row_count"]) == (
            "export",
            "calls",
            "grant",
            0,
        )


def test_csv_is_masked_harmless_signed_and_audited(house: House, three: list[str]) -> None:
    answer = export(house, may_take(house), direction="in")
    header, *rows, signature = csv_rows(answer)
    assert header == HEADER
    assert [row[0] for row in rows] == list(reversed(three))
    newest, middle, _ = rows
    assert newest[1:4] == ["Dali", "2026-03-02 11:02:00", "2"]
    assert {row[7] for row in rows} == {"138****8000"}
    assert middle[8] == "王**" and not any(cell.startswith(("=", "+")) for row in rows for cell in row)
    audit = last(house)
    assert (audit["action"], audit["row_count"]) == ("export", 3)
    assert set(trail.ids_in(audit["ids"])) == set(three) and audit["purpose"] == "quality"
    assert json.loads(audit["query"]) == {"direction": "in", "form": "csv"}
    assert json.loads(audit["grants"]) == ["g1"] and audit["box_id"] == "box-01"
    assert audit["id"] in signature[0] and "3 条" in signature[0] and "质量" in signature[0]
    assert answer.headers["content-disposition"] == 'attachment; filename="calls-2026-03-02-3-rows.csv"'
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_a_sheet_holds_text_only(house: House, three: list[str]) -> None:
    answer = export(house, may_take(house, clarity=Clarity.CLEAR), "xlsx")
    header, *rows, signature = sheet_rows(answer.content)
    assert header == HEADER and [row[8] for row in rows] == ["+86", "王小明", "=HYPERLINK(1)"]
    assert {row[7] for row in rows} == {"13800138000"}
    assert last(house)["id"] in signature[0]
    parts = zipfile.ZipFile(io.BytesIO(answer.content))
    assert "<f>" not in parts.read("xl/worksheets/sheet1.xml").decode()


def test_in_english_the_words_are_english(house: House, three: list[str]) -> None:
    client = may_take(house)
    client.cookies.set("language", "en")
    header, first, *_ = csv_rows(export(house, client))
    assert header[0] == "Call id" and first[5:7] == ["Incoming", "Answered"]


def test_the_ticked_ones_alone(house: House, three: list[str]) -> None:
    answer = export(house, may_take(house), id=[three[0], three[2], three[0]], direction="out")
    assert [row[0] for row in csv_rows(answer)[1:-1]] == [three[2], three[0]]
    assert json.loads(last(house)["query"]) == {"form": "csv", "ticked": "3"}


def test_what_people_put_on_a_call_goes_with_it(house: House, three: list[str]) -> None:
    house.add_note(three[2], "call back")
    client = house.visitor("agent")
    tags = {"tags": "VIP, 回电 13800138000", "csrf_token": house.csrf_token(client)}
    assert client.post(f"/calls/{three[2]}/tags", data=tags).status_code == 303
    recording = house.add_recording(three[2])
    house.add_gap(recording, 0, 8, "overrun")
    newest = csv_rows(export(house, may_take(house)))[1]
    assert newest[-4:] == [recording, "1", "1", "VIP；回电 138****8000"]


REFUSED = [  # what is asked for, the status, and the audit row's reason if there is one
    ({"id": ["no such call"]}, 404, ["not_there"]),
    ({"party": "+++13800*"}, 422, []),
    ({"party": "13800138"}, 403, ["masked"]),
    ({"from": "2020-01-01"}, 403, ["grant"]),
    ({"branch": "box-99"}, 403, ["grant"]),
    ({"id": ["x"] * 501}, 422, []),
    ({"form": "pdf"}, 422, []),
    ({"form": ""}, 422, []),
]


def test_what_is_refused_is_refused_whole(house: House, three: list[str]) -> None:
    boxes = frozenset({"box-01"})
    client = may_take(house, from_utc="2026-03-01T00:00:00.000Z", box_ids=boxes)
    for fields, status, reasons in REFUSED:
        before = len(trail_rows(house.parts.engine))
        answer = export(house, client, **fields)
        assert answer.status_code == status, (fields, answer.text)
        assert [row["reason"] for row in trail_rows(house.parts.engine)[before:]] == reasons, fields
    assert counted(house) == 0


def test_fewer_rows_approved_than_found(house: House, three: list[str]) -> None:
    client = may_take(house, rows=2)
    answer = export(house, client)
    assert answer.status_code == 403 and last(house)["reason"] == "spent" and counted(house) == 0
    assert len(csv_rows(export(house, client, id=three[:2]))) == 4
    assert len(csv_rows(export(house, client, id=three[:2]))) == 4  # the same rows are no new ones
    assert export(house, client, id=three[2:]).status_code == 403 and counted(house) == 2


def test_a_ticked_call_that_was_not_approved_stops_the_whole(house: House, three: list[str]) -> None:
    client = may_take(house, subjects=frozenset(three[:1]))
    answer = export(house, client, id=three)
    assert answer.status_code == 403
    assert last(house)["row_count"] == 0
    assert [row[0] for row in csv_rows(export(house, client))[1:-1]] == three[:1]  # what was approved


def test_another_branch_is_left_out(house: House, three: list[str]) -> None:
    house.add_call(box_id="box-02")
    rows = csv_rows(export(house, may_take(house, box_ids=frozenset({"box-02"}))))
    assert [row[1] for row in rows[1:-1]] == ["box-02"]


def zipped(answer: Response) -> tuple[dict[str, bytes], list[list[Any]]]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return parts, sheet_rows(parts.pop("calls.xlsx"))


def test_recordings_in_a_zip_and_what_has_no_audio(house: House, three: list[str]) -> None:
    heard = house.add_recording(three[0], b"fLaC" + b"x" * 700_000)
    house.add_recording(three[1])
    gone = house.add_recording(three[2], b"fLaC gone")
    with read(house.parts.engine) as db:
        key = db.exec_driver_sql(f"SELECT object_key FROM recordings WHERE id = '{gone}'").scalar_one()
    house.parts.objects.delete(key)
    parts, rows = zipped(export(house, may_take(house), "zip"))
    assert parts == {f"20260302T030000Z-box-01-line2-{heard}.flac": b"fLaC" + b"x" * 700_000}
    assert [row[0] for row in rows[1:4]] == list(reversed(three))
    row = last(house)
    assert (row["action"], row["kind"], row["row_count"]) == ("download", "recordings", 3)
    assert row["id"] in rows[-2][0] and rows[-1][0] == "本文件含 1 段录音；另有 1 段在总部没有音频"


LISTENERS = [
    ("manager", TAKING, 200),
    ("regulator", TAKING, 403),  # may listen by a grant only
    ("regulator", TAKING | {Verb.LISTEN}, 200),
    ("partner", TAKING | {Verb.LISTEN}, 403),  # may never
    ("manager", frozenset({Verb.LISTEN}), 403),
]


def test_a_zip_takes_listening_too(house: House) -> None:
    house.add_recording(house.add_call(), b"fLaC")
    for number, (role, verbs, status) in enumerate(LISTENERS):
        client = may_take(house, role, verbs=verbs, id=f"g{number}")
        assert export(house, client, "zip").status_code == status, (role, verbs)


def test_more_audio_than_a_file_holds(house: House) -> None:
    house.add_recording(house.add_call(), size_bytes=2_000_000_001)
    answer = export(house, may_take(house), "zip")
    assert answer.status_code == 422 and "2 GB" in answer.text
    assert last(house)["reason"] == "too_many"


def test_batches_are_counted_one_by_one_and_told_in_one_row(house: House) -> None:
    ids = [f"c{number}" for number in range(2 * BATCH + 1)]
    sizes: list[int] = []

    def rows(_db: object, batch: Any) -> Found[Any]:
        sizes.append(len(batch))
        return Found(list(batch), [(one, Place(frozenset({one}), "box-01", None, one)) for one in batch])

    taken = Taken()
    wanted = Wanted(ids=lambda _db, _verdict, most: ids[:most], rows=rows, most=len(ids))
    desk = Desk(house.parts.engine, SOMEBODY, house.parts.clock.now())
    given = [row for some, _ in take(desk, [asking("manager")], Look(), wanted, taken) for row in some]
    assert given == ids and sizes == [BATCH, BATCH, 1]
    (row,) = trail_rows(house.parts.engine)
    assert (row["id"], row["row_count"]) == (taken.audit_id, len(ids))
    fewer = Wanted(ids=wanted.ids, rows=rows, most=len(ids) - 1)
    with pytest.raises(TooMany):
        list(take(desk, [asking("manager")], Look(), fewer, Taken()))
    assert last(house)["reason"] == "too_many"
