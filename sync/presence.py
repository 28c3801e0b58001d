"""Presence: which connection of a box is the present one, and whether two boxes use one identity.

    birth   retained, said once head office has welcomed the box      nonce, boot, epoch ...
    death   retained, the connection's will, and said on going        nonce

The nonce is of one connection: a death that names another is stale. The boot is the machine's since it was
switched on, the epoch its database's: either changes now and then, but one that another has followed never
comes back, unless two boxes take turns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from sync.envelope import EnvelopeError, EpochText, Moment, Name, canonical
from sync.messages import Count, Message, Nonce, Text

MOST_BEFORE = 64  # boots and epochs remembered
TWO_BOXES = "two_boxes"  # why a box is held back
MAX_BYTES = 4096


class Birth(Message, frozen=True, kw_only=True):
    """A box is here, and this is what it is."""

    nonce: Nonce
    boot: Annotated[str, msgspec.Meta(pattern="^[0-9a-f-]{1,40}$")]
    epoch: EpochText
    at: Moment  # by the box's clock
    heads: dict[Name, Count]
    version: Text = ""
    free_bytes: Count = 0
    clock: Name = "unknown"


class Death(Message, frozen=True, kw_only=True):
    """The connection with this nonce has ended."""

    nonce: Nonce


class NotPresence(EnvelopeError):
    """Neither a birth nor a death."""

    code = "not_presence"


_decoder: msgspec.json.Decoder[Birth | Death] = msgspec.json.Decoder(Birth | Death)


def pack(message: Birth | Death) -> bytes:
    """Its canonical JSON."""
    return canonical(message)


def unpack(payload: bytes) -> Birth | Death:
    """The birth or death in `payload`; NotPresence if it is neither."""
    if len(payload) > MAX_BYTES:
        raise NotPresence(f"at most {MAX_BYTES} bytes, got {len(payload)}")
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotPresence(str(error)) from None


@dataclass(frozen=True, slots=True)
class Seen:
    """What head office knows of a box's presence."""

    online: bool
    since_utc: str
    nonce: str
    mark: tuple[str, str]  # boot, epoch
    before: tuple[str, ...] = ()  # boots and epochs that another has followed
    held: str | None = None  # why nothing is taken from it


def born(was: Seen | None, birth: Birth, now_utc: str) -> Seen:
    """After a birth. One that is known already, as after our own restart, changes nothing."""
    if was is not None and was.nonce == birth.nonce:
        return was
    mark = (birth.boot, birth.epoch)
    if was is None:
        return Seen(True, now_utc, birth.nonce, mark)
    left = tuple(old for old, new in zip(was.mark, mark, strict=True) if old and old != new)
    before = tuple(dict.fromkeys((*was.before, *left)))[-MOST_BEFORE:]
    back = any(one in was.before for one in mark)
    return Seen(True, now_utc, birth.nonce, mark, before, TWO_BOXES if back else was.held)


def died(was: Seen | None, death: Death, now_utc: str) -> Seen | None:
    """After a death; that of an earlier connection changes nothing."""
    if was is None or was.nonce != death.nonce or not was.online:
        return was
    return replace(was, online=False, since_utc=now_utc)


def released(was: Seen) -> Seen:
    """A person says that there is only one box: begin to watch anew."""
    return replace(was, mark=("", ""), before=(), held=None)
