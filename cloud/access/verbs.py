"""What can be done with a record, and how clearly its private fields are shown while it is done."""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    """What somebody wants to do."""

    VIEW = "view"
    LISTEN = "listen"
    EXPORT = "export"
    CHANGE = "change"


class Clarity(StrEnum):
    """How private fields are shown."""

    MASKED = "masked"
    CLEAR = "clear"
