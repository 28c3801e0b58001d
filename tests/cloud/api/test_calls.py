"""What people put on calls, over the API; and one call that is not sent twice to who has it."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from cloud.store.database import read
from cloud.store.schema import access_log
from tests.cloud.house import House


def send(house: House, client: TestClient, method: str, path: str, body: object, if_match: str = "") -> Any:
    headers = {"X-CSRF-Token": house.csrf_token(client)} | ({"If-Match": if_match} if if_match else {})
    return client.request(method, f"/api/v1/calls/{path}", json=body, headers=headers)


def said(client: TestClient, call_id: str) -> Any:
    return client.get(f"/api/v1/calls/{call_id}/notes").json()


def test_a_call_is_sent_again_when_something_of_it_has_arrived(house: House) -> None:
    client, call_id = house.visitor("manager"), house.add_call()
    first = client.get(f"/api/v1/calls/{call_id}")
    again = client.get(f"/api/v1/calls/{call_id}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    house.add_recording(call_id, b"fLaC")
    later = client.get(f"/api/v1/calls/{call_id}", headers={"If-None-Match": first.headers["etag"]})
    assert later.status_code == 200 and later.json()["recordings"][0]["state"] == "stored"


def test_notes_are_written_anew_by_who_saw_them_last(house: House) -> None:
    client, call_id = house.visitor("manager"), house.add_call()
    made = send(house, client, "POST", f"{call_id}/notes", {"text": "call back"})
    (note,) = said(client, call_id)["notes"]
    assert made.status_code == 201 and (note["id"], note["text"]) == (made.json()["id"], "call back")
    path = f"{call_id}/notes/{note['id']}"
    assert send(house, client, "PUT", path, {"text": "x"}).status_code == 428
    assert send(house, client, "PUT", path, {"text": "done"}, note["etag"]).status_code == 200
    assert send(house, client, "PUT", path, {"text": "too late"}, note["etag"]).status_code == 412
    (now,) = said(client, call_id)["notes"]
    assert (now["version"], now["text"], now["before"][0]["text"]) == (2, "done", "call back")
    assert (
        send(
            house, client, "PUT", f"{call_id}/notes/none", {"text": "x"}, '"none.1.' + "0" * 16 + '"'
        ).status_code
        == 404
    )


def test_a_note_that_is_masked_is_written_anew_by_nobody(house: House) -> None:
    client, call_id = house.visitor("manager"), house.add_call()
    note_id = house.add_note(call_id, "回电 13800138000")
    (note,) = said(client, call_id)["notes"]
    assert "13800138000" not in str(note) and note["is_whole"] is False
    refused = send(house, client, "PUT", f"{call_id}/notes/{note_id}", {"text": note["text"]}, note["etag"])
    assert refused.status_code == 403
    with read(house.parts.engine) as db:
        *_, row = db.execute(access_log.select().order_by(access_log.c.seq)).mappings()
    assert (row["result"], row["reason"], row["object_id"]) == ("refused", "masked", note_id)


def test_star_tags_and_reports(house: House) -> None:
    client, call_id = house.visitor("manager"), house.add_call()
    assert send(house, client, "POST", f"{call_id}/star", {"on": True}).status_code == 204
    assert send(house, client, "POST", f"{call_id}/tags", {"tags": ["vip", "投诉"]}).status_code == 204
    made = send(house, client, "POST", f"{call_id}/reports", {"text": "wrong number"})
    found = said(client, call_id)
    assert (found["star"], found["tags"], found["reports"][0]["id"]) == (
        True,
        ["vip", "投诉"],
        made.json()["id"],
    )
    send(house, client, "POST", f"{call_id}/star", {"on": False})
    send(house, client, "POST", f"{call_id}/tags", {"tags": []})
    assert (said(client, call_id)["star"], said(client, call_id)["tags"]) == (False, [])


def test_what_cannot_be_put_on_a_call(house: House) -> None:
    client, call_id = house.visitor("manager"), house.add_call()
    for path, body, status in (
        ("notes", {"text": " "}, 422),
        ("notes", {"text": "x" * 4001}, 422),
        ("reports", {"text": "x" * 1001}, 422),
        ("tags", {"tags": ["x" * 25]}, 422),
        ("tags", {"tags": ["x"] * 11}, 422),
        ("star", {"on": "perhaps"}, 422),
        ("star", {}, 422),
    ):
        assert send(house, client, "POST", f"{call_id}/{path}", body).status_code == status, (path, body)
    assert send(house, client, "POST", "none/star", {"on": True}).status_code == 404
