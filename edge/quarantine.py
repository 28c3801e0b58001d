"""`python -m edge quarantine`: the one number, and what head office could not use."""

from __future__ import annotations

from contextlib import closing

from edge.config import Config
from edge.store import set_aside
from edge.store.schema import open_store
from edge.store.unreconciled import unreconciled
from sync.db import write

ALL = "all"


def show(config: Config, now_utc: str) -> str:
    """How this box and head office agree, and what is set aside."""
    with closing(open_store(config.database)) as db:
        found, number = set_aside.items(db), unreconciled(db, now_utc)
    last = number.last_closed
    closed = f"complete up to the hour {last} UTC" if last else "no hour is closed yet"
    lines = [
        f"{number.items} items not yet reconciled: {number.entries} entries, {number.files} recordings on"
        f" their way, {number.set_aside} set aside; {closed}"
    ]
    lines += [f"{one.id}  {one.what}  {one.at_utc or '-'}  {one.kind}  {one.code}" for one in found]
    return "\n".join(lines)


def send_again(config: Config, item_id: str, user: str, now_utc: str) -> str:
    """Send one item again, or all."""
    with closing(open_store(config.database)) as db, write(db):
        wanted = [one.id for one in set_aside.items(db)] if item_id == ALL else [item_id]
        for one in wanted:
            set_aside.send_again(db, one, user, now_utc)
    return f"{len(wanted)} will be sent again"


def dismiss(config: Config, item_id: str, reason: str, user: str, now_utc: str) -> str:
    """Dismiss one item."""
    with closing(open_store(config.database)) as db, write(db):
        set_aside.dismiss(db, item_id, reason, user, now_utc)
    return f"{item_id} is dismissed"
