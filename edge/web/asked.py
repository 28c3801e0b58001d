"""What a search of calls asks for, in words: for the head of a printed list."""

from __future__ import annotations

from collections.abc import Mapping

from edge.store.listing import line_names
from edge.web import shown
from edge.web.site import Visit
from sync.locale import marked

TICKED = marked("Only the ticked calls")
EVERYTHING = marked("All calls")
# what the address may ask for -> its name on the page
LABELS: Mapping[str, str] = {
    "text": marked("Number or name"),
    "line": marked("Line"),
    "direction": marked("Direction"),
    "outcome": marked("Outcome"),
    "from": marked("From"),
    "to": marked("To"),
    "tag": marked("Tag"),
    "starred": marked("Starred"),
}


def in_words(visit: Visit, asked: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(name, value) of each thing asked for, in the reader's language and the order of the form."""
    values = {name: asked.get(name, "").strip() for name in shown.ASKED}
    return tuple(
        (visit.text(LABELS[name]), _value(visit, name, value)) for name, value in values.items() if value
    )


def _value(visit: Visit, name: str, value: str) -> str:
    if name == "line":
        known = {str(line): f"{line} · {called}" for line, called in line_names(visit.db).items()}
        return known.get(value, value)
    tables = {"direction": shown.DIRECTIONS, "outcome": shown.OUTCOMES}
    if name in tables:
        return visit.text(shown.word(tables[name], value).text)
    return visit.text(marked("Yes")) if name == "starred" else value
