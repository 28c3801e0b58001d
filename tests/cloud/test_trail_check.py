"""Whatever is done to the audit trail behind its back is found, and the row it was done to is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from cloud import trail as notarial
from cloud.store import trail
from cloud.store.database import open_engine, read, write
from cloud.store.schema import trail as tables
from cloud.trail import Notary
from cloud.trail_check import GENESIS, ChainCheck, Head, Stub
from sync.ids import first_id_at
from sync.keys import DeviceKey
from sync.moment import to_text
from tests.cloud.house import NOON
from tests.cloud.test_trail import NOON_UTC, add, rows
from tests.databases import new_sqlite

Rows = list[dict[str, Any]]


@pytest.fixture
def notary(tmp_path: Path) -> Notary:
    return Notary(DeviceKey.new(), tmp_path / "trail-anchors.jsonl")


@dataclass(frozen=True)
class Attack:
    """Something done to a chain of ten rows, and what has to be said about which number."""

    do: Callable[[Rows], Rows]
    found: set[tuple[str, int]]


def chain_of(count: int) -> Rows:
    """Rows as they are in the database, made without one."""
    made: Rows = []
    for seq in range(1, count + 1):
        row: dict[str, Any] = {column.name: "" for column in tables.log.columns}
        prev = made[-1]["hash"] if made else GENESIS
        row |= {
            "id": f"{first_id_at(NOON)[:13]}-7{seq:03x}-8000-000000000000",
            "at_utc": NOON_UTC,
            "object_id": f"o{seq}",
        }
        row |= {"chain": 1, "seq": seq, "row_count": 1, "ids": b"", "prev": prev, "at_utc": NOON_UTC}
        made.append(row | {"hash": trail.hash_of(row)})
    return made


def again(chain: Rows, first: int = 1) -> Rows:
    """The same rows with numbers, links and hashes made anew from `first` on."""
    made = chain[: first - 1]
    for seq, row in enumerate(chain[first - 1 :], first):
        fresh = row | {"seq": seq, "prev": made[-1]["hash"] if made else GENESIS}
        made.append(fresh | {"hash": trail.hash_of(fresh)})
    return made


def edit(chain: Rows, number: int, /, **cells: Any) -> Rows:
    return [row | cells if row["seq"] == number else row for row in chain]


def exchange(chain: Rows, one: int, two: int) -> Rows:
    numbers = {one: two, two: one}
    moved = [row | {"seq": numbers.get(row["seq"], row["seq"])} for row in chain]
    return sorted(moved, key=lambda row: row["seq"])


def insert(chain: Rows, seq: int) -> Rows:
    """A row of another's making at `seq`, those after it moved up."""
    forged = chain[seq - 1] | {"object_id": "forged", "prev": chain[seq - 2]["hash"]}
    forged |= {"hash": trail.hash_of(forged)}
    return [*chain[: seq - 1], forged, *(row | {"seq": row["seq"] + 1} for row in chain[seq - 1 :])]


def rehashed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"hash": trail.hash_of(row)}


ATTACKS: dict[str, Attack] = {
    "nothing": Attack(lambda chain: chain, set()),
    "a row changed": Attack(lambda chain: edit(chain, 4, actor_name="li"), {("changed", 4)}),
    "its hash as well": Attack(
        lambda chain: [rehashed(row | {"actor_name": "li"}) if row["seq"] == 4 else row for row in chain],
        {("changed", 4), ("rewritten", 4)},
    ),
    "the last changed": Attack(lambda chain: edit(chain, 10, reason="x"), {("changed", 10)}),
    "the last, hash as well": Attack(
        lambda chain: [*chain[:9], rehashed(chain[9] | {"reason": "x"})], {("changed", 10)}
    ),
    "a hash blotted out": Attack(lambda chain: edit(chain, 2, hash=bytes(32)), {("changed", 2)}),
    "its time": Attack(
        lambda chain: again(edit(chain, 9, at_utc="2026-03-01T04:00:00.000Z"), 9),
        {("changed", 9), ("changed", 10)},
    ),
    "one removed": Attack(lambda chain: chain[:3] + chain[4:], {("removed", 4)}),
    "three removed": Attack(lambda chain: chain[:3] + chain[6:], {("removed", 4)}),
    "the first removed": Attack(lambda chain: chain[1:], {("removed", 1)}),
    "the last removed": Attack(lambda chain: chain[:8], {("removed", 9)}),
    "all removed": Attack(lambda chain: [], {("removed", 1)}),
    "neighbours exchanged": Attack(lambda chain: exchange(chain, 5, 6), {("moved", 5), ("moved", 6)}),
    "distant ones exchanged": Attack(lambda chain: exchange(chain, 1, 9), {("moved", 1), ("moved", 9)}),
    "one put into another's place": Attack(
        lambda chain: [chain[0], chain[7] | {"seq": 2}, *chain[2:7], *chain[8:]],
        {("removed", 8), ("moved", 2)},
    ),
    "one inserted": Attack(
        lambda chain: insert(chain, 8),
        {("moved", 9), ("moved", 10), ("moved", 11), ("inserted", 8), ("inserted", 11)},
    ),
    "one added at the end": Attack(
        lambda chain: [*chain, rehashed(chain[9] | {"seq": 11, "prev": chain[9]["hash"]})], {("inserted", 11)}
    ),
    "all rewritten from one on": Attack(
        lambda chain: again(edit(chain, 3, actor_name="li"), 3), {("rewritten", 4), ("changed", 10)}
    ),
    "one removed, all rewritten": Attack(
        lambda chain: again(chain[:2] + chain[3:], 3), {("rewritten", 4), ("removed", 10)}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_named(name: str) -> None:
    attack, chain = ATTACKS[name], chain_of(10)
    check = ChainCheck(1, trail.hash_of, {4: chain[3]["hash"]})
    found = check.run(None, attack.do(chain_of(10)), Head(10, chain[9]["hash"]))
    assert {(one.what, one.seq) for one in found} == attack.found


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_change_of_any_cell_goes_unseen(data: st.DataObject) -> None:
    chain = chain_of(6)
    row = data.draw(st.sampled_from(chain))
    column = data.draw(st.sampled_from(sorted(row)))
    value = row[column]
    other = value + (1 if isinstance(value, int) else "x" if isinstance(value, str) else b"x")
    changed = sorted(edit(chain, row["seq"], **{column: other}), key=lambda one: int(one["seq"]))
    found = list(ChainCheck(1, trail.hash_of).run(None, changed, Head(6, chain[5]["hash"])))
    assert found


@given(st.sets(st.integers(1, 12)))
@settings(max_examples=60, deadline=None)
def test_any_set_of_rows_removed_is_seen(gone: set[int]) -> None:
    chain = chain_of(12)
    left = [row for row in chain if row["seq"] not in gone]
    found = list(ChainCheck(1, trail.hash_of).run(None, left, Head(12, chain[11]["hash"])))
    assert bool(found) == bool(gone)
    assert {one.seq for one in found} == {seq for seq in gone if seq - 1 not in gone}


def test_a_stub_stands_for_the_rows_before(engine: Engine) -> None:
    chain = chain_of(6)
    head, stub = Head(6, chain[5]["hash"]), Stub(1, 3, chain[2]["hash"])
    assert list(ChainCheck(1, trail.hash_of).run(stub, chain[3:], head)) == []
    wrong = replace(stub, last_hash=bytes(32))
    assert [one.seq for one in ChainCheck(1, trail.hash_of).run(wrong, chain[3:], head)] == [3]
    anchored = ChainCheck(1, trail.hash_of, {3: bytes(32)}).run(stub, chain[3:], head)
    assert [one.what for one in anchored] == ["rewritten"]


def quietly(engine: Engine, deed: Callable[[Connection], object]) -> None:
    """What somebody does who has the whole database in hand, triggers included."""
    with write(engine) as db:
        if engine.dialect.name == "postgresql":
            db.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            names = db.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
            for name in list(names):
                db.execute(text(f"DROP TRIGGER {name}"))
        deed(db)


def run(engine: Engine, statement: str) -> None:
    quietly(engine, lambda db: db.execute(text(statement)))


FORGED_STUB = "INSERT INTO trail_stubs (chain, last_seq, body, key, sig) VALUES (1, 2, '', '', '')"
MOVED_AWAY = {("removed", 1, 3), ("removed", 1, 5), ("moved", 1, 13), ("inserted", 1, 5)}
IN_ANOTHER_CHAIN = {("removed", 1, 4), ("removed", 9, 1), ("changed", 9, 4), ("inserted", 9, 4)}
UNMADE = {("unsigned", 0, 1), ("rewritten", 0, 1), ("removed", 0, 2)}


def findings(engine: Engine, notary: Notary) -> set[tuple[str, int, int]]:
    return {(one.what, one.chain, one.seq) for one in notarial.verify(engine, notary)}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE boxes SET name = 'x'", set()),
        ("UPDATE access_log SET purpose = 'x' WHERE seq = 2", {("changed", 1, 2)}),
        ("DELETE FROM access_log WHERE seq = 2", {("removed", 1, 2)}),
        ("DELETE FROM access_log WHERE seq = 4", {("removed", 1, 4)}),
        ("DELETE FROM access_log", {("removed", 1, 1)}),
        ("UPDATE access_log SET seq = seq + 10 WHERE seq = 3", MOVED_AWAY),
        ("UPDATE access_log SET chain = 9 WHERE seq = 4", IN_ANOTHER_CHAIN),
        ("UPDATE trail_heads SET seq = 3 WHERE chain = 1", {("inserted", 1, 4)}),
        ("DELETE FROM trail_anchors WHERE n = 2", {("removed", 0, 2)}),
        ("DELETE FROM trail_anchors WHERE n = 1", {("removed", 0, 1), ("removed", 0, 2)}),
        ("UPDATE trail_anchors SET body = '{}' WHERE n = 1", UNMADE),
        (FORGED_STUB, {("unsigned", 1, 2)}),
    ],
)  # fmt: skip
def test_what_is_done_to_the_database_is_found(
    engine: Engine, notary: Notary, statement: str, found: set[tuple[str, int, int]]
) -> None:
    add(engine, 2)
    notarial.anchor(engine, notary, NOON_UTC)
    add(engine, 2)
    notarial.anchor(engine, notary, NOON_UTC)
    run(engine, statement)
    assert findings(engine, notary) == found


def test_rewriting_all_of_it_is_found_by_the_copy_of_the_anchors(engine: Engine, notary: Notary) -> None:
    add(engine, 5)
    notarial.anchor(engine, notary, NOON_UTC)
    honest = rows(engine)
    forged = again([row | {"actor_name": "li"} if row["seq"] == 2 else row for row in honest], 2)

    def rewrite(db: Connection) -> None:
        db.execute(tables.log.delete())
        db.execute(tables.log.insert(), forged)
        db.execute(tables.heads.update().where(tables.heads.c.chain == 1), {"hash": forged[-1]["hash"]})
        db.execute(tables.anchors.delete())

    quietly(engine, rewrite)
    assert findings(engine, notary) == {("removed", 0, 1), ("rewritten", 1, 5)}
    thief = replace(notary, key=DeviceKey.new(), file=notary.file.with_name("forged.jsonl"))
    notarial.anchor(engine, thief, NOON_UTC)
    assert ("unsigned", 0, 1) in findings(engine, notary)


@pytest.mark.parametrize("line", ["", "{}", "[]", "nonsense", '{"body":"{}","key":"k","sig":"zz"}', "\udcff"])
def test_a_file_of_anchors_that_was_touched_is_found(tmp_path: Path, notary: Notary, line: str) -> None:
    engine = open_engine(new_sqlite(tmp_path / "ho.db"))
    add(engine)
    notarial.anchor(engine, notary, NOON_UTC)
    notary.file.write_bytes(notary.file.read_bytes() + line.encode(errors="surrogateescape") + b"\n")
    assert findings(engine, notary) == {("unsigned", 0, 2)}


def test_anchors_follow_each_other_and_the_copy_catches_up(engine: Engine, notary: Notary) -> None:
    add(engine, 2)
    assert [notarial.anchor(engine, notary, NOON_UTC) for _ in range(3)] == [1, 2, 3]
    whole = notary.file.read_bytes()
    notary.file.write_bytes(whole[: whole.index(b"\n") + 1])  # as after a restore of the day before
    assert notarial.anchor(engine, notary, NOON_UTC) == 4
    assert notary.file.read_bytes().startswith(whole)
    assert json.loads(json.loads(notary.file.read_text().splitlines()[3])["body"])["heads"].keys() == {"1"}
    assert findings(engine, notary) == set()


def test_a_key_that_signed_before_is_believed_when_it_is_named(engine: Engine, notary: Notary) -> None:
    add(engine)
    notarial.anchor(engine, notary, NOON_UTC)
    later = replace(notary, key=DeviceKey.new())
    assert {what for what, _, _ in findings(engine, later)} == {"unsigned"}
    assert findings(engine, replace(later, trusted=frozenset({notary.key.public}))) == set()


def test_what_was_kept_long_enough_goes_and_a_stub_stays(engine: Engine, notary: Notary) -> None:
    day = [to_text(NOON - timedelta(days=days)) for days in (2000, 1900, 1828, 1827, 10)]
    for at_utc in day:
        add(engine, 2, at_utc)
    notarial.anchor(engine, notary, NOON_UTC)
    assert notarial.retain(engine, notary, 1827, NOON, at_once=3) == 6
    left = rows(engine)
    assert [row["at_utc"] for row in left[:4]] == [day[3]] * 2 + [day[4]] * 2
    assert {(row["action"], row["actor_name"], row["row_count"]) for row in left[4:]} == {
        ("retention", "retention", 3)
    }
    assert findings(engine, notary) == set()
    assert notarial.retain(engine, notary, 1827, NOON) == 0
    add(engine)
    assert findings(engine, notary) == set()
    with read(engine) as db:
        stubs = [
            json.loads(row.body)
            for row in db.execute(tables.stubs.select().order_by(tables.stubs.c.last_seq))
        ]
    assert [(one["first_seq"], one["last_seq"], one["rows"]) for one in stubs] == [(1, 3, 3), (4, 6, 3)]


def test_all_of_it_may_go(engine: Engine, notary: Notary) -> None:
    add(engine, 3, to_text(NOON - timedelta(days=2000)))
    assert notarial.retain(engine, notary, 1827, NOON) == 3
    assert [row["action"] for row in rows(engine)] == ["retention"]
    assert findings(engine, notary) == set()
