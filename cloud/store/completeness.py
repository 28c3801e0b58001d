"""How complete head office's data is, per branch and hour, and the one number: items not yet reconciled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from cloud.store import schema
from sync.manifest import HOUR

OPEN_STATES = ("open", "waiting")


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, as far as it agrees with head office."""

    box_id: str
    name: str
    behind: int  # entries the box has and head office has not, as of its last birth
    missing: int  # entries that are missing here or differ, by manifests that are not closed
    holes: int  # entries between others that have arrived
    audio: int  # recordings announced and not stored
    set_aside: int
    last_closed: str | None  # newest hour that is closed
    online: bool | None  # None: never heard of
    since_utc: str | None
    heard_utc: str | None  # last time anything came; None: never
    troubles: tuple[RowMapping, ...] = ()
    hours: dict[str, str] = field(default_factory=dict)  # 2026-11-22T04 -> open | waiting | closed

    @property
    def unreconciled(self) -> int:
        """The one number; normally 0."""
        return self.behind + self.missing + self.holes + self.audio


def branches(db: Connection, since_span: str) -> list[Branch]:
    """Every branch by name, with the hours from `since_span` on."""
    streams = _streams(db)
    presence = {row["box_id"]: row for row in db.execute(select(schema.presence)).mappings()}
    missing, audio, aside = _missing(db), _audio(db), _set_aside(db)
    closed, hours, troubles = _last_closed(db), _hours(db, since_span), _troubles(db)
    found = []
    for box in db.execute(select(schema.boxes).order_by(schema.boxes.c.name, schema.boxes.c.id)).mappings():
        one, here = box["id"], presence.get(box["id"])
        behind, holes = _behind(here, streams.get(one, ()))
        found.append(
            Branch(
                box_id=one,
                name=box["name"],
                behind=behind,
                missing=missing.get(one, 0),
                holes=holes,
                audio=audio.get(one, 0),
                set_aside=aside.get(one, 0),
                last_closed=closed.get(one),
                online=None if here is None else bool(here["online"]),
                since_utc=None if here is None else here["since_utc"],
                heard_utc=box["last_seen_utc"],
                troubles=tuple(troubles.get(one, ())),
                hours=hours.get(one, {}),
            )
        )
    return found


def _behind(here: RowMapping | None, streams: Sequence[RowMapping]) -> tuple[int, int]:
    """(entries not here that the box told of, entries missing between others)."""
    holes = 0
    reached: dict[tuple[str, str], int] = {}
    for row in streams:
        ranges = json.loads(row["ranges"])
        top = max([row["upto"], *(last for _, last in ranges)])
        holes += top - row["upto"] - sum(last - first + 1 for first, last in ranges)
        reached[row["epoch"], row["stream"]] = top
    born = json.loads(here["born"]) if here is not None else {}
    heads, epoch = born.get("heads", {}), born.get("epoch", "")
    behind = sum(max(0, head - reached.get((epoch, stream), 0)) for stream, head in heads.items())
    return behind, holes


def _streams(db: Connection) -> dict[str, list[RowMapping]]:
    found: dict[str, list[RowMapping]] = {}
    for row in db.execute(select(schema.inbox_tables.streams)).mappings():
        found.setdefault(row["box_id"], []).append(row)
    return found


def _missing(db: Connection) -> dict[str, int]:
    table = schema.manifests
    query = select(table.c.box_id, func.sum(table.c["items"])).where(table.c.state == "open")
    return {box_id: int(items) for box_id, items in db.execute(query.group_by(table.c.box_id))}


def _audio(db: Connection) -> dict[str, int]:
    table = schema.recordings
    query = select(table.c.box_id, func.count()).where(table.c.state == "announced")
    return {box_id: count for box_id, count in db.execute(query.group_by(table.c.box_id))}


def _set_aside(db: Connection) -> dict[str, int]:
    table = schema.inbox_tables.quarantine
    query = select(table.c.box_id, func.count()).where(table.c.state == "waiting")
    return {box_id: count for box_id, count in db.execute(query.group_by(table.c.box_id))}


def _last_closed(db: Connection) -> dict[str, str]:
    table = schema.manifests
    query = select(table.c.box_id, func.max(table.c.span)).where(
        table.c.state == "closed", func.length(table.c.span) == HOUR
    )
    return {box_id: span for box_id, span in db.execute(query.group_by(table.c.box_id))}


def hours_of(db: Connection, box_id: str, first_span: str, last_span: str) -> dict[str, str]:
    """The state of each hour of one branch that there are manifests of."""
    within = (schema.manifests.c.box_id == box_id, schema.manifests.c.span <= last_span)
    return _hours(db, first_span, *within).get(box_id, {})


def _hours(db: Connection, since_span: str, *within: ColumnElement[bool]) -> dict[str, dict[str, str]]:
    """An hour is closed when all its manifests are; one that is open makes it open."""
    table = schema.manifests
    query = select(table.c.box_id, table.c.span, table.c.state).where(
        table.c.span >= since_span, func.length(table.c.span) == HOUR, *within
    )
    found: dict[str, dict[str, str]] = {}
    for box_id, span, state in db.execute(query):
        mine = found.setdefault(box_id, {})
        if mine.get(span) != "open":
            mine[span] = state if state != "closed" or span not in mine else mine[span]
    return found


def _troubles(db: Connection) -> dict[str, list[RowMapping]]:
    table = schema.box_troubles
    found: dict[str, list[RowMapping]] = {}
    query = select(table).where(table.c.until_utc.is_(None)).order_by(table.c.since_utc, table.c.id)
    for row in db.execute(query).mappings():
        found.setdefault(row["box_id"], []).append(row)
    return found
