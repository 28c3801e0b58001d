"""Rules that give a customer a tag: conditions kept as data, written by users, evaluated here and never run.

{"all": [{"field": "consumption", "is": "is", "value": "high"},
         {"field": "expires_in_days", "is": "at_most", "value": 30}]}

RuleRefused (ValueError)     a rule that means nothing; the message is a word of FAULTS
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cloud.customers.profile import months_on_network, next_expiry

MOST_CONDITIONS = 5
LONGEST_VALUE = 60
LARGEST_NUMBER = 100_000
FAULTS = (
    "no_condition",
    "too_many_conditions",
    "no_such_field",
    "no_such_comparison",
    "no_value",
    "no_number",
)

WORDS = ("is", "is_not", "contains")
NUMBERS = ("at_least", "at_most")
FIELDS: dict[str, tuple[str, ...]] = {  # what a condition may look at, and how
    "kind": WORDS[:2],
    "state": WORDS[:2],
    "consumption": WORDS[:2],
    "region": WORDS,
    "industry": WORDS,
    "remark": ("contains",),
    "class": WORDS[:2],
    "service": WORDS[:2],
    "package": WORDS,
    "months_on_network": NUMBERS,
    "expires_in_days": NUMBERS,
    "packages": NUMBERS,
    "numbers": NUMBERS,
}


class RuleRefused(ValueError):
    """A rule that means nothing; the message is one of FAULTS."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold."""

    field: str
    comparison: str
    value: str | int


Rule = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may know of a customer. Nothing sensitive is in it."""

    words: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, int | None]


def facts_of(
    row: Mapping[Any, Any], class_name: str, packages: Sequence[Mapping[Any, Any]], numbers: int, today: date
) -> Facts:
    """Facts out of a row of customers and what belongs to it."""
    ends = next_expiry([one["expires_on"] for one in packages], today)
    plain = ("kind", "state", "consumption", "region", "industry", "remark")
    return Facts(
        words={name: (row[name],) for name in plain}
        | {
            "class": (class_name,),
            "service": tuple(one["service"] for one in packages),
            "package": tuple(one["name"] for one in packages),
        },
        numbers={
            "months_on_network": months_on_network(row["joined_on"], today),
            "expires_in_days": (date.fromisoformat(ends) - today).days if ends else None,
            "packages": len(packages),
            "numbers": numbers,
        },
    )


def holds(rule: Rule, facts: Facts) -> bool:
    """Whether every condition holds; a rule without any holds for nobody."""
    return bool(rule) and all(_holds(one, facts) for one in rule)


def make_rule(rows: list[tuple[str, str, str]]) -> Rule:
    """Rows of (field, comparison, value) as people filled them in; RuleRefused."""
    rows = [row for row in rows if row[0]]
    if not rows:
        raise RuleRefused("no_condition")
    if len(rows) > MOST_CONDITIONS:
        raise RuleRefused("too_many_conditions")
    return tuple(_condition(*row) for row in rows)


def to_text(rule: Rule) -> str:
    """The rule as the database keeps it; empty for none."""
    rows = [{"field": one.field, "is": one.comparison, "value": one.value} for one in rule]
    return json.dumps({"all": rows}, ensure_ascii=False) if rows else ""


def from_text(text: str) -> Rule:
    """The inverse of `to_text`; RuleRefused for anything else."""
    if not text:
        return ()
    try:
        rows = [(str(row["field"]), str(row["is"]), str(row["value"])) for row in json.loads(text)["all"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RuleRefused("no_condition") from error
    return make_rule(rows)


def _condition(field: str, comparison: str, value: str) -> Condition:
    value = value.strip()
    if field not in FIELDS:
        raise RuleRefused("no_such_field")
    if comparison not in FIELDS[field]:
        raise RuleRefused("no_such_comparison")
    if not value or len(value) > LONGEST_VALUE:
        raise RuleRefused("no_value")
    if comparison not in NUMBERS:
        return Condition(field, comparison, value)
    if not (value.isascii() and value.isdigit() and int(value) <= LARGEST_NUMBER):
        raise RuleRefused("no_number")
    return Condition(field, comparison, int(value))


def _holds(one: Condition, facts: Facts) -> bool:
    if isinstance(one.value, int):
        known = facts.numbers[one.field]
        if known is None:
            return False
        return known >= one.value if one.comparison == "at_least" else known <= one.value
    words = facts.words[one.field]
    if one.comparison == "contains":
        return any(one.value in word for word in words)
    return (one.value in words) == (one.comparison == "is")
