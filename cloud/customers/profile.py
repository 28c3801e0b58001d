"""The customer's picture (客户画像): how long on the network, and what runs out when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class OnNetwork:
    """Whole years and months since a customer joined."""

    years: int
    months: int


def on_network(joined_on: str, today: date) -> OnNetwork | None:
    """Time on the network; None when the day is not known or still to come."""
    if not joined_on:
        return None
    joined = date.fromisoformat(joined_on)
    months = (today.year - joined.year) * 12 + today.month - joined.month - (today.day < joined.day)
    return OnNetwork(*divmod(months, 12)) if months >= 0 else None


def months_on_network(joined_on: str, today: date) -> int | None:
    """The same in whole months."""
    since = on_network(joined_on, today)
    return None if since is None else since.years * 12 + since.months


def expiry(expires_on: str, today: date) -> str:
    """How it stands with a package: open (no end known), running, soon, or over."""
    if not expires_on:
        return "open"
    ends = date.fromisoformat(expires_on)
    if ends < today:
        return "over"
    return "soon" if ends - today <= SOON else "running"


def next_expiry(expire_on: Iterable[str], today: date) -> str:
    """The first day from today on when something runs out; empty when nothing does."""
    return min((day for day in expire_on if day and date.fromisoformat(day) >= today), default="")
