"""What people put on a call and find it by: a note, a star, tags, a report that its record is wrong."""

from __future__ import annotations

from sync.locale import marked

NOTE, STAR, REPORT, HOLD = "note", "star", "report", "hold"
MARKS: dict[str, str] = {  # flag -> what it is called in the filter
    NOTE: marked("With a note"),
    STAR: marked("Starred"),
    REPORT: marked("Reported as wrong"),
}
LONGEST_TAG = 24
MOST_TAGS = 10


def tag_flag(tag: str) -> str:
    """The flag of a call with that tag."""
    return f"tag:{tag}"
