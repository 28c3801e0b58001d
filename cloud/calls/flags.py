"""What people put on a call and find it by: a note, a star, tags, a report that its record is wrong."""

from __future__ import annotations

import re

from sync.locale import marked

NOTE, STAR, REPORT = "note", "star", "report"
MARKS: dict[str, str] = {  # flag -> what it is called in the filter
    NOTE: marked("With a note"),
    STAR: marked("Starred"),
    REPORT: marked("Reported as wrong"),
}
LONGEST_TAG = 24
MOST_TAGS = 10
_BETWEEN = re.compile(r"[,，、;；\n\0]")


def tag_flag(tag: str) -> str:
    """The flag of a call with that tag."""
    return f"tag:{tag}"


class TagsRefused(ValueError):
    """Tags that are too many or too long."""


def read_tags(typed: str) -> tuple[str, ...]:
    """The tags in what was typed, each once, in their order; TagsRefused. Commas of any kind part them."""
    parts = (one.strip() for one in _BETWEEN.split(typed))
    tags = tuple(dict.fromkeys(one for one in parts if one))
    if len(tags) > MOST_TAGS or any(len(one) > LONGEST_TAG for one in tags):
        raise TagsRefused(f"at most {MOST_TAGS} tags of {LONGEST_TAG} characters, got {len(tags)}")
    return tags
