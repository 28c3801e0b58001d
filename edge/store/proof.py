"""Whether one call or recording is still what was sealed: the badge on its page.

It looks at one subject only; that the whole chain is there, and the audio files, is for `edge verify`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from edge.seal import read_object, row_changes, sha256, signed_message
from edge.store.seals import FREE, SEALED, links_of, sealed_row, unset_values
from sync.keys import signature_holds


@dataclass(frozen=True, slots=True)
class Proof:
    """The newest seal of a call or recording, and what comparing it with the row says."""

    state: str  # whole | changed | unsigned
    seq: int  # link of the chain
    h: str
    sealed_utc: str


def proof_of(db: sqlite3.Connection, kind: str, subject: str) -> Proof | None:
    """The seal of a `kind` (call, recording) compared with its row as it is now; None: not sealed yet."""
    links = links_of(db, subject)
    now = sealed_row(db, kind, subject)
    if not links or now is None:
        return None
    link = links[-1]
    header, sealed = read_object(link.header) or {}, read_object(link.data) or {}
    then, parts = sealed.get("row"), sealed.get("parts")
    table, _ = SEALED[kind]
    is_whole = (
        sha256(link.header) == link.h
        and sha256(link.data) == header.get("data")
        and isinstance(then, dict)
        and parts == now["parts"]
        and not any(
            row_changes(
                {name: value for name, value in then.items() if name not in FREE[table]},
                now["row"],
                unset_values(db, table),
            )
        )
    )
    is_signed = signature_holds(header.get("key"), signed_message(link.seq, link.h), link.sig)
    state = "changed" if not is_whole else "whole" if is_signed else "unsigned"
    return Proof(state, link.seq, link.h, str(header.get("at", "")))
