"""Orders: what head office has a box do with what it keeps, and what each end makes of the other's word.

    order     canonical JSON {"after":..,"approved_by":..,"at":..,"box":..,"by":..,"call_id":..,"days":{..},
                              "id":"<UUIDv7>","kind":"hold","n":12,"reason":..,"v":1}
    signed    {"body":{order},"cert":"<DER, base64>","sig":"<hex>","t":"signed"}      channel c, down
    where     {"t":"where"}: how far are you?                                         channel c, down
    taken     {"refused":[[9,"wrong_box"]],"t":"taken","upto":12}                    channel r, up
    receipt   an entry `order_answered` in stream crit, signed with the box's key

Orders of a box are numbered; each names the number before it (`after`), so that none is taken while an
earlier one is on its way, and numbers that head office lost with a backup keep no later one from being taken.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

from sync.envelope import Hash, Moment, Name, Seq, Uuid, canonical
from sync.events import OrderAnswered
from sync.keys import DeviceKey, signature_holds
from sync.messages import Count, Message

VERSION = 1
MAX_ORDER_BYTES = 12_000
MOST_REFUSED = 64
MOST_DAYS = 36_500
NOT_READ = 0  # the number of an order that could not be read

# What an order can be of; what a later head office orders beyond these is answered with `unknown_kind`.
HOLD, RELEASE, DELETE, RETENTION = "hold", "release_hold", "delete_recording", "retention"
DELETE_CALL = "delete_call"  # its audio, and everything that says who spoke
KINDS = (HOLD, RELEASE, DELETE, DELETE_CALL, RETENTION)
TAKES_TWO = frozenset({DELETE, DELETE_CALL, RETENTION})  # ordered by one person, approved by another
CLASSES = ("in", "out", "missed", "voicemail", "unknown")  # of calls, for `days`

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Who = Annotated[str, msgspec.Meta(max_length=100)]
Days = Annotated[int, msgspec.Meta(ge=0, le=MOST_DAYS)]


_Said = TypeVar("_Said")


class OrderError(ValueError):
    """Not an order that can be believed; `code` says why, to head office."""

    def __init__(self, code: str, says: str) -> None:
        self.code = code
        super().__init__(says)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a box is to do; unknown fields are passed over."""

    v: int = VERSION
    box: Annotated[str, msgspec.Meta(max_length=64)]
    n: Seq
    after: Count  # the number before it, as far as head office knows; 0: none
    id: Uuid
    kind: Name
    call_id: Uuid | None = None
    days: dict[Name, Days] = {}  # of `retention`: per class of calls; 0: for ever
    reason: Reason
    by: Who
    approved_by: Who = ""
    at: Moment


class Signed(Message, frozen=True, kw_only=True):
    """An order with head office's signature, which is over the bytes of the order as they came."""

    body: msgspec.Raw
    cert: Annotated[str, msgspec.Meta(max_length=8000)]
    sig: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16,600}$")]


class Where(Message, frozen=True, kw_only=True):
    """Head office has just started and asks a box how far its orders go; answered by `Taken`."""


class Taken(Message, frozen=True, kw_only=True):
    """Every order up to `upto` is in the box's database; those in `refused` are not, and why."""

    upto: Count
    refused: Annotated[tuple[tuple[Count, Name], ...], msgspec.Meta(max_length=MOST_REFUSED)] = ()


class Place(StrEnum):
    """Where an order stands in the sequence of the box that gets it."""

    NEXT = "next"
    KNOWN = "replayed"  # it is here: nothing is done again
    EARLY = "early"  # one before it is still on its way
    WRONG_BOX = "wrong_box"
    NUMBER_TAKEN = "number_taken"  # another order has this number


def place_of(order: Order, box_id: str, upto: int, known: bool) -> Place:
    """What becomes of an order at a box that has all `upto`; `known`: this one too, under some number."""
    if order.box != box_id:
        return Place.WRONG_BOX
    if known:
        return Place.KNOWN
    if order.n <= upto:
        return Place.NUMBER_TAKEN
    return Place.NEXT if order.after <= upto else Place.EARLY


def fault_of(order: Order) -> str:
    """Why an order is not one to carry out, as a code; "" if it is."""
    if order.kind not in KINDS:
        return "unknown_kind"
    if order.kind in TAKES_TWO and order.approved_by in ("", order.by):
        return "not_approved"
    if order.kind == RETENTION:
        return "" if order.days and set(order.days) <= set(CLASSES) else "bad_days"
    return "" if order.call_id else "no_call_named"


def pack(message: Signed | Where | Taken) -> bytes:
    """A message as it travels."""
    return canonical(message)


def unpack_down(payload: bytes) -> Signed | Where:
    """What head office says on channel c; OrderError `not_an_order`."""
    return _unpacked(_down, payload)


def unpack_taken(payload: bytes) -> Taken:
    """What a box says on channel r; OrderError `not_an_order`."""
    return _unpacked(_taken, payload)


def read_order(body: bytes) -> Order:
    """The order in signed bytes; OrderError."""
    order = _unpacked(_order, body)
    if order.v != VERSION:
        raise OrderError("wrong_version", f"order version {order.v}, this side speaks {VERSION}")
    return order


def _unpacked(decoder: msgspec.json.Decoder[_Said], payload: bytes) -> _Said:
    if len(payload) > MAX_ORDER_BYTES:
        raise OrderError("too_large", f"an order has at most {MAX_ORDER_BYTES} bytes, got {len(payload)}")
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderError("not_an_order", f"nothing about orders: {error}") from None


# -- receipts


def signed_receipt(receipt: OrderAnswered, key: DeviceKey | None) -> OrderAnswered:
    """The receipt with the box's signature; without a key it goes unsigned, and head office says so."""
    if key is None:
        return receipt
    named = replace(receipt, key=key.public, sig="")
    return replace(named, sig=key.sign(_receipt_message(named)).hex())


def receipt_holds(receipt: OrderAnswered) -> bool:
    """Whether a receipt is signed with the key it names."""
    try:
        sig = bytes.fromhex(receipt.sig)
    except ValueError:
        return False
    return signature_holds(receipt.key, _receipt_message(replace(receipt, sig="")), sig)


def _receipt_message(receipt: OrderAnswered) -> bytes:
    h: Hash = hashlib.sha256(canonical(receipt)).hexdigest()
    return f"branchline receipt {VERSION}\n{h}\n".encode()


_down: msgspec.json.Decoder[Signed | Where] = msgspec.json.Decoder(Signed | Where)
_taken = msgspec.json.Decoder(Taken)
_order = msgspec.json.Decoder(Order)
