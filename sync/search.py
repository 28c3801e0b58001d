"""Search of names, companies and numbers by any two characters: text -> terms, words asked -> match.

Standard tokenizers take a whole Chinese sentence for one word. Runs of Han characters and of digits become
overlapping pairs instead, so the table's own full-text index answers in milliseconds at a million rows:

    王小明 0871-65123456  ->  王小 小明 明 08 87 71 16 65 51 12 23 34 45 56 6
    asked: 小明 512       ->  "小明" AND "51 12"          (pairs of one run must follow each other)

The terms stand in a column of the table itself: SQLite's FTS5 keeps an index over it by triggers, PostgreSQL
one over `to_tsvector('simple', terms)`; both find the same.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2s

LONGEST_ASKED = 64
MOST_RUNS = 8

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_RUNS = re.compile(rf"[{_HAN}]+|[0-9]+|[^\W\d_{_HAN}]+")
_INSIDE_NUMBERS = re.compile(r"(?<=[0-9])[ \-().]+(?=[0-9])")
_PAIRED = re.compile(rf"[{_HAN}0-9]")


def terms(*texts: str) -> str:
    """The terms of these texts, in order, with spaces between: what the index is given."""
    return " ".join(term for text in texts for run in _runs(text) for term in _terms_of(run))


def mark(kind: str, value: str) -> str:
    """A term that no text has, to index whose record it is: a filter the index answers with the words."""
    return f"m{blake2s(f'{kind} {value}'.encode(), digest_size=8).hexdigest()}0"


def match(asked: str, *marks: str) -> str | None:
    """The FTS5 expression for what was asked; every run and mark must be there. None: nothing is asked."""
    runs = _runs(asked[:LONGEST_ASKED])[:MOST_RUNS]
    return " AND ".join([*(_phrase(run) for run in runs), *(f'"{one}"' for one in marks)]) if runs else None


def ts_match(asked: str, *marks: str) -> str | None:
    """The same as a tsquery of PostgreSQL, over `to_tsvector('simple', terms)`; one of the marks will do."""
    runs = _runs(asked[:LONGEST_ASKED])[:MOST_RUNS]
    one_of = [f"({' | '.join(repr(one) for one in marks)})"] if marks else []
    return " & ".join([*(_ts_phrase(run) for run in runs), *one_of]) if runs else None


def needles(asked: str) -> list[str]:
    """What " " + terms + " " must contain, for a look at one row: all of these; none: nothing is asked."""
    return [_needle(run) for run in _runs(asked[:LONGEST_ASKED])[:MOST_RUNS]]


def pairs(asked: str) -> list[str]:
    """The terms of two characters that all which was asked for has; none of single characters and words."""
    runs = _runs(asked[:LONGEST_ASKED])[:MOST_RUNS]
    return [run[at : at + 2] for run in runs if _PAIRED.match(run) for at in range(len(run) - 1)]


def index_script(table: str, key: str, column: str = "terms") -> str:
    """SQL that makes `<table>_search`, the index over `column` of `table` with integer key `key`."""
    index = f"{table}_search"
    gone = f"INSERT INTO {index} ({index}, rowid, {column}) VALUES ('delete', old.{key}, old.{column})"
    come = f"INSERT INTO {index} (rowid, {column}) VALUES (new.{key}, new.{column})"
    return f"""
        CREATE VIRTUAL TABLE {index} USING fts5 (
            {column}, content='{table}', content_rowid='{key}', columnsize=0, tokenize='unicode61'
        );
        CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {come}; END;
        CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {gone}; END;
        CREATE TRIGGER {index}_update AFTER UPDATE OF {column} ON {table} BEGIN {gone}; {come}; END
    """


def _runs(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).lower()
    return _RUNS.findall(_INSIDE_NUMBERS.sub("", plain))


def _terms_of(run: str) -> list[str]:
    """Pairs and the last character alone, so that a search for one character finds it wherever it stands."""
    if not _PAIRED.match(run):
        return [run]
    return [run[at : at + 2] for at in range(len(run))]


def _phrase(run: str) -> str:
    if not _PAIRED.match(run) or len(run) == 1:
        return f'"{run}" *'
    return '"' + " ".join(run[at : at + 2] for at in range(len(run) - 1)) + '"'


def _ts_phrase(run: str) -> str:
    if not _PAIRED.match(run) or len(run) == 1:
        return f"'{run}':*"
    return "(" + " <-> ".join(f"'{run[at : at + 2]}'" for at in range(len(run) - 1)) + ")"


def _needle(run: str) -> str:
    if not _PAIRED.match(run) or len(run) == 1:
        return f" {run}"
    return " " + " ".join(run[at : at + 2] for at in range(len(run) - 1)) + " "
