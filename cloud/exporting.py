"""Many rows taken away at once through the one read path: judged once, counted and shaped batch by batch.

    ids in their order --+-- more than may be taken at once, or than is approved: refused whole
                         |
      BATCH at a time:   fetch --> count against grants --> shape --> keep, in a file that nobody has yet
                         |
    one audit row with all ids --> its id goes into the file, and only then is the file handed over

It is complete or it is refused: a row that may not be given stops the whole, and so does one that failed.

    NotGiven       the decision refused, or fewer rows are approved than were asked for
    NothingThere   one that was asked for by its id is not there
    TooMany        more rows than one file holds
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy import Connection

from cloud.access.decision import Ask, Verdict, refusal
from cloud.access.grants import Place
from cloud.reading import NOT_THERE, Desk, Found, Look, NotGiven, NothingThere, Outcome, counted, judged, note
from cloud.store.database import read
from cloud.store.grants import count_fresh

Rows = TypeVar("Rows")
Tell = Callable[[int, int], None]  # how many rows are done, of how many
BATCH = 500


def untold(_done: int, _total: int) -> None:
    """Nobody watches."""


class TooMany(ValueError):
    """More rows than one file holds."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"more than {most} rows fit")


_CODES: dict[type[Exception], str] = {NothingThere: NOT_THERE, TooMany: "too_many"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Generic[Rows]):
    """Which rows are to be taken away, and how they are read."""

    ids: Callable[[Connection, Verdict, int], Sequence[str]]  # in their order, so many at most
    rows: Callable[[Connection, Sequence[str]], Found[Rows]]
    most: int
    named: bool = False  # each was asked for by its id: one that may not be given stops the whole


@dataclass(slots=True)
class Taken:
    """What was given so far, and once all was: the id of its audit row."""

    shown: list[tuple[str, Place]] = field(default_factory=list)
    grants: set[str] = field(default_factory=set)
    audit_id: str = ""
    total: int = 0  # of what is asked for; 0: not counted yet
    _branches: dict[str | None, Place] = field(default_factory=dict)  # one place for all rows of a branch

    def add(self, row_id: str, place: Place, verdict: Verdict) -> None:
        """Note a row that was given."""
        branch = self._branches.setdefault(place.box_id, Place(frozenset(), place.box_id))
        self.shown.append((row_id, branch))
        if grant := verdict.charged_to(place):
            self.grants.add(grant.id)


def take(
    desk: Desk, asks: Sequence[Ask], look: Look, wanted: Wanted[Rows], taken: Taken
) -> Iterator[tuple[Rows, Verdict]]:
    """All that is `wanted`, a batch at a time with the verdict that shapes it; `taken` tells of it then.

    That verdict is on the first of `asks`; the others have to admit each row too.
    """
    try:
        verdicts, ids = _bounds(desk, asks, wanted)
        taken.total = len(ids)
        for batch in _batches(ids):
            with read(desk.engine) as db:
                found = wanted.rows(db, batch)
            places = [place for _, place in found.places]
            now = [counted(desk, verdict, places) for verdict in verdicts]
            _check(found, now, wanted.named)
            for row_id, place in found.places:
                if all(verdict.admits(place) for verdict in now):
                    taken.add(row_id, place, now[0])
            yield found.rows, now[0]
    except (NotGiven, NothingThere, TooMany) as error:
        code = error.refusal.code if isinstance(error, NotGiven) else _CODES[type(error)]
        note(desk, asks[0], look, Outcome(refused=code))
        raise
    outcome = Outcome(taken.shown, grants=tuple(sorted(taken.grants)))
    taken.audit_id = note(desk, verdicts[0].ask, look, outcome)


def _bounds(desk: Desk, asks: Sequence[Ask], wanted: Wanted[Rows]) -> tuple[list[Verdict], Sequence[str]]:
    """What the decision says, and the ids of what is wanted within it."""
    with read(desk.engine) as db:
        verdicts = [judged(desk, ask, db) for ask in asks]
        for verdict in verdicts:
            if verdict.refusal is not None:
                raise NotGiven(verdict.refusal)
        ids = wanted.ids(db, verdicts[0], wanted.most + 1)
        if len(ids) > wanted.most:
            raise TooMany(wanted.most)
        for verdict in verdicts:
            _check_budget(db, verdict, ids)
    return verdicts, ids


def _check_budget(db: Connection, verdict: Verdict, ids: Sequence[str]) -> None:
    """Refuse before anything is counted what would not be given whole."""
    grant = verdict.by_grant
    if grant is None or verdict.row_budget is None or len(ids) <= verdict.row_budget:
        return
    if count_fresh(db, grant.id, ids) > verdict.row_budget:
        raise NotGiven(refusal("spent", verdict.ask))


def _check(found: Found[Rows], verdicts: Sequence[Verdict], named: bool) -> None:
    for _, place in found.places:
        for verdict in verdicts:
            why = verdict.refusal_of(place)
            if why is not None and (named or why.code == "spent"):
                raise NotGiven(why)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
