"""Notes, stars, tags and reports on calls: who, which version, what is masked, what finds them again."""

from __future__ import annotations

import re

import pytest
from httpx import Response
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.calls.facets import AUDIO
from cloud.store.call_tables import call_flags, call_notes, call_reports
from cloud.store.database import read, write
from cloud.store.schema import calls, trail
from tests.cloud.house import House


def post(house: House, client: TestClient, path: str, **form: str) -> Response:
    return client.post(path, data={**form, "csrf_token": house.csrf_token(client)})


def found(client: TestClient, **query: str) -> set[str]:
    return {call["id"] for call in client.get("/api/v1/calls", params=query).json()["calls"]}


def english(house: House, role: str) -> TestClient:
    client = house.visitor(role)
    client.cookies.set("language", "en")
    return client


def test_a_note_is_written_read_and_found(house: House) -> None:
    call, other = house.add_call(), house.add_call()
    client = english(house, "agent")
    answer = post(house, client, f"/calls/{call}/notes", text=" Call back\n<b>tomorrow</b> ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/calls/{call}#notes")
    text = client.get(f"/calls/{call}").text
    assert "Call back\n&lt;b&gt;tomorrow&lt;/b&gt;" in text and "agent " in text
    assert found(client, mark="note") == {call} and other not in found(client, mark="note")


def test_a_note_keeps_every_version_and_who_wrote_it(house: House) -> None:
    call = house.add_call()
    first, second = english(house, "agent"), english(house, "manager")
    post(house, first, f"/calls/{call}/notes", text="one")
    note = house_notes(house)[0]
    assert (
        post(house, second, f"/calls/{call}/notes", text="two", note_id=note["id"], seen="1").status_code
        == 303
    )
    late = post(house, first, f"/calls/{call}/notes", text="three", note_id=note["id"], seen="1")
    assert late.status_code == 409 and "meanwhile" in late.text
    versions = house_notes(house)
    assert [(one["version"], one["text"]) for one in versions] == [(1, "one"), (2, "two")]
    assert versions[0]["by_name"] != versions[1]["by_name"]
    page = first.get(f"/calls/{call}").text
    assert page.index("two") < page.index("Earlier versions") < page.index("one</p>")


@pytest.mark.parametrize("seen", ["0", "2", "x", "-1", "9" * 50])
def test_a_version_nobody_has_seen_is_not_written_over(house: House, seen: str) -> None:
    call = house.add_call()
    note = house.add_note(call, "one")
    answer = post(house, house.visitor("agent"), f"/calls/{call}/notes", text="x", note_id=note, seen=seen)
    assert answer.status_code == 409 and len(house_notes(house)) == 1


def test_a_note_of_another_call_cannot_be_changed_through_this_one(house: House) -> None:
    note = house.add_note(house.add_call(), "one")
    answer = post(
        house, house.visitor("agent"), f"/calls/{house.add_call()}/notes", text="x", note_id=note, seen="1"
    )
    assert answer.status_code == 409


def test_a_number_in_a_note_is_masked_and_the_note_cannot_be_lost_by_saving_its_mask(house: House) -> None:
    call = house.add_call()
    house.add_note(call, "ring 13912345678")
    house.add_note(call, "nothing private")
    page = house.visitor("agent").get(f"/calls/{call}").text
    assert "139****5678" in page and "13912345678" not in page
    assert page.count('name="note_id"') == 1  # of the one that is shown whole


def test_star_and_tags_are_found_and_taken_off(house: House) -> None:
    call = house.add_call()
    client = english(house, "agent")
    post(house, client, f"/calls/{call}/star", on="1")
    post(house, client, f"/calls/{call}/tags", tags="VIP，投诉")
    assert (
        found(client, mark="star")
        == found(client, tag="VIP")
        == found(client, tag="投诉", mark="star")
        == {call}
    )
    assert '<a class="tag" href="/calls?tag=VIP">VIP</a>' in client.get(f"/calls/{call}").text
    post(house, client, f"/calls/{call}/star")
    post(house, client, f"/calls/{call}/tags", tags="投诉")
    assert found(client, mark="star") == found(client, tag="VIP") == set()
    with read(house.parts.engine) as db:
        assert db.execute(select(call_flags.c.flag)).scalars().all() == ["tag:投诉"]


def test_a_flag_knows_its_call_and_follows_it(house: House) -> None:
    call = house.add_call(duration_ms=6_000)
    known = select(call_flags.c.facet, call_flags.c.duration_ms)
    post(house, english(house, "agent"), f"/calls/{call}/star", on="1")
    with read(house.parts.engine) as db:
        before = db.execute(known).all()
        assert before == db.execute(select(calls.c.facet, calls.c.duration_ms)).all() != [(0, 0)]
    house.add_recording(call, b"fLaC")
    with read(house.parts.engine) as db:
        ((facet, _),) = before
        assert db.execute(known).all() == [(facet | AUDIO, 6_000)]
    with write(house.parts.engine) as db:
        db.execute(calls.update().values(duration_ms=7_000))
        assert db.execute(known).all() == [(facet | AUDIO, 7_000)]


def test_a_report_is_taken_answered_and_counted_and_not_by_who_made_it(house: House) -> None:
    call = house.add_call()
    maker, settler = english(house, "manager"), english(house, "manager")
    post(house, maker, f"/calls/{call}/report", text="it was not a missed call")
    (report,) = rows(house)
    path = f"/reports/{report['id']}"
    assert found(maker, mark="report") == {call}
    assert post(house, maker, path, step="take").status_code == 409
    assert post(house, settler, path, step="answer", text="x").status_code == 409  # not taken yet
    assert post(house, settler, path, step="take").status_code == 303
    assert post(house, settler, path, step="take").status_code == 409
    page = settler.get("/reports?state=looked_into").text
    assert "it was not a missed call" in page and 'name="step" value="answer"' in page
    assert 'name="step" value="answer"' not in maker.get("/reports?state=looked_into").text
    assert post(house, settler, path, step="answer", text="corrected: the line was lost").status_code == 303
    assert counts(maker) == [0, 0, 1]
    assert "corrected: the line was lost" in maker.get(f"/calls/{call}").text
    assert post(house, maker, path, step="reopen", text="not so").status_code == 303
    assert counts(maker) == [1, 0, 0] and rows(house)[0]["assigned_to"] is None


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/calls/{call}/notes", {"text": "  "}, 422),
        ("/calls/{call}/notes", {"text": "x" * 4001}, 422),
        ("/calls/{call}/tags", {"tags": "x" * 25}, 422),
        ("/calls/{call}/report", {"text": ""}, 422),
        ("/calls/{call}/report", {"text": "x" * 1001}, 422),
        ("/calls/nowhere/notes", {"text": "x"}, 404),
        ("/reports/nowhere", {"step": "take"}, 404),
        ("/reports/{report}", {"step": "destroy"}, 409),
        ("/reports/{report}", {"step": "take", "text": "x" * 1001}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    house: House, path: str, form: dict[str, str], status: int
) -> None:
    call = house.add_call()
    made = house.add_report(call)
    answer = post(house, house.visitor("manager"), path.format(call=call, report=made), **form)
    assert answer.status_code == status
    assert house_notes(house) == [] and [row["state"] for row in rows(house)] == ["open"]


def test_without_the_right_there_is_nothing_to_press_and_nothing_happens(house: House) -> None:
    call = house.add_call()
    client = house.visitor("approver_1")
    page = client.get(f"/calls/{call}").text
    assert "<textarea" not in page and f"/calls/{call}/star" not in page
    assert post(house, client, f"/calls/{call}/notes", text="x").status_code == 403
    assert client.get("/reports").status_code == 403


def test_the_audit_says_that_something_was_put_on_a_call_and_not_what(house: House) -> None:
    call = house.add_call()
    client = house.visitor("agent")
    post(house, client, f"/calls/{call}/notes", text="ring 13912345678")
    with read(house.parts.engine) as db:
        row = db.execute(select(trail.log).where(trail.log.c.action == "update")).mappings().one()
    assert (row["object_id"], row["kind"]) == (call, "calls") and "13912345678" not in str(dict(row))


def house_notes(house: House) -> list[dict[str, object]]:
    with read(house.parts.engine) as db:
        query = select(call_notes).order_by(call_notes.c.id, call_notes.c.version)
        return [dict(row) for row in db.execute(query).mappings()]


def rows(house: House) -> list[dict[str, object]]:
    with read(house.parts.engine) as db:
        return [dict(row) for row in db.execute(select(call_reports)).mappings()]


def counts(client: TestClient) -> list[int]:
    return [int(one) for one in re.findall(r"<b>(\d+)</b></a>", client.get("/reports").text)]
