"""One index that answers every filter of the list of calls: text, line, direction, outcome, tag, star.

    call_terms   no = when the call began, in ms, << 12 | which of that ms    terms = what the index is given

    王小明 13800138000, line 7, incoming, missed   ->   王小 小明 明 13 38 80 ... 0  ʘs1 ʘs13 ʘs138 ʘs1380
                                                       ʘe0 ʘe00 ʘe000 ʘe8000  ʘl7 ʘdin ʘomissed

Its row ids are in the order of time, so a page of any search is read off it newest first, and days are
ranges of them: a search costs what it shows, not what there is. Triggers note which calls have changed;
whoever searches first brings those up to date, so nobody who writes a call needs to know of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from sync.db import Migrations, run_script, write
from sync.moment import from_text
from sync.search import index_script, mark, match, terms

SIGN = "ʘ"  # no word and no number begins with it, so no search for words finds these terms
ENDS = 4  # characters at either end of a number that are terms of their own
BITS = 12  # calls of one millisecond
BATCH = 1000
SEARCHED = "line, direction, outcome, caller_number, caller_name, dialled"

migrations = Migrations("call_search")


@migrations()
def m001_call_search(db: sqlite3.Connection) -> None:
    """The index, and the list of calls it does not know as they are."""
    run_script(
        db,
        """
        CREATE TABLE call_terms (
            no              INTEGER PRIMARY KEY,
            call_id         TEXT NOT NULL UNIQUE,
            terms           TEXT NOT NULL
        );
        CREATE TABLE call_terms_due (
            call_id         TEXT PRIMARY KEY
        ) WITHOUT ROWID;
        """
        + index_script("call_terms", "no")
        + ";"
        + _due("calls", "id", "INSERT", f"UPDATE OF {SEARCHED}")
        + _due("call_tags", "call_id", "INSERT", "DELETE")
        + _due("call_stars", "call_id", "INSERT", "DELETE")
        + "INSERT INTO call_terms_due SELECT id FROM calls",
    )


def _due(table: str, column: str, *whens: str) -> str:
    """Triggers that note the call of a row that has changed."""
    made = ""
    for at, when in enumerate(whens):
        row = "old" if when == "DELETE" else "new"
        made += f"""
        CREATE TRIGGER {table}_due_{at} AFTER {when} ON {table} BEGIN
            INSERT INTO call_terms_due SELECT {row}.{column}
            WHERE {row}.{column} IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM call_terms_due WHERE call_id = {row}.{column});
        END;
        """
    return made


def catch_up(db: sqlite3.Connection) -> None:
    """Bring the index up to date with the calls that have changed; costs one look when none has."""
    while db.execute("SELECT 1 FROM call_terms_due LIMIT 1").fetchone():
        with write(db):
            _take_in(db)


def _take_in(db: sqlite3.Connection) -> None:
    rows = db.execute(
        """SELECT d.call_id, c.started_utc, c.line, c.direction, c.outcome, c.caller_number, c.caller_name,
                  c.dialled, t.no, EXISTS (SELECT 1 FROM call_stars s WHERE s.call_id = c.id) AS starred
           FROM call_terms_due d LEFT JOIN calls c ON c.id = d.call_id
           LEFT JOIN call_terms t ON t.call_id = d.call_id ORDER BY d.call_id LIMIT ?""",
        (BATCH,),
    ).fetchall()
    for row in rows:
        if row["no"] is not None:
            db.execute("UPDATE call_terms SET terms = ? WHERE no = ?", (_terms(db, row), row["no"]))
        elif row["started_utc"] is not None:
            values = (_free_no(db, row["started_utc"]), row["call_id"], _terms(db, row))
            db.execute("INSERT INTO call_terms VALUES (?, ?, ?)", values)
    db.executemany("DELETE FROM call_terms_due WHERE call_id = ?", [(row["call_id"],) for row in rows])


def first_no(moment_utc: str) -> int:
    """The least number of a call that began at that moment."""
    return int(from_text(moment_utc).timestamp() * 1000 + 0.5) << BITS


def _free_no(db: sqlite3.Connection, started_utc: str) -> int:
    least = first_no(started_utc)
    row = db.execute(
        "SELECT max(no) FROM call_terms WHERE no >= ? AND no < ?", (least, least + (1 << BITS))
    ).fetchone()
    return least if row[0] is None else int(row[0]) + 1


def _terms(db: sqlite3.Connection, row: sqlite3.Row) -> str:
    numbers = [text for text in (row["caller_number"], row["dialled"]) if text]
    tags = [tag for (tag,) in db.execute("SELECT tag FROM call_tags WHERE call_id = ?", (row["call_id"],))]
    signs = [line_sign(row["line"]), direction_sign(row["direction"]), outcome_sign(row["outcome"])]
    signs += [STAR] * row["starred"] + [tag_sign(tag) for tag in tags]
    ends = [sign for number in numbers for sign in _ends(number)]
    texts = ((row["caller_name"] or "").replace(SIGN, " "), *numbers)
    return f"{terms(*texts)} {' '.join([*ends, *signs, *_symbol_signs(''.join(texts))])}"


def _symbol_signs(text: str) -> list[str]:
    """A term for each character that is no part of a word: searched for when nothing else is."""
    return [f"{SIGN}c{ord(one):x}" for one in sorted(set(text)) if not (one.isalnum() or one.isspace())]


def _ends(number: str) -> Iterable[str]:
    for length in range(1, ENDS + 1):
        if number[:length].isdecimal() and number.isascii():
            yield f"{SIGN}s{number[:length]}"
        if number[-length:].isdecimal() and number.isascii():
            yield f"{SIGN}e{number[-length:]}"


STAR = f"{SIGN}z"


def line_sign(line: int) -> str:
    """The term of a line's calls."""
    return f"{SIGN}l{line}"


def direction_sign(direction: str) -> str:
    """The term of calls one way."""
    return f"{SIGN}d{direction}"


def outcome_sign(outcome: str) -> str:
    """The term of calls that ended so."""
    return f"{SIGN}o{outcome}"


def tag_sign(tag: str) -> str:
    """The term of a tag, whatever its case."""
    return f"{SIGN}t{mark('tag', tag.lower())}"


def text_expression(text: str) -> str | None:
    """The FTS5 expression for a number or name, in which * stands for any characters; None finds nothing.

    With a * the ends are held to what stands there; that, and a text of symbols alone, `LIKE` checks.
    """
    text = text.replace(SIGN, " ")
    if "*" not in text:
        return match(text) or " AND ".join(f'"{sign}"' for sign in _symbol_signs(text)) or None
    parts = text.split("*")
    found = [expression for part in parts if (expression := match(part))]
    first, last = (re.sub(r"[^0-9]", " ", part) for part in (parts[0], parts[-1]))
    if head := re.match(rf"[0-9]{{1,{ENDS}}}", first):
        found.append(f'"{SIGN}s{head[0]}"')
    if tail := re.search(rf"[0-9]{{1,{ENDS}}}$", last):
        found.append(f'"{SIGN}e{tail[0]}"')
    return " AND ".join(found) or None


def needs_like(text: str) -> bool:
    """Whether the index finds more than `text` means."""
    return "*" in text or match(text) is None


def any_of(signs: Iterable[str]) -> str:
    """The expression for calls with at least one of these terms."""
    return "(" + " OR ".join(f'"{sign}"' for sign in signs) + ")"
