"""Any filter of the audit page finds what looking at every row finds, page by page, on both databases."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import Engine

from cloud.access.log import Action, Actor, Deed
from cloud.store import trail
from cloud.store.database import read, write
from cloud.store.trail import TrailFilter
from sync.moment import to_text
from tests.cloud.house import NOON

ROWS, PAGE = 240, 7
ACTOR = Actor("u1", "wang", "agent", "national", "s1", "10.0.0.9", "Mozilla/5.0", "web", "t1")
NAMES, BOXES = ("wang", "li"), ("", "box-1", "box-2")
KINDS, PURPOSES = ("calls", "audit"), ("", "service", "x")
ACTIONS = (Action.VIEW, Action.PLAY, Action.EXPORT)


@pytest.fixture
def kept(engine: Engine) -> Engine:
    """Rows of every mixture but two: li never plays, and nobody exports for x."""
    chance = random.Random(5)
    with write(engine) as db:
        for number in range(ROWS):
            name, action = chance.choice(NAMES), chance.choice(ACTIONS)
            purpose = chance.choice(PURPOSES[:2] if action is Action.EXPORT else PURPOSES)
            deed = Deed(
                actor=replace(ACTOR, name=name),
                action=Action.VIEW if name == "li" and action is Action.PLAY else action,
                kind=chance.choice(KINDS),
                object_id=f"o{number % 50}",
                box_id=chance.choice(BOXES),
                purpose=purpose,
                refusal="window" if number % 9 == 0 else "",
            )
            trail.append(db, deed, to_text(NOON + timedelta(seconds=number)))
    return engine


def some(*values: str) -> tuple[str | None, ...]:
    return (None, *values)


FILTERS = [
    TrailFilter(name, action, kind, None, box, purpose, result)
    for name, action, kind, box, purpose, result in product(
        some("li"), some("view", "play"), some("calls"), some("box-1"), some("", "x"), some("refused", "done")
    )
]
SINCE, UNTIL = (to_text(NOON + timedelta(seconds=second)) for second in (40, 200))


def test_every_filter_and_its_pages(kept: Engine) -> None:
    asked = [*FILTERS, TrailFilter(object_id="o7"), TrailFilter("li", object_id="o7"), TrailFilter("nobody")]
    with read(kept) as db:
        every = [dict(row) for row in trail.list_rows(db, TrailFilter(), None, ROWS + 1)]
        assert [row["id"] for row in every] == sorted((row["id"] for row in every), reverse=True)
        assert len(every) == ROWS
        for wanted in [*asked, *(replace(one, from_utc=SINCE, until_utc=UNTIL) for one in asked[::4])]:
            expected = [row["id"] for row in every if fits(row, wanted)]
            first = [row["id"] for row in trail.list_rows(db, wanted, None, PAGE)]
            assert first == expected[:PAGE], wanted
            if first:
                after = [row["id"] for row in trail.list_rows(db, wanted, first[-1], PAGE)]
                assert after == expected[PAGE : 2 * PAGE], wanted


def fits(row: dict[str, object], wanted: TrailFilter) -> bool:
    """What the filter means, said once more."""
    names = ("actor_name", "action", "kind", "object_id", "box_id", "purpose", "result")
    at = str(row["at_utc"])
    return all(getattr(wanted, name) in (None, row[name]) for name in names) and (
        (wanted.from_utc or "") <= at < (wanted.until_utc or "9")
    )
