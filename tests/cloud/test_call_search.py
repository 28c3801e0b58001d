"""Finding calls: both databases give what a plain look at every row gives; facets stay right."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.event import listen

from cloud.apply import APPLY, audio_stored
from cloud.calls.facets import AUDIO, GAP, Wish
from cloud.calls.numbers import NumberWish, read_numbers, whole_number
from cloud.store.call_search import BOUNDS, Bounds, CallFilter, Position, _Search, bounded, find_calls
from cloud.store.call_tables import call_facets, call_flags
from cloud.store.database import open_engine, read, write
from cloud.store.schema import calls
from sync.arriving import Origin
from sync.events import GapFact, RecordingReady
from sync.inbox import Told
from sync.moment import to_text
from tests.cloud.house import NOON, House, call_row
from tests.cloud.verdicts import verdict_for
from tests.databases import new_sqlite
from tests.sync.station import call_ended

BOXES = ("box-01", "box-02", "box-03")
NUMBERS = ("13800138000", "13900139000", "087165123456", "95588", "65123456", None)
SPAN = (to_text(NOON - timedelta(minutes=40)), to_text(NOON - timedelta(minutes=10)))
FILTERS: dict[str, CallFilter] = {
    "all": CallFilter(),
    "a branch": CallFilter(box_ids=frozenset({"box-02"})),
    "branches": CallFilter(box_ids=frozenset({"box-01", "box-03", "nowhere"})),
    "no branch": CallFilter(box_ids=frozenset()),
    "a line": CallFilter(box_ids=frozenset({"box-01"}), line=2),
    "lines": CallFilter(box_ids=frozenset({"box-01", "box-02"}), line=1),
    "incoming": CallFilter(wish=Wish(direction="in")),
    "missed": CallFilter(wish=Wish(outcome="missed")),
    "long": CallFilter(wish=Wish(shortest_ms=7_000, longest_ms=65_000)),
    "never": CallFilter(wish=Wish(outcome="missed", shortest_ms=1)),
    "heard": CallFilter(wish=Wish(has_audio=True)),
    "gapped": CallFilter(wish=Wish(has_gap=True)),
    "whole": CallFilter(numbers=read_numbers("13800138000")),
    "last four": CallFilter(numbers=read_numbers("3456")),
    "ends": CallFilter(numbers=read_numbers("139*9000")),
    "no number": CallFilter(numbers=()),
    "a customer": CallFilter(about=(*whole_number("95588"), *whole_number("13900139000"))),
    "a name": CallFilter(name="王小明"),
    "starred": CallFilter(flags=frozenset({"star"})),
    "starred and tagged": CallFilter(flags=frozenset({"star", "tag:x"})),
    "a span": CallFilter(from_utc=SPAN[0], until_utc=SPAN[1]),
}


@pytest.fixture
def some(house: House) -> dict[str, dict[str, Any]]:
    """Three hundred calls of every sort, five at a moment; id -> row, with what else is known of it."""
    chance = random.Random(5)
    made: dict[str, dict[str, Any]] = {}
    for n in range(300):
        number, way = chance.choice(NUMBERS), chance.choice(("in", "in", "out", "unknown"))
        row = call_row(
            box_id=chance.choice(BOXES), line=chance.choice((1, 2)), direction=way,
            outcome=chance.choice(("answered", "answered", "missed")),
            caller_name=chance.choice((None, "王小明")),
            caller_number=None if way == "out" else number, dialled=number if way == "out" else None,
            started_utc=to_text(NOON - timedelta(minutes=n // 5)),
        )  # fmt: skip
        row["duration_ms"] = 0 if row["outcome"] == "missed" else chance.choice((0, 6_000, 60_000, 4_000_000))
        row = call_row(
            **{name: row[name] for name in row if name not in ("party", "last4", "last8", "facet")}
        )
        made[row["id"]] = row | {"flags": set(chance.sample(["star", "tag:x"], chance.randrange(3)))}
    plain = [{k: v for k, v in row.items() if k in calls.c} for row in made.values()]
    with write(house.parts.engine) as db:
        db.execute(calls.insert(), plain)
        pairs = {(row["box_id"], row["facet"]) for row in plain}
        db.execute(call_facets.insert(), [{"box_id": box, "facet": facet} for box, facet in sorted(pairs)])
        for row in made.values():
            for flag in row["flags"]:
                there = {name: row[name] for name in ("started_utc", "box_id", "facet", "duration_ms")}
                there |= {"call_id": row["id"]}
                db.execute(call_flags.insert().values(flag=flag, **there))
    for n, (id_, row) in enumerate(made.items()):
        if row["duration_ms"] and n % 3:
            recording = house.add_recording(id_, b"fLaC" if n % 2 else None, box_id=row["box_id"])
            if n % 5 == 0:
                house.add_gap(recording, 0, 8, "overrun")
    with read(house.parts.engine) as db:
        for id_, facet in db.execute(select(calls.c.id, calls.c.facet)):
            made[id_]["facet"] = facet
    return made


def wanted_by_hand(row: dict[str, Any], wanted: CallFilter) -> bool:
    """The same question asked of one row in plain words."""
    wish, party = wanted.wish, row["party"] or ""

    def number(one: NumberWish) -> bool:
        in_form = not one.forms or party in one.forms
        ends = party.startswith(one.first) and party.endswith(one.more_last)
        return (row["last4"] if one.by_last4 else row["last8"]) == one.last and in_form and ends

    return all(
        (
            wanted.box_ids is None or row["box_id"] in wanted.box_ids,
            wanted.line in (None, row["line"]),
            wish.direction in (None, row["direction"]),
            wish.outcome in (None, row["outcome"]),
            wish.shortest_ms is None or row["duration_ms"] >= wish.shortest_ms,
            wish.longest_ms is None or row["duration_ms"] <= wish.longest_ms,
            wish.has_audio in (None, bool(row["facet"] & AUDIO)),
            wish.has_gap in (None, bool(row["facet"] & GAP)),
            wanted.numbers is None or any(map(number, wanted.numbers)),
            wanted.about is None or any(map(number, wanted.about)),
            wanted.name in (None, row["caller_name"]),
            wanted.flags <= row["flags"],
            (wanted.from_utc or "") <= row["started_utc"] < (wanted.until_utc or "9"),
        )
    )


def pages(engine: Engine, wanted: CallFilter, limit: int, bounds: Bounds = BOUNDS) -> list[str]:
    """Every call of the list, by pages."""
    found: list[str] = []
    after: Position | None = None
    while True:
        with read(engine) as db:
            rows = find_calls(db, wanted, after, limit, bounds)
        found += [row["id"] for row in rows]
        assert len(found) <= 300
        if len(rows) < limit:
            return found
        after = Position(rows[-1]["started_utc"], rows[-1]["id"])


def test_each_filter_and_each_pair_finds_what_a_look_at_every_row_finds(
    house: House, some: dict[str, dict[str, Any]]
) -> None:
    tried = dict(FILTERS)
    for (name, one), (other_name, other) in itertools.combinations(FILTERS.items(), 2):
        tried[f"{name}, {other_name}"] = merged(one, other)
    found_any = 0
    for at, (name, wanted) in enumerate(tried.items()):
        wanted = replace(wanted, oldest_first=at % 3 == 0)
        ids = found_by_hand(some, wanted)
        assert pages(house.parts.engine, wanted, 60) == ids, name
        found_any += bool(ids)
    assert found_any > 100


@pytest.mark.parametrize(
    ("bounds", "oldest_first"), [(Bounds(look=4, further=25), False), (Bounds(look=30, further=60), True)]
)
def test_what_is_found_does_not_depend_on_how_far_is_looked(
    house: House, some: dict[str, dict[str, Any]], bounds: Bounds, oldest_first: bool
) -> None:
    found_any = 0
    for few, other in itertools.product(
        ("a customer", "a line", "a name", "starred", "whole", "lines"),
        ("branches", "incoming", "long", "never", "gapped", "starred and tagged", "last four"),
    ):
        wanted = replace(merged(FILTERS[few], FILTERS[other]), oldest_first=oldest_first)
        ids = found_by_hand(some, wanted)
        assert pages(house.parts.engine, wanted, 7, bounds) == ids, f"{few}, {other}"
        found_any += bool(ids)
    assert found_any > 30


@pytest.mark.parametrize(
    ("name", "index"),
    [("branches", "calls_in_order"), ("lines", "calls_in_order"), ("a line", "calls_of_box")],
)
def test_sqlite_sorts_no_calls_of_several_branches(
    house: House, some: dict[str, dict[str, Any]], name: str, index: str
) -> None:
    engine, said = house.parts.engine, list[tuple[str, Any]]()
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has other indexes")
    listen(engine, "before_cursor_execute", lambda _db, _cursor, sql, given, *_: said.append((sql, given)))
    with read(engine) as db:
        find_calls(db, FILTERS[name], None, 60, Bounds(look=1))
        plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {said[-1][0]}", said[-1][1])]
    assert index in plan[0]
    assert [line for line in plan if "TEMP B-TREE" in line] == ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"]


def found_by_hand(some: dict[str, dict[str, Any]], wanted: CallFilter) -> list[str]:
    """The ids of the wanted calls, in the wanted order."""
    rows = [row for row in some.values() if wanted_by_hand(row, wanted)]
    rows.sort(key=lambda row: (row["started_utc"], row["id"]), reverse=not wanted.oldest_first)
    return [row["id"] for row in rows]


def merged(one: CallFilter, other: CallFilter) -> CallFilter:
    """What both want; of what both name, the second."""
    rest = {
        name: getattr(other, name)
        for name in CallFilter.__dataclass_fields__
        if name != "wish" and getattr(other, name) != getattr(CallFilter(), name)
    }
    names = [name for name in Wish.__dataclass_fields__ if getattr(other.wish, name) is not None]
    return replace(one, wish=replace(one.wish, **{n: getattr(other.wish, n) for n in names}), **rest)


def test_more_keys_than_are_asked_one_by_one(house: House, some: dict[str, dict[str, Any]]) -> None:
    for wanted in (merged(FILTERS["branches"], FILTERS["incoming"]), FILTERS["branches"]):
        before = pages(house.parts.engine, wanted, 60)
        assert pages(house.parts.engine, wanted, 60, Bounds(most_keys=1)) == before != []


def test_sqlite_finds_an_ending_in_one_index_and_then_the_calls_alone(tmp_path: Path) -> None:
    with read(open_engine(new_sqlite(tmp_path / "ho.db"))) as db:
        statement = _Search(db, FILTERS["last four"], None, 50, 1).in_order(BOUNDS.look)
        said = statement.compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = [str(row[-1]) for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}")]
    assert "SCAN other USING COVERING INDEX calls_by_ending" in plan
    assert not any(step.startswith("SCAN calls") for step in plan)


def test_a_verdict_narrows_what_is_read() -> None:
    wanted = CallFilter(box_ids=frozenset({"a", "b"}), from_utc="2026-01", until_utc="2026-05")
    verdict = replace(
        verdict_for("manager"), box_ids=frozenset({"b", "c"}), from_utc="2026-02", until_utc="2026-06"
    )
    narrow = bounded(wanted, verdict)
    assert (narrow.box_ids, narrow.from_utc, narrow.until_utc) == (frozenset({"b"}), "2026-02", "2026-05")
    about = bounded(wanted, replace(verdict, subjects=frozenset({"+8613800138000", "0195-call"})))
    assert about.about == whole_number("13800138000") and about.call_ids == {"0195-call"}


GAPS = (GapFact(0, 8, "overrun"),)
ORIGIN = Origin("box-01", to_text(NOON))


def facet_in(engine: Engine, call_id: str) -> int:
    with read(engine) as db:
        facet = db.execute(select(calls.c.facet).where(calls.c.id == call_id)).scalar_one()
        there = db.execute(select(call_facets.c.facet).where(call_facets.c.box_id == "box-01")).scalars()
        assert facet in set(there)
    return int(facet)


@pytest.mark.parametrize("order", list(itertools.permutations(("call", "ready", "audio"))))
def test_the_facet_tells_audio_and_gap_in_whatever_order_they_arrive(
    engine: Engine, order: tuple[str, ...]
) -> None:
    call = call_ended("13800138000")
    ready = RecordingReady(
        "rec", call.call_id, to_text(NOON), 8000, 80, "flac", 9, "0" * 64, (GapFact(0, 8, "overrun"),)
    )
    for step in (*order, "audio"):  # ingest tells of stored audio again when its row comes
        with write(engine) as db:
            if step == "call":
                APPLY["call_ended"](db, [Told(ORIGIN, call)])
            elif step == "ready":
                APPLY["recording_ready"](db, [Told(ORIGIN, ready)])
            else:
                audio_stored(db, ORIGIN, "rec", "0" * 64, "key")
    assert facet_in(engine, call.call_id) & (AUDIO | GAP) == AUDIO | GAP
    with write(engine) as db:  # the same call again, as when it is mended from its entry
        APPLY["call_ended"](db, [Told(ORIGIN, call)])
    assert facet_in(engine, call.call_id) & (AUDIO | GAP) == AUDIO | GAP
