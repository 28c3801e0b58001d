"""Rows as JSON and JSON as fields: how the pages' values cross the border to programs, in one place.

rows     dataclass -> object, a set -> a sorted list, an Enum -> its value
fields   {"name": "Wang", "numbers": ["1", "2"], "record": true, "note": null}
         -> name=Wang  numbers=1;2  record=1  note=            (what a form would send)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from bottle import HTTPResponse

HIDDEN = frozenset({"password_hash"})  # leaves the box in no form


def plain(value: Any) -> Any:
    """`value` as what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value) if one.name not in HIDDEN}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(one) for one in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.value if isinstance(value, Enum) else value


def as_json(value: Any) -> str:
    """`value` as JSON text."""
    return json.dumps(plain(value), ensure_ascii=False)


def json_answer(value: Any, status: int = 200) -> HTTPResponse:
    """An answer that is JSON."""
    return HTTPResponse(as_json(value), status, {"Content-Type": "application/json; charset=utf-8"})


def fields_of(body: bytes) -> dict[str, str]:
    """The members of a JSON object as a form's fields; ValueError when it is none."""
    try:
        members = json.loads(body or b"{}")
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(members, dict):
        raise ValueError("wanted a JSON object")
    return {name: _field(value) for name, value in members.items()}


def _field(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, list):
        return ";".join(_field(one) for one in value)
    if isinstance(value, dict):
        raise ValueError("a field is a text, a number, true, false, null or a list of such")
    return "1" if value is True else str(value)
