"""Every happening reaches every hook that wants it: signed, masked for its owner, tried again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cloud.apply import audio_stored, call_ended
from cloud.field_keys import FieldKey, Keyring
from cloud.store import trail, webhooks
from cloud.store.database import read, write
from cloud.store.field_rotation import rotate_batch, rows_left
from cloud.store.migrations.versions.v0090_leases_of_answers import KEY_IDS
from cloud.store.schema import access_log
from cloud.store.webhooks import DELIVERIES, HOOKS, NewHook, secret_place
from cloud.webhooks.attempts import PAUSES_S, State
from cloud.webhooks.delivery import UNSIGNED, WITHHELD, Office
from cloud.webhooks.kinds import CALL_ENDED, RECORDING_STORED
from cloud.webhooks.reach import Reach, read_networks
from cloud.webhooks.sending import new_pool
from cloud.webhooks.signing import DELIVERY, EVENT, SIGNATURE, check_signature
from sync.arriving import Origin
from sync.moment import to_text
from tests.cloud.house import NOON, House
from tests.cloud.webhooks.receiver import Receiver, receiving

NOW_UTC = to_text(NOON)
KEYS = Keyring((FieldKey.new(NOW_UTC),))
SECRET = "told once"
HERE = Reach(read_networks("127.0.0.0/8"))
ORIGIN = Origin("box-01", NOW_UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def office(house: House) -> Office:
    return Office(house.parts.engine, KEYS, new_pool(), HERE)


def add_hook(house: House, url: str, role: str = "admin", *kinds: str) -> str:
    hook_id = f"hook of {role}"
    owner_id = house.add_user(f"{role} of a hook", role)
    sealed = KEYS.seal(SECRET, secret_place(hook_id))
    assert sealed is not None
    with write(house.parts.engine) as db:
        webhooks.add_hook(db, NewHook(hook_id, owner_id, url, kinds or (CALL_ENDED,), sealed), NOW_UTC)
    return hook_id


def happens(house: House, kind: str = CALL_ENDED, **fields: object) -> str:
    call_id = house.add_call(**fields)
    with write(house.parts.engine) as db:
        webhooks.note(db, kind, [call_id], NOW_UTC)
    return call_id


def deliver_all(office: Office, now: datetime) -> int:
    """Rounds until nothing is due; how many deliveries were tried."""
    return sum(iter(lambda: office.deliver(now), 0))


def deliveries(house: House) -> list[dict[str, Any]]:
    with read(house.parts.engine) as db:
        return [dict(row) for row in db.execute(select(DELIVERIES).order_by(DELIVERIES.c.id)).mappings()]


def test_a_call_is_told_signed_and_audited(house: House, office: Office, receiver: Receiver) -> None:
    hook_id = add_hook(house, receiver.url)
    call_id = happens(house)
    assert deliver_all(office, NOON) == 1 and deliver_all(office, NOON) == 0
    ((headers, body),) = receiver.came
    check_signature(SECRET, body, headers[SIGNATURE], int(NOON.timestamp()))
    (row,) = deliveries(house)
    letter = json.loads(body)
    assert (headers[EVENT], headers[DELIVERY]) == (CALL_ENDED, row["id"])
    assert (letter["id"], letter["kind"], letter["at_utc"]) == (row["id"], CALL_ENDED, NOW_UTC)
    assert letter["data"]["id"] == call_id
    assert (row["state"], row["tries"], row["status"], row["fault"]) == (State.DONE, 1, 204, "")
    with read(house.parts.engine) as db:
        (audit,) = db.execute(select(access_log)).mappings()
    assert (audit["channel"], audit["action"], audit["object_id"]) == ("webhook", "export", call_id)
    assert json.loads(audit["query"]) == {"hook": hook_id, "event": CALL_ENDED}
    assert trail.ids_in(audit["ids"]) == (call_id,)


def test_owner_sees_what_the_role_may(house: House, office: Office, receiver: Receiver) -> None:
    add_hook(house, receiver.url, "manager")
    happens(house, caller_number="13800138000")
    deliver_all(office, NOON)
    assert b"13800138000" not in receiver.came[0][1]
    assert json.loads(receiver.came[0][1])["data"]["caller_number"] == "138****8000"


@pytest.mark.parametrize("role", ["partner", "maintainer"])
def test_owner_who_may_not_see_it_is_told_nothing(
    house: House, office: Office, receiver: Receiver, role: str
) -> None:
    add_hook(house, receiver.url, role)
    happens(house)
    deliver_all(office, NOON)
    assert receiver.came == []
    assert [(row["state"], row["fault"]) for row in deliveries(house)] == [(State.DEAD, WITHHELD)]


def test_owner_who_may_no_longer_log_in_is_told_nothing(
    house: House, office: Office, receiver: Receiver
) -> None:
    add_hook(house, receiver.url)
    happens(house)
    house.disable("admin of a hook")
    deliver_all(office, NOON)
    assert receiver.came == []


def test_tried_again_until_it_is_given_up_and_once_more_by_hand(
    house: House, office: Office, receiver: Receiver
) -> None:
    add_hook(house, receiver.url)
    happens(house)
    receiver.statuses = [500] * (len(PAUSES_S) + 1)
    now = NOON
    for pause_s in (*PAUSES_S, 1):
        assert deliver_all(office, now) == 1
        assert deliver_all(office, now + timedelta(seconds=pause_s // 2)) == 0
        now += timedelta(seconds=pause_s * 1.2 + 1)
    (row,) = deliveries(house)
    assert (row["state"], row["tries"], row["status"]) == (State.DEAD, len(PAUSES_S) + 1, 500)
    assert deliver_all(office, now + timedelta(days=9)) == 0
    assert len({body for _, body in receiver.came}) == 1 and len(receiver.came) == len(PAUSES_S) + 1
    with write(house.parts.engine) as db:
        owner_id = db.execute(select(HOOKS.c.owner_id)).scalar_one()
        assert not webhooks.send_again(db, row["id"], "somebody else", to_text(now))
        assert webhooks.send_again(db, row["id"], owner_id, to_text(now))
    assert deliver_all(office, now) == 1
    assert deliveries(house)[0]["state"] == State.DONE


def test_redirection_is_not_followed(house: House, office: Office, receiver: Receiver) -> None:
    add_hook(house, receiver.url)
    happens(house)
    with receiving() as elsewhere:
        receiver.statuses, receiver.location = [307], elsewhere.url
        deliver_all(office, NOON)
        assert elsewhere.came == []
    assert deliveries(house)[0]["state"] == State.WAITING


def test_receiver_that_has_gone_ends_its_hook(house: House, office: Office, receiver: Receiver) -> None:
    add_hook(house, receiver.url)
    for _ in range(2):
        happens(house)
    receiver.statuses = [410, 410]
    deliver_all(office, NOON)
    assert {row["state"] for row in deliveries(house)} == {State.GONE}
    happens(house)
    assert len(deliveries(house)) == 2, "nothing is noted for it any more"


def test_nobody_listens(house: House, office: Office) -> None:
    add_hook(house, "http://127.0.0.1:9/hook")
    happens(house)
    deliver_all(office, NOON)
    (row,) = deliveries(house)
    assert (row["state"], row["status"]) == (State.WAITING, 0) and "refused" in row["fault"]


def test_without_leave_nothing_is_sent_to_this_machine(house: House, receiver: Receiver) -> None:
    add_hook(house, receiver.url)
    happens(house)
    Office(house.parts.engine, KEYS, new_pool()).deliver(NOON)
    (row,) = deliveries(house)
    assert receiver.came == [] and (row["state"], row["status"]) == (State.WAITING, 0)
    assert "127.0.0.1" in row["fault"] and "hook_networks" in row["fault"]


def test_many_at_once_each_once(house: House, office: Office, receiver: Receiver) -> None:
    add_hook(house, receiver.url)
    add_hook(house, receiver.url, "manager")
    for _ in range(70):
        happens(house)
    assert deliver_all(office, NOON) == 140
    assert len({headers[DELIVERY] for headers, _ in receiver.came}) == len(receiver.came) == 140


def test_claimed_by_one_worker_is_not_sent_by_another(house: House) -> None:
    add_hook(house, "http://127.0.0.1:9/hook")
    happens(house)
    later = to_text(NOON + timedelta(minutes=5))
    with write(house.parts.engine) as db:
        assert len(webhooks.claim(db, NOW_UTC, later, 10)) == 1
        assert webhooks.claim(db, NOW_UTC, later, 10) == []
    with write(house.parts.engine) as db:  # that worker has died
        assert len(webhooks.claim(db, later, later, 10)) == 1


def test_a_secret_that_cannot_be_read_holds_up_no_other_hook(house: House, receiver: Receiver) -> None:
    add_hook(house, receiver.url)
    with write(house.parts.engine) as db:
        other = FieldKey.new(NOW_UTC).seal(SECRET, secret_place("lost"))
        owner_id = db.execute(select(HOOKS.c.owner_id)).scalar_one()
        webhooks.add_hook(db, NewHook("lost", owner_id, receiver.url, (CALL_ENDED,), other), NOW_UTC)
    happens(house)
    assert Office(house.parts.engine, KEYS, new_pool(), HERE).deliver(NOON) == 2
    assert len(receiver.came) == 1
    assert sorted((row["state"], row["fault"]) for row in deliveries(house)) == [
        (State.DONE, ""),
        (State.WAITING, UNSIGNED),
    ]


def test_secret_is_not_in_the_database(house: House) -> None:
    add_hook(house, "https://example.invalid/hook")
    with read(house.parts.engine) as db:
        sealed = db.execute(select(HOOKS.c.secret)).scalar_one()
    assert SECRET.encode() not in bytes(sealed)
    assert KEYS.open(bytes(sealed), secret_place("hook of admin")) == SECRET


def test_secret_outlives_the_key_it_was_sealed_with(house: House, receiver: Receiver) -> None:
    add_hook(house, receiver.url)
    happens(house)
    newest = FieldKey.new(NOW_UTC)
    both = Keyring((*KEYS.keys, newest))
    assert rows_left(house.parts.engine, both) == 1
    assert rotate_batch(house.parts.engine, both) == 1 and rotate_batch(house.parts.engine, both) == 0
    assert rows_left(house.parts.engine, both) == 0
    Office(house.parts.engine, Keyring((newest,)), new_pool(), HERE).deliver(NOON)
    ((headers, body),) = receiver.came
    check_signature(SECRET, body, headers[SIGNATURE], int(NOON.timestamp()))


def test_the_key_of_a_hook_that_was_there_before_is_found_by_the_migration(house: House) -> None:
    add_hook(house, "https://example.invalid/hook")
    with write(house.parts.engine) as db:
        db.execute(HOOKS.update().values(key_id=""))
        db.exec_driver_sql(KEY_IDS[db.dialect.name])
        assert db.execute(select(HOOKS.c.key_id)).scalar_one() == KEYS.active.id


def test_audio_that_arrives_is_told_of(house: House, office: Office, receiver: Receiver) -> None:
    add_hook(house, receiver.url, "admin", RECORDING_STORED)
    recording_id = house.add_recording(house.add_call(), sha256="ab" * 32)
    with write(house.parts.engine) as db:
        call_ended(db, [])
        audio_stored(db, ORIGIN, "of another recording", "ab" * 32, "key")
        audio_stored(db, ORIGIN, recording_id, "ab" * 32, "key")
    assert deliver_all(office, NOON) == 1
    assert json.loads(receiver.came[0][1])["data"]["recordings"][0]["state"] == "stored"
