"""A sheet of communications that is undone at a branch goes at head office too, over a real mosquitto."""

from __future__ import annotations

from datetime import UTC, datetime

from edge.store import communications, imports
from edge.store.communications import Told
from edge.store.operations import Operation
from edge.store.scope import Author
from sync.ids import new_id
from tests.sync.station import AT, Box, Office, until

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
BY = Operation("import_communications", "done", "", "lin")
LIN = Author("lin", "1001", None, "")


def take_in(box: Box, *contents: str) -> imports.Import:
    """A sheet with these communications, confirmed."""
    kept = imports.keep_file(box.db, "communications", "u", b"x", len(contents), NOW)
    rows = [
        communications.new_row(new_id(), Told("visit", AT, one, number="13800138000"), LIN, AT, kept.id)
        for one in contents
    ]
    inserts = [lambda row=row: communications.insert(box.db, row, AT) for row in rows]
    assert imports.add_all(box.db, kept, inserts, BY, NOW)
    return kept


def there(office: Office) -> list[str]:
    """What head office still shows."""
    return [str(row["content"]) for row in office.rows("communications") if row["cleared_utc"] is None]


def test_head_office_loses_what_an_undone_sheet_had_added(box: Box, office: Office) -> None:
    kept, undone = take_in(box, "stays"), take_in(box, "a", "b", "c")
    until(lambda: len(there(office)) == 4, box, office)
    assert imports.undo(box.db, undone, BY, NOW) == imports.Undone(3, 0)
    until(lambda: box.owes == 0, box, office)
    assert there(office) == ["stays"]
    assert imports.undo(box.db, kept, BY, NOW) == imports.Undone(1, 0)
    until(lambda: box.owes == 0, box, office)
    assert there(office) == []
