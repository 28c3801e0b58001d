"""Calls and recordings as they are now, against their newest link; and links whose row is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge.seal import read_object, row_changes
from edge.store.seals import FREE, SEALED, UNFINISHED, links_of, sealed_row, unset_values
from edge.verify.bench import Bench, Fault, row_in


def check_calls(bench: Bench) -> Iterator[Fault]:
    """Every call against its newest link, and every link against its call."""
    return _rows(bench, "call")


def check_recordings(bench: Bench) -> Iterator[Fault]:
    """The same for recordings and their gaps."""
    return _rows(bench, "recording")


def _rows(bench: Bench, kind: str) -> Iterator[Fault]:
    table, _ = SEALED[kind]
    unset = unset_values(bench.db, table)
    for (subject,) in bench.db.execute(f"SELECT id FROM {table} ORDER BY rowid"):
        if kind == "call":
            bench.tally.calls += 1
        else:
            bench.tally.recordings += 1
        bench.step(f"{kind} {subject}")
        yield from (Fault(kind, says) for says in _row_faults(bench, kind, subject, unset))


def check_gone(bench: Bench) -> Iterator[Fault]:
    """Every sealed call and recording still has its row."""
    gone = bench.db.execute(
        "SELECT max(seq), subject, header, data FROM seal_links"
        " WHERE NOT EXISTS (SELECT 1 FROM calls WHERE id = subject)"
        " AND NOT EXISTS (SELECT 1 FROM recordings WHERE id = subject) GROUP BY subject ORDER BY seq"
    )
    for seq, subject, header, data in gone:
        if subject not in bench.damaged:
            kind = "call" if (read_object(header) or {}).get("kind") == "call" else "recording"
            yield Fault(kind, f"{kind} {subject} is gone; it was sealed as link {seq}{_told(data)}")


def _told(data: object) -> str:
    """A few words from what was sealed, to recognise it by."""
    row = row_in(read_object(data)) or {}
    columns = ("started_utc", "line_name", "caller_number", "file")
    words = [str(row[column]) for column in columns if row.get(column)]
    return f" ({', '.join(words)})" if words else ""


def _row_faults(bench: Bench, kind: str, subject: str, unset: dict[str, Any]) -> Iterator[str]:
    table, beside = SEALED[kind]
    now = sealed_row(bench.db, kind, subject)
    if now is None:
        yield f"{kind} {subject}: its id was changed to something unreadable"
        return
    links = links_of(bench.db, subject)
    if not links:
        if now["row"]["state"] not in UNFINISHED[table] and subject not in bench.damaged:
            yield f"{kind} {subject} was never sealed: it was put in beside the recorder"
        return
    sealed = read_object(links[-1].data) or {}
    row, parts = row_in(sealed), sealed.get("parts")
    if row is None or not isinstance(parts, dict):
        return  # the chain check has named it
    if kind == "recording":
        bench.to_read.append(subject)
    then = {name: value for name, value in row.items() if name not in FREE[table]}
    for change in row_changes(then, now["row"], unset):
        yield f"{kind} {subject}: {change} (link {links[-1].seq})"
    for name in beside:
        if name in parts and parts[name] != now["parts"][name]:
            yield f"{kind} {subject}: its {name} are {now['parts'][name]}, sealed as {parts[name]}"
