"""Keeps the facet of each call (`cloud.calls.facets`) right, and which facets exist at which branch.

A facet that no call has any more may stay listed: it only says where to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select

from cloud.calls.facets import AUDIO, GAP, MARKS
from cloud.store.call_tables import call_facets
from cloud.store.schema import calls, gaps, recordings
from sync import bulk

COLUMNS = ("box_id", "facet")
_SET = calls.update().where(calls.c.id == bindparam("of")).values(facet=bindparam("facet"))


def note(db: Connection, pairs: Iterable[tuple[str, int]]) -> None:
    """Facets, each with its box, that calls have now."""
    wanted = set(pairs)
    if db.dialect.name == "postgresql" and wanted:  # where many statements cost more than many rows
        boxes = sorted({box_id for box_id, _ in wanted})
        wanted -= set(bulk.select_in(db, call_facets, COLUMNS, "box_id", boxes))
    bulk.keep(db, call_facets, COLUMNS, sorted(wanted))


def refresh(db: Connection, call_ids: Iterable[str]) -> None:
    """Set the audio and gap bits of those calls to what their recordings say; unknown ids are passed over."""
    ids = sorted(set(call_ids))
    if not ids:
        return
    marks = marks_of(db, ids)
    rows = bulk.select_in(db, calls, ("id", "box_id", "facet"), "id", ids)
    fresh = [(id_, box_id, facet & ~MARKS | marks[id_]) for id_, box_id, facet in rows]
    changed = [new for new, old in zip(fresh, rows, strict=True) if tuple(new) != tuple(old)]
    for id_, _, facet in changed:
        db.execute(_SET, {"of": id_, "facet": facet})
    note(db, ((box_id, facet) for _, box_id, facet in changed))


def marks_of(db: Connection, call_ids: Sequence[str]) -> dict[str, int]:
    """The audio and gap bits of those calls, as their recordings say."""
    found = bulk.select_in(db, recordings, ("call_id", "id", "state"), "call_id", call_ids)
    gapped = {
        one for (one,) in bulk.select_in(db, gaps, ("recording_id",), "recording_id", [r[1] for r in found])
    }
    marks = dict.fromkeys(call_ids, 0)
    for call_id, recording_id, state in found:
        marks[call_id] |= (AUDIO if state == "stored" else 0) | (GAP if recording_id in gapped else 0)
    return marks


def with_recordings(db: Connection, call_ids: Sequence[str]) -> set[str]:
    """Those of the calls of which a recording arrived before them."""
    return {one for (one,) in bulk.select_in(db, recordings, ("call_id",), "call_id", call_ids)}


def existing(db: Connection, facets: frozenset[int]) -> list[int]:
    """Those of `facets` that calls of any box have, in order."""
    if db.dialect.name != "postgresql":
        query = select(call_facets.c.facet).where(call_facets.c.facet.in_(facets)).distinct()
        return sorted(db.execute(query).scalars())
    there = "SELECT FROM call_facets WHERE call_facets.facet = wanted.facet OFFSET 0"  # one by one
    rows = db.exec_driver_sql(
        f"SELECT facet FROM unnest(%s::integer[]) AS wanted (facet) WHERE EXISTS ({there})", (sorted(facets),)
    )
    return list(rows.scalars())


def any_there(db: Connection, facets: frozenset[int], box_ids: frozenset[str] | None) -> bool:
    """Whether some call, of these boxes if they are named, has one of `facets`."""
    return bool(existing(db, facets) if box_ids is None else at_boxes(db, facets, box_ids, 1))


def at_boxes(
    db: Connection, facets: frozenset[int], box_ids: frozenset[str], most: int
) -> list[tuple[str, int]]:
    """Those of `facets` that calls of the boxes have, each with its box; `most` of them at most."""
    if db.dialect.name == "postgresql":
        found = db.exec_driver_sql(
            "SELECT box_id, facet FROM call_facets WHERE box_id = ANY(%s) AND facet = ANY(%s) LIMIT %s",
            (sorted(box_ids), sorted(facets), most),
        )
        return sorted((box_id, facet) for box_id, facet in found)
    rows = bulk.select_in(db, call_facets, COLUMNS, "box_id", sorted(box_ids))
    return sorted((box_id, facet) for box_id, facet in rows if facet in facets)[:most]
