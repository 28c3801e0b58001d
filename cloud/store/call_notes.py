"""What people put on calls: notes in versions, a star, tags; and the flags by which lists find them.

NoteChanged      somebody wrote a version in between
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, select

from cloud.access.log import Actor
from cloud.calls.flags import NOTE, tag_flag
from cloud.store.call_tables import call_flags, call_notes
from cloud.store.schema import calls
from sync.ids import new_id

_TAG = tag_flag("")


class NoteChanged(ValueError):
    """The note has another version than the writer saw, or is of another call."""


@dataclass(frozen=True, slots=True)
class Call:
    """The call that something is put on."""

    id: str
    box_id: str
    started_utc: str


def notes_of(db: Connection, call_id: str) -> Sequence[RowMapping]:
    """Every version of every note of that call, in the order they were begun, the newest version first."""
    query = select(call_notes).where(call_notes.c.call_id == call_id)
    return db.execute(query.order_by(call_notes.c.id, call_notes.c.version.desc())).mappings().all()


def flags_of_calls(db: Connection, call_ids: Sequence[str]) -> dict[str, list[str]]:
    """The flags of those calls that have any."""
    found: dict[str, list[str]] = {}
    query = select(call_flags.c.call_id, call_flags.c.flag).where(call_flags.c.call_id.in_(call_ids))
    for call_id, flag in db.execute(query):
        found.setdefault(call_id, []).append(flag)
    return found


def counts_of_calls(db: Connection, call_ids: Sequence[str]) -> dict[str, int]:
    """How many notes there are on each of those calls that have any."""
    of_call = call_notes.c.call_id
    query = select(of_call, func.count(call_notes.c.id.distinct())).where(of_call.in_(call_ids))
    return {call_id: count for call_id, count in db.execute(query.group_by(of_call))}


def write_note(
    db: Connection, call: Call, text: str, by: Actor, now_utc: str, note_id: str = "", seen: int = 0
) -> str:
    """Write a note, or the version after `seen` of one that is there; returns its id."""
    if note_id:
        own = (call_notes.c.id == note_id, call_notes.c.call_id == call.id)
        newest = db.execute(select(func.max(call_notes.c.version)).where(*own)).scalar()
        if newest is None or newest != seen:
            raise NoteChanged(f"note {note_id} has version {newest}, the writer saw {seen}")
    row = {"id": note_id or new_id(), "version": seen + 1 if note_id else 1, "call_id": call.id}
    who = {"by_id": by.user_id, "by_name": by.name, "at_utc": now_utc}
    db.execute(call_notes.insert().values(**row, text=text, **who))
    set_flag(db, call, NOTE)
    return str(row["id"])


def flags_of(db: Connection, call_id: str) -> frozenset[str]:
    """The flags of that call."""
    return frozenset(db.execute(select(call_flags.c.flag).where(call_flags.c.call_id == call_id)).scalars())


def tags_in(flags: Iterable[str]) -> list[str]:
    """The tags among flags, by name."""
    return sorted(one.removeprefix(_TAG) for one in flags if one.startswith(_TAG))


def set_flag(db: Connection, call: Call, flag: str, on: bool = True) -> None:
    """Put a flag on a call, or take it off; either may be so already."""
    own = (call_flags.c.flag == flag, call_flags.c.call_id == call.id)
    there = db.execute(select(call_flags.c.flag).where(*own)).first() is not None
    if on and not there:
        row = {"flag": flag, "started_utc": call.started_utc, "call_id": call.id, "box_id": call.box_id}
        # Shared: a facet that changes meanwhile is waited for, or changes the flag with it.
        known = select(calls.c.facet, calls.c.duration_ms).where(calls.c.id == call.id)
        found = db.execute(known.with_for_update(read=True)).mappings().first()
        db.execute(call_flags.insert().values(row | dict(found or {})))
    elif there and not on:
        db.execute(call_flags.delete().where(*own))


def set_tags(db: Connection, call: Call, tags: Sequence[str]) -> tuple[list[str], list[str]]:
    """From now on the call has these tags and no others; returns (before, after)."""
    before = tags_in(flags_of(db, call.id))
    for tag in {*before, *tags}:
        set_flag(db, call, tag_flag(tag), on=tag in tags)
    return before, sorted(tags)
