"""About whom a row is: the words that a question, an application and a row must share to meet.

A number stands for itself in E.164 (a local one whose area nobody knows as `local:...`, a service by its
digits), a call or a customer by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud.access.grants import Place
from sync.phone import read_number


def subject_of_number(said: str | None) -> str:
    """The one word for a number as somebody said it; "" when it belongs to nobody in particular."""
    keys = read_number(said or "").keys
    return keys[0] if keys else ""


def call_place(row: Mapping[Any, Any]) -> Place:
    """Where a row of calls stands."""
    numbers = (subject_of_number(row["caller_number"]), subject_of_number(row["dialled"]))
    return Place(frozenset({*numbers, row["id"]}) - {""}, row["box_id"], row["started_utc"], row["id"])


def recording_place(row: Mapping[Any, Any]) -> Place:
    """Where a row of recordings stands whose call has not arrived yet."""
    return Place(frozenset({row["call_id"]}), row["box_id"], row["started_utc"], row["call_id"])
