"""Finds calls: any filter, newest or oldest first, a page at a time, and as quick whatever the filter.

A list in order of time with a filter that few rows pass makes a database walk through all rows. So each
filter names a driver: an index that has the wanted rows already in order, asked once per key for no more than
a page. What the driver does not decide is looked at row by row (`rest`), outside of the walk over the index:
a database that sees both at once takes an index for the rest, and walks through a million rows of it.

Of what mostly has few rows (a flag, a number, a line) the first LOOK are looked at. If that does not make a
page, and there are more, the next driver is asked if it has few, else LOOK_FURTHER rows of the first; those
at once if the rows of the index itself know all that is asked.

    facets 17, 49 of box-01   ->   calls_by_box_facet (box-01, 17, newest ...)  51 rows  --+
                                   calls_by_box_facet (box-01, 49, newest ...)  51 rows  --+-- newest 51

SQLite, which serves small installations and has no LATERAL, gets the same conditions in one plain statement
that walks the calls in their order; what would find nothing that way is known before, from a smaller index:
a facet that no call has, the calls of several branches or of a line of theirs when they are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Subquery,
    TableValuedAlias,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from cloud.access.decision import Verdict
from cloud.calls.facets import Wish, facets_for
from cloud.calls.numbers import NumberWish, digits_of, whole_number
from cloud.store import facets
from cloud.store.call_conditions import (
    call_of,
    conditions_of_flags,
    ends_so,
    id_of,
    in_rows,
    is_number,
    one_of,
    rows_of,
    without_index,
)
from cloud.store.call_tables import call_flags
from cloud.store.database import in_order
from cloud.store.schema import boxes, calls

MOST_KEYS = 400  # each costs a look into every month's part
LOOK = 2000  # rows of one driver that are looked at before another is asked
LOOK_FURTHER = 20_000  # if the other has as many, these are looked at first
_WITH_FLAGS = frozenset({"box", "facet", "shortest", "longest"})
Conditions = dict[str, ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is asked before something else is tried; no bound changes what is found."""

    most_keys: int = MOST_KEYS
    look: int = LOOK
    further: int = LOOK_FURTHER


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are wanted, and in which order; None and empty mean any."""

    box_ids: frozenset[str] | None = None
    line: int | None = None
    wish: Wish = field(default_factory=Wish)
    numbers: tuple[NumberWish, ...] | None = None  # one of these; empty: no call has it
    about: tuple[NumberWish, ...] | None = None  # and one of these
    call_ids: frozenset[str] = frozenset()  # those count as `about` too
    name: str | None = None  # the caller's, whole
    flags: frozenset[str] = frozenset()  # all of these (cloud.calls.flags)
    from_utc: str | None = None  # begun at or after
    until_utc: str | None = None  # begun before
    oldest_first: bool = False


def bounded(wanted: CallFilter, verdict: Verdict) -> CallFilter:
    """`wanted` within what the verdict bounds: its branches, its span, whom it is about."""
    boxes_ = verdict.box_ids
    if boxes_ is not None and wanted.box_ids is not None:
        boxes_ = boxes_ & wanted.box_ids
    inside = replace(
        wanted,
        box_ids=wanted.box_ids if boxes_ is None else boxes_,
        from_utc=max(filter(None, (wanted.from_utc, verdict.from_utc)), default=None),
        until_utc=min(filter(None, (wanted.until_utc, verdict.until_utc)), default=None),
    )
    if verdict.subjects is None:
        return inside
    numbers = sorted(one for one in verdict.subjects if digits_of(one) and "-" not in one)
    about = tuple(wish for one in numbers for wish in whole_number(one.removeprefix("local:")))
    ids = verdict.subjects - set(numbers)
    if not ids and wanted.numbers is not None and set(wanted.numbers) <= set(about):
        return inside  # which is within them already: one index less to ask
    if wanted.about is not None:
        about, ids = tuple(one for one in wanted.about if one in about), ids & wanted.call_ids
    return replace(inside, about=about, call_ids=ids)


@dataclass(frozen=True, slots=True)
class Position:
    """The last call of a page; the next page begins after it."""

    started_utc: str
    call_id: str


@dataclass(frozen=True, slots=True)
class _Driver:
    """An index by its first columns, the keys to ask it for, and the conditions it takes care of."""

    columns: tuple[Column[Any], ...]
    keys: tuple[tuple[object, ...], ...]
    covers: frozenset[str]
    knows: frozenset[str] = frozenset()  # conditions that its rows answer without their call

    def keys_as_table(self) -> tuple[TableValuedAlias, list[ColumnElement[bool]]]:
        """The keys as rows, and what joins them to the index's table."""
        arrays = [
            literal(list(values), ARRAY(column.type))
            for column, values in zip(self.columns, zip(*self.keys, strict=True), strict=True)
        ]
        names = [column.name for column in self.columns]
        keys = func.unnest(*arrays).table_valued(*names, name="wanted").render_derived()
        return keys, [column == keys.c[column.name] for column in self.columns]


def list_calls(
    connection: Connection, wanted: CallFilter, after: Position | None, limit: int, verdict: Verdict
) -> Sequence[RowMapping]:
    """Up to `limit` calls with their `branch`, within what the verdict bounds, from `after` on."""
    return find_calls(connection, bounded(wanted, verdict), after, limit)


def find_calls(
    connection: Connection,
    wanted: CallFilter,
    after: Position | None,
    limit: int,
    bounds: Bounds = BOUNDS,
) -> Sequence[RowMapping]:
    """Up to `limit` calls with their `branch`, in order of time, from `after` on."""
    search = _Search(connection, wanted, after, limit, bounds.most_keys)
    if connection.dialect.name != "postgresql":
        return search.rows(search.in_order(bounds.look))
    first, second = search.drivers()
    if second is None:
        return search.rows(search.plain() if first is None else search.driven(first))
    assert first is not None
    for look in (bounds.further,) if search.knows_all(first) else (bounds.look, bounds.further):
        rows = search.rows(search.driven(first, look))
        if len(rows) == limit or search.seen_by(first, look) < look:
            return rows
        if look < bounds.further and search.seen_by(second, bounds.further) < bounds.further:
            break
    return search.rows(search.driven(second))


def with_branch() -> Select[tuple[object, ...]]:
    """Calls and the names of their branches."""
    # A call may be here before its box's row is.
    branch = func.coalesce(boxes.c.name, calls.c.box_id).label("branch")
    return select(calls, branch).select_from(calls.outerjoin(boxes, boxes.c.id == calls.c.box_id))


@dataclass(frozen=True, slots=True)
class _Search:
    """One question to the database, and the statements that answer it."""

    connection: Connection
    wanted: CallFilter
    after: Position | None
    limit: int
    most_keys: int

    def rows(self, statement: Select[tuple[object, ...]]) -> Sequence[RowMapping]:
        """The page that the statement gives."""
        with in_order(self.connection):
            return self.connection.execute(statement).mappings().all()

    def plain(self, **instead: ColumnElement[bool]) -> Select[tuple[object, ...]]:
        """All conditions in one WHERE."""
        conditions = self._conditions(calls.c) | instead
        every = with_branch().where(*conditions.values(), *_span(self.wanted, self.after, calls.c))
        return self._page(every, calls.c)

    def in_order(self, look: int) -> Select[tuple[object, ...]]:
        """The plain statement with what SQLite would not see: that no call has such facets, which end so."""
        wanted = self.wanted
        fitting = facets_for(wanted.wish)
        if not wanted.wish.is_any and not facets.any_there(self.connection, fitting, wanted.box_ids):
            return with_branch().where(false())
        if wanted.numbers and any(one.by_last4 for one in wanted.numbers):
            return self.plain().where(ends_so(wanted.numbers))
        if wanted.box_ids is None or len(wanted.box_ids) < 2:  # one branch has an index in order of time
            return self.plain()
        # Of several, SQLite would read and sort all calls.
        rows = rows_of(self.connection, wanted.box_ids, wanted.line, look)
        if len(rows) < look:
            return self.plain().where(in_rows(rows))
        return self.plain(box=without_index(wanted.box_ids))

    def driven(self, driver: _Driver, look: int | None = None) -> Select[tuple[object, ...]]:
        """The first page of the driver's rows that fit; of its first `look` rows, if that is given."""
        if not driver.keys:
            return with_branch().where(false())
        found = self._looked_at(driver, look) if look else self._pages(driver)
        ids = self._page(found, found.selected_columns).subquery("found")
        # One by one: joined, all months' parts may be read for some rows.
        call = call_of(ids.c.id)
        branch = func.coalesce(boxes.c.name, call.c.box_id).label("branch")
        there = ids.join(call, true()).outerjoin(boxes, boxes.c.id == call.c.box_id)
        return self._page(select(call, branch).select_from(there), call.c)

    def seen_by(self, driver: _Driver, look: int) -> int:
        """How many rows the driver has, `look` at most."""
        if not driver.keys:
            return 0
        if len(driver.keys) == 1:
            some = self._only_walk(driver).limit(look).subquery("some")
        else:
            keys, walk = self._walk(driver)
            one = walk.limit(look).lateral("walk")
            some = select(literal(1)).select_from(keys.join(one, true())).limit(look).subquery("some")
        with in_order(self.connection):
            return int(self.connection.execute(select(func.count()).select_from(some)).scalar_one())

    def knows_all(self, driver: _Driver) -> bool:
        """Whether no call has to be read to see that it does not fit."""
        return self._conditions(calls.c).keys() <= driver.covers | driver.knows

    def drivers(self) -> tuple[_Driver | None, _Driver | None]:
        """Which to ask, and which if that one has many rows and few of them fit; None: there is no other."""
        few = self._few()
        facet = [] if self.wanted.wish.is_any else [self._by_facet()]
        boxes_ = self._by_box()
        found = [*few, *facet, *([boxes_] if boxes_ and not facet else [])]
        if not few:
            return (found[0] if found else None), None
        return found[0], (facet[0] if facet else found[1] if len(found) > 1 else None)

    def _walk(self, driver: _Driver) -> tuple[TableValuedAlias, Select[Any]]:
        """The keys, and the rows of one of them in order."""
        keys, same = driver.keys_as_table()
        return keys, self._in_time(driver, same)

    def _only_walk(self, driver: _Driver) -> Select[Any]:
        """The rows of its one key."""
        pairs = zip(driver.columns, driver.keys[0], strict=True)
        return self._in_time(driver, [column == value for column, value in pairs])

    def _in_time(self, driver: _Driver, same: Sequence[ColumnElement[bool]]) -> Select[Any]:
        table = driver.columns[0].table
        rows = select(table).where(*same, *_span(self.wanted, self.after, table.c))
        return rows.order_by(*_order(self.wanted, table.c))

    def _looked_at(self, driver: _Driver, look: int) -> Select[Any]:
        """Of the first `look` rows of all keys together, those that fit; so no key is ahead of another."""
        if len(driver.keys) == 1:  # in order as they are: no more are read than make a page
            return self._fitting(self._only_walk(driver).limit(look).subquery("first"), driver)
        keys, walk = self._walk(driver)
        one = walk.limit(look).lateral("walk")
        first = select(one).select_from(keys.join(one, true()))
        return self._fitting(self._page(first, one.c, look).subquery("first"), driver)

    def _pages(self, driver: _Driver) -> Select[Any]:
        """A page of each key's rows that fit."""
        keys, walk = self._walk(driver)
        rows = walk.correlate(keys).offset(0).subquery("walk")  # OFFSET: what fits is looked at outside
        fitting = self._fitting(rows, driver).correlate(keys)
        page = self._page(fitting, fitting.selected_columns).lateral("page")
        return select(page).select_from(keys.join(page, true()))

    def _fitting(self, rows: Subquery, driver: _Driver) -> Select[Any]:
        """The id and time of those of the driver's rows that fulfil what it does not cover."""
        found = select(id_of(rows.c).label("id"), rows.c.started_utc)
        if driver.columns[0].table is calls:
            return found.where(*self._rest(driver, rows.c))
        known = conditions_of_flags(self.wanted, rows.c, arrays=True)
        found = found.where(*known.values())
        call = call_of(id_of(rows.c))
        rest = self._rest(driver, call.c)
        return found.join_from(rows, call, true()).where(*rest) if rest else found

    def _rest(self, driver: _Driver, columns: Any) -> list[ColumnElement[bool]]:
        conditions = self._conditions(columns)
        return [one for name, one in conditions.items() if name not in driver.covers]

    def _conditions(self, columns: Any) -> Conditions:
        return _conditions(self.wanted, columns, self.connection.dialect.name == "postgresql")

    def _page(self, rows: Select[Any], columns: Any, limit: int | None = None) -> Select[Any]:
        return rows.order_by(*_order(self.wanted, columns)).limit(limit or self.limit)

    def _few(self) -> list[_Driver]:
        """Drivers that mostly have few rows."""
        wanted, found = self.wanted, []
        for flag in sorted(wanted.flags)[:1]:
            found.append(_Driver((call_flags.c.flag,), ((flag,),), frozenset({flag}) | _WITH_FLAGS))
        for numbers in (wanted.numbers, wanted.about):
            if numbers is not None and (numbers is wanted.numbers or not wanted.call_ids):
                column = calls.c.last4 if numbers and numbers[0].by_last4 else calls.c.last8
                endings = sorted({one.last for one in numbers})
                keys = tuple((ending,) for ending in endings)
                found.append(_Driver((column,), keys, frozenset(), _WITH_FLAGS | {"number"}))
        if wanted.call_ids and not wanted.about:
            ids = tuple((id_,) for id_ in sorted(wanted.call_ids))
            found.append(_Driver((calls.c.id,), ids, frozenset({"about"})))
        if wanted.name is not None:
            found.append(_Driver((calls.c.caller_name,), ((wanted.name,),), frozenset({"name"})))
        if wanted.line is not None and wanted.box_ids is not None:
            lines = tuple((box_id, wanted.line) for box_id in sorted(wanted.box_ids))
            found.append(
                _Driver((calls.c.box_id, calls.c.line), lines, frozenset({"box", "line"}), _WITH_FLAGS)
            )
        return found

    def _by_facet(self) -> _Driver:
        wanted = self.wanted
        exact = {"shortest", "longest"}.isdisjoint(self._conditions(calls.c))
        most = self.most_keys if exact else self.most_keys // 8  # of each more than a page is looked at
        fitting = facets_for(wanted.wish)
        if wanted.box_ids is not None:
            pairs = facets.at_boxes(self.connection, fitting, wanted.box_ids, most + 1)
            if len(pairs) <= most:
                return _Driver((calls.c.box_id, calls.c.facet), tuple(pairs), frozenset({"box", "facet"}))
        keys = tuple((facet,) for facet in facets.existing(self.connection, fitting))
        return _Driver((calls.c.facet,), keys, frozenset({"facet"}))

    def _by_box(self) -> _Driver | None:
        wanted = self.wanted
        if wanted.box_ids is None or len(wanted.box_ids) > self.most_keys:
            return None
        keys = tuple((box_id,) for box_id in sorted(wanted.box_ids))
        return _Driver((calls.c.box_id,), keys, frozenset({"box"}))


def _order(wanted: CallFilter, columns: Any) -> tuple[ColumnElement[Any], ...]:
    key = (columns.started_utc, id_of(columns))
    return tuple(column.asc() if wanted.oldest_first else column.desc() for column in key)


def _conditions(wanted: CallFilter, columns: Any, arrays: bool) -> Conditions:
    """What a row must fulfil, by the name that drivers know it by; `arrays` if the database has those."""
    found = conditions_of_flags(wanted, columns, arrays)
    if wanted.line is not None:
        found["line"] = columns.line == wanted.line
    if wanted.numbers is not None:
        found["number"] = or_(false(), *(is_number(one, columns) for one in wanted.numbers))
    if wanted.about is not None:
        ids = one_of(columns.id, wanted.call_ids, arrays)
        found["about"] = or_(ids, *(is_number(one, columns) for one in wanted.about))
    if wanted.name is not None:
        found["name"] = columns.caller_name == wanted.name
    for flag in sorted(wanted.flags):
        marks = select(call_flags.c.flag).where(call_flags.c.flag == flag, call_flags.c.call_id == columns.id)
        found[flag] = exists(
            marks.correlate_except(call_flags).offset(0)
        )  # OFFSET: asked for a row at a time
    return found


def _span(wanted: CallFilter, after: Position | None, columns: Any) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.from_utc:
        conditions.append(columns.started_utc >= wanted.from_utc)
    if wanted.until_utc:
        conditions.append(columns.started_utc < wanted.until_utc)
    if after is not None:
        here, there = tuple_(columns.started_utc, id_of(columns)), tuple_(after.started_utc, after.call_id)
        conditions.append(here > there if wanted.oldest_first else here < there)
    return conditions
