"""The check of a subscriber's identity before anything is read for them, on the hotline or at a counter.

    checked --+-- differs from the record: refused, and counted
              +-- agrees with it, or none is on record: holds for this conversation and these numbers

Of the document only its kind and last four characters are kept. A check that agreed with the record lets any
agent read for the subscriber, as they could themselves (CDR-10, CDR-21); one that was not compared does not.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from sync.locale import marked

FACE_TO_FACE = ("hotline", "counter")  # somebody asks for a subscriber who is on the line or at the desk
LASTS = timedelta(minutes=30)  # a conversation
MOST_WRONG, WRONG_WITHIN = 5, timedelta(hours=1)
LAST = re.compile(r"[0-9]{3}[0-9X]")

DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "identity_card": marked("Identity card"),
        "passport": marked("Passport"),
        "residence_permit": marked("Residence permit"),
        "licence": marked("Business licence"),
    }
)


class Outcome(StrEnum):
    """What comparing with the record said."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_ON_RECORD = "not_on_record"


@dataclass(frozen=True, slots=True)
class Checked:
    """The checks that hold in a conversation: whom they are about, and for whom the document agreed."""

    ids: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()
    agreed: frozenset[str] = frozenset()


NOT_CHECKED = Checked()


def last_four(typed: str) -> str:
    """The last four characters as they are compared; "" when they are not that."""
    text = typed.strip().upper()
    return text if LAST.fullmatch(text) else ""


def compare(last4: str, on_record: Iterable[str]) -> Outcome:
    """Whether a document ends as one of those on record; takes as long whichever it is."""
    known = [one for one in on_record if one]
    if not known:
        return Outcome.NOT_ON_RECORD
    same = [hmac.compare_digest(one[-4:].upper().encode(), last4.encode()) for one in known]
    return Outcome.AGREES if any(same) else Outcome.DIFFERS
