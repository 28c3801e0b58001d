"""The audit trail only grows: rows are chained, the database refuses to change them, old lines stay."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import DBAPIError

from cloud.access.log import Action, Actor, Deed
from cloud.store import trail
from cloud.store.database import MIGRATIONS, open_engine, read, write
from cloud.store.schema import trail as tables
from cloud.store.trail import GENESIS, TrailFilter
from sync.moment import from_text, to_text
from tests.cloud.house import NOON
from tests.postgres import PostgresServer

NOON_UTC = to_text(NOON)
WANG = Actor("u1", "wang", "manager", "national", "s1", "10.0.0.9", "Firefox", "web", "t1")


def add(engine: Engine, count: int = 1, at_utc: str = NOON_UTC, **fields: Any) -> list[str]:
    """Rows of `wang` looking at calls, each in a transaction of its own; returns their ids."""
    deed = Deed(**{"actor": WANG, "action": Action.VIEW, "kind": "calls", **fields})
    ids = []
    for _ in range(count):
        with write(engine) as db:
            ids.append(trail.append(db, deed, at_utc))
    return ids


def rows(engine: Engine) -> list[dict[str, Any]]:
    with read(engine) as db:
        query = select(tables.log).order_by(tables.log.c.chain, tables.log.c.seq)
        return [dict(row) for row in db.execute(query).mappings()]


def test_a_row_keeps_all_there_is_to_say(engine: Engine) -> None:
    (row_id,) = add(
        engine,
        action=Action.UPDATE,
        kind="customers",
        object_id="c1",
        box_id="box-01",
        fields=("level",),
        query={"party": "Li\0"},
        changes={"level": ("A", None)},
        purpose="service",
        grants=("g1",),
        row_count=2,
        ids=("c1", "c2"),
        refusal="window",
    )
    (row,) = rows(engine)
    assert trail.ids_in(row.pop("ids")) == ("c1", "c2")
    assert row.pop("hash") != row.pop("prev") == GENESIS
    assert row == {
        "id": row_id, "chain": 1, "seq": 1, "at_utc": NOON_UTC, "actor_id": "u1", "actor_name": "wang",
        "role": "manager", "unit_id": "national", "session": "s1", "address": "10.0.0.9",
        "user_agent": "Firefox", "channel": "web", "action": "update", "kind": "customers", "object_id": "c1",
        "box_id": "box-01", "fields": '["level"]', "query": '{"party":"Li\ufffd"}',
        "changes": '{"level":["A",null]}', "purpose": "service", "grants": '["g1"]', "row_count": 2,
        "result": "refused", "reason": "window", "trace_id": "t1",
    }  # fmt: skip


def test_each_row_is_tied_to_the_one_before(engine: Engine) -> None:
    add(engine, 3)
    found = rows(engine)
    assert [row["seq"] for row in found] == [1, 2, 3]
    assert [row["prev"] for row in found] == [GENESIS, *(row["hash"] for row in found[:2])]
    assert all(trail.hash_of(row) == row["hash"] for row in found)
    assert [row["id"] for row in found] == sorted(row["id"] for row in found)


@pytest.mark.parametrize("column", [one.name for one in tables.log.columns if one.name != "hash"])
def test_the_hash_is_over_every_column(column: str) -> None:
    kinds: dict[type, tuple[Any, Any]] = {str: ("x", "y"), int: (1, 2), bytes: (b"x", b"y")}
    row = {one.name: kinds[one.type.python_type][0] for one in tables.log.columns}
    other = row | {column: kinds[tables.log.c[column].type.python_type][1]}
    assert trail.hash_of(row) != trail.hash_of(other)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE access_log SET actor_name = 'li'",
        "UPDATE access_log SET hash = hash",
        "DELETE FROM access_log",
        "DELETE FROM access_log WHERE seq = 2",
        "UPDATE trail_anchors SET body = ''",
        "DELETE FROM trail_anchors",
        "UPDATE trail_stubs SET body = ''",
        "DELETE FROM trail_stubs",
    ],
)
def test_the_database_refuses_to_change_what_is_in(engine: Engine, statement: str) -> None:
    add(engine, 2)
    with write(engine) as db:
        for table in ("trail_anchors (n,", "trail_stubs (chain, last_seq,"):
            numbers = "1," * table.count(",")
            db.execute(text(f"INSERT INTO {table} body, key, sig) VALUES ({numbers} 'b', 'k', 's')"))
    before = rows(engine)
    with pytest.raises(DBAPIError, match="only ever added to"), write(engine) as db:
        db.execute(text(statement.replace("seq = 2", "seq = 2 AND actor_name = 'wang'")))
    assert rows(engine) == before


@pytest.mark.parametrize("table", ["access_log", "trail_anchors", "trail_stubs"])
def test_a_row_is_not_replaced_nor_all_of_them_cut_off(engine: Engine, table: str) -> None:
    add(engine)
    with write(engine) as db:
        db.execute(text("INSERT INTO trail_anchors (n, body, key, sig) VALUES (1, 'b', 'k', 's')"))
        stub = "INSERT INTO trail_stubs (chain, last_seq, body, key, sig) VALUES (2, 1, 'b', 'k', 's')"
        db.execute(text(stub))
    again = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"
    if engine.dialect.name == "postgresql":
        again = f"TRUNCATE {table}"
    with pytest.raises(DBAPIError, match="only ever added to"), write(engine) as db:
        db.execute(text(again))


def test_only_rows_that_a_stub_stands_for_can_go(engine: Engine) -> None:
    add(engine, 3)
    with write(engine) as db:
        stub = "INSERT INTO trail_stubs (chain, last_seq, body, key, sig) VALUES (1, 2, 'b', 'k', 's')"
        db.execute(text(stub))
        db.execute(text("DELETE FROM access_log WHERE seq <= 2"))
    assert [row["seq"] for row in rows(engine)] == [3]


def test_writers_at_the_same_time_leave_chains_without_a_hole(engine: Engine) -> None:
    threads = [threading.Thread(target=add, args=(engine, 10)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heads: dict[int, tuple[int, bytes]] = {}
    found = rows(engine)
    for row in found:
        seq, head = heads.get(row["chain"], (0, GENESIS))
        assert (row["seq"], row["prev"], row["hash"]) == (seq + 1, head, trail.hash_of(row))
        heads[row["chain"]] = (row["seq"], row["hash"])
    assert len(found) == 120
    assert (len(heads) > 1) == (engine.dialect.name == "postgresql")  # commits did not wait for each other


def test_a_deed_that_fails_leaves_no_row_and_no_hole(engine: Engine) -> None:
    add(engine)
    with pytest.raises(RuntimeError, match="power"), write(engine) as db:
        trail.append(db, Deed(actor=WANG, action=Action.VIEW), NOON_UTC)
        raise RuntimeError("the power goes")
    add(engine)
    assert [row["seq"] for row in rows(engine)] == [1, 2]


@pytest.mark.parametrize("length", [400, 401, 100_000])
def test_what_a_visitor_says_of_himself_is_cut_visibly(engine: Engine, length: int) -> None:
    add(engine, actor=Actor(user_agent="x" * length), query={"party": "y" * length})
    (row,) = rows(engine)
    assert len(row["user_agent"]) == 400
    assert row["user_agent"].endswith("…") == (length > 400)
    assert len(row["query"]) < 500


def test_pages_are_filtered_and_follow_each_other(engine: Engine) -> None:
    minute = "2026-03-02T04:0{}:00.000Z"
    for number in range(6):
        action = Action.PLAY if number % 2 else Action.VIEW
        add(engine, at_utc=minute.format(number), action=action, object_id=f"o{number}")
    with read(engine) as db:
        first = trail.list_rows(db, TrailFilter(action="play"), None, 2)
        assert [row["object_id"] for row in first] == ["o5", "o3"]
        second = trail.list_rows(db, TrailFilter(action="play"), first[-1]["id"], 2)
        assert [row["object_id"] for row in second] == ["o1"]
        span = TrailFilter(from_utc=minute.format(1), until_utc=minute.format(3))
        assert [row["object_id"] for row in trail.list_rows(db, span, None, 9)] == ["o2", "o1"]
        for wanted, count in (
            (TrailFilter(actor_name="wang"), 6),
            (TrailFilter(actor_name="li"), 0),
            (TrailFilter(kind="calls", result="done", purpose=""), 6),
            (TrailFilter(object_id="o4"), 1),
            (TrailFilter(result="refused"), 0),
            (TrailFilter(box_id="box-01"), 0),
        ):
            assert len(trail.list_rows(db, wanted, None, 9)) == count


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_lines_of_before_are_the_first_rows(backend: str, tmp_path: Path, postgres: PostgresServer) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if backend == "postgresql":
        url = postgres.url(postgres.make_database())
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    before = create_engine(url)
    with before.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0005")
        for number, (action, subject) in enumerate((("log_in", "wang"), ("play", "r1"), ("play", "r:2"))):
            db.execute(
                text("INSERT INTO access_log VALUES (:id, :at, '王', :action, :subject, 's', '10.0.0.1')"),
                {"id": f"0{number}", "at": NOON_UTC, "action": action, "subject": subject},
            )
    before.dispose()
    engine = open_engine(url)
    add(engine)
    found = rows(engine)
    assert [(row["seq"], row["kind"], row["object_id"]) for row in found] == [
        (1, "users", "wang"), (2, "recordings", "r1"), (3, "recordings", "r:2"), (4, "calls", ""),
    ]  # fmt: skip
    assert [row["prev"] for row in found] == [GENESIS, *(row["hash"] for row in found[:3])]
    assert all(trail.hash_of(row) == row["hash"] for row in found)
    engine.dispose()


def test_an_id_begins_with_the_time_of_its_row(engine: Engine) -> None:
    (row_id,) = add(engine)
    assert int(row_id.replace("-", "")[:12], 16) == from_text(NOON_UTC).timestamp() * 1000
