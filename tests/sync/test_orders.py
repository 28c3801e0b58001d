"""Orders: where each stands in its sequence, whose signature holds, what of a receipt is believed."""

from __future__ import annotations

import base64
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud import pki
from sync.events import GoneFact, OrderAnswered
from sync.keys import DeviceKey
from sync.order_signing import OrderKey, checked
from sync.orders import (
    DELETE,
    HOLD,
    MAX_ORDER_BYTES,
    RETENTION,
    Order,
    OrderError,
    Place,
    Signed,
    Taken,
    Where,
    fault_of,
    pack,
    place_of,
    read_order,
    receipt_holds,
    signed_receipt,
    unpack_down,
    unpack_taken,
)
from tests.sync.station import AT, BOX

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
ID = "0192f1de-7a3c-7000-8000-000000000001"
ORDER = Order(box=BOX, n=5, after=4, id=ID, kind=HOLD, call_id=ID, reason="case 7", by="wang", at=AT)
GONE = (GoneFact(ID, "ab" * 32, 9, "cd" * 32),)
RECEIPT = OrderAnswered(ID, 5, DELETE, "done", "done", AT, AT, "case 7", "wang", "li", ID, gone=GONE)
DELETION = msgspec.structs.replace(ORDER, kind=DELETE, approved_by="li")
DAYS = msgspec.structs.replace(ORDER, kind=RETENTION, call_id=None, days={"missed": 30}, approved_by="li")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation's certificates, in force around NOW."""
    folder = tmp_path_factory.mktemp("pki")
    life = pki.Validity.days(NOW - timedelta(days=1), 30)
    pki.make_ca(folder, life)
    pki.make_server(folder, ["localhost"], life)
    pki.make_head_office(folder, life)
    pki.make_head_office(folder, life, 2)
    pki.make_box(folder, BOX, life)
    return folder


def key_of(folder: Path, name: str) -> OrderKey:
    pair = pki.pair_of(folder, name)
    return OrderKey.read(pair.cert, pair.key)


def code_of(signed: Signed, folder: Path, now: datetime = NOW) -> str:
    with pytest.raises(OrderError) as refused:
        checked(signed, (folder / "ca.pem").read_bytes(), now)
    return refused.value.code


@pytest.mark.parametrize("worker", ["head-office", "head-office.2"])
def test_what_head_office_signed_is_believed(authority: Path, worker: str) -> None:
    travels = pack(key_of(authority, worker).sign(ORDER))
    signed = unpack_down(travels)
    assert isinstance(signed, Signed)
    assert checked(signed, (authority / "ca.pem").read_bytes(), NOW) == ORDER


@pytest.mark.parametrize("name", ["server", BOX, f"{BOX}.b", "ca"])
def test_nobody_else_of_the_installation_gives_orders(authority: Path, name: str) -> None:
    assert code_of(key_of(authority, name).sign(ORDER), authority) == "wrong_certificate"


def test_a_head_office_of_another_installation_gives_no_orders(authority: Path, tmp_path: Path) -> None:
    life = pki.Validity.days(NOW - timedelta(days=1), 30)
    pki.make_ca(tmp_path, life)
    pki.make_head_office(tmp_path, life)
    signed = key_of(tmp_path, "head-office").sign(ORDER)
    assert code_of(signed, authority) == "wrong_certificate"
    ours = key_of(authority, "head-office").sign(ORDER)
    mixed = msgspec.structs.replace(signed, cert=ours.cert)
    assert code_of(mixed, authority) == "wrong_signature"


@pytest.mark.parametrize("days", [-2, 31])
def test_a_certificate_counts_only_while_it_holds(authority: Path, days: int) -> None:
    signed = key_of(authority, "head-office").sign(ORDER)
    assert code_of(signed, authority, NOW + timedelta(days=days)) == "wrong_certificate"


@given(st.data())
def test_any_bit_that_is_altered_is_noticed(authority: Path, data: st.DataObject) -> None:
    signed = key_of(authority, "head-office").sign(DELETION)
    body = bytearray(bytes(signed.body))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= 1 << data.draw(st.integers(0, 7))
    altered = msgspec.structs.replace(signed, body=msgspec.Raw(bytes(body)))
    assert code_of(altered, authority) == "wrong_signature"


@pytest.mark.parametrize("cert", ["", "!", base64.b64encode(b"x").decode()])
def test_what_is_no_certificate_is_refused(authority: Path, cert: str) -> None:
    signed = msgspec.structs.replace(key_of(authority, "head-office").sign(ORDER), cert=cert)
    assert code_of(signed, authority) == "wrong_certificate"


PLACES = [
    (5, 4, 4, False, Place.NEXT),
    (5, 4, 3, False, Place.EARLY),
    (5, 4, 5, False, Place.NUMBER_TAKEN),
    (5, 4, 9, True, Place.KNOWN),
    (12, 5, 9, False, Place.NEXT),  # head office lost 6 to 11 with a backup
    (12, 5, 9, True, Place.KNOWN),
]


@pytest.mark.parametrize(("n", "after", "upto", "known", "place"), PLACES)
def test_orders_are_taken_in_their_sequence(n: int, after: int, upto: int, known: bool, place: Place) -> None:
    order = msgspec.structs.replace(ORDER, n=n, after=after)
    assert place_of(order, BOX, upto, known) is place


def test_an_order_for_another_box_is_refused_whatever_its_number() -> None:
    for upto in (0, 4, 5, 9):
        for known in (False, True):
            assert place_of(ORDER, "branch-2", upto, known) is Place.WRONG_BOX


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        (ORDER, ""),
        (DELETION, ""),
        (DAYS, ""),
        (msgspec.structs.replace(DELETION, approved_by=""), "not_approved"),
        (msgspec.structs.replace(DELETION, approved_by="wang"), "not_approved"),
        (msgspec.structs.replace(DAYS, approved_by="wang"), "not_approved"),
        (msgspec.structs.replace(ORDER, kind="burn"), "unknown_kind"),
        (msgspec.structs.replace(ORDER, call_id=None), "no_call_named"),
        (msgspec.structs.replace(DAYS, days={}), "bad_days"),
        (msgspec.structs.replace(DAYS, days={"sideways": 3}), "bad_days"),
    ],
)
def test_what_makes_audio_go_takes_two_people(order: Order, fault: str) -> None:
    assert fault_of(order) == fault


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"null",
        b'{"t":"signed"}',
        b'{"t":"taken","upto":-1}',
        b'{"t":"taken","upto":1e999}',
        b'{"t":"taken","upto":1,"refused":[[-1,"x"]]}',
        b"[" * 5000,
        b"\xff",
        b" " * (MAX_ORDER_BYTES + 1),
    ],
)
def test_what_is_no_message_about_orders_is_refused(payload: bytes) -> None:
    for unpack in (unpack_down, unpack_taken, read_order):
        with pytest.raises(OrderError) as refused:
            unpack(payload)
        assert refused.value.code in ("not_an_order", "too_large")


def test_messages_come_back_as_they_went() -> None:
    for taken in (Taken(upto=0), Taken(upto=7, refused=((9, "wrong_box"), (0, "not_an_order")))):
        assert unpack_taken(pack(taken)) == taken
    assert unpack_down(pack(Where())) == Where()


def test_an_order_of_a_later_version_is_refused() -> None:
    later = msgspec.json.encode(msgspec.structs.replace(ORDER, v=2))
    with pytest.raises(OrderError, match="version 2"):
        read_order(later)


def test_a_receipt_is_signed_over_all_it_says() -> None:
    receipt = signed_receipt(RECEIPT, DeviceKey.new())
    assert receipt_holds(receipt)
    for field in fields(receipt):
        was = getattr(receipt, field.name)
        other = {str: "x", int: 7, dict: {"missed": 1}, tuple: ()}[type(was)]
        assert other != was and not receipt_holds(replace(receipt, **{field.name: other})), field.name
    changed = [
        replace(receipt, outcome="refused"),
        replace(receipt, gone=()),
        replace(receipt, key=DeviceKey.new().public),
        replace(receipt, sig=""),
        replace(receipt, sig="no hex"),
        replace(receipt, by="li"),
    ]
    assert not any(receipt_holds(one) for one in changed)
    assert not receipt_holds(signed_receipt(RECEIPT, None))
