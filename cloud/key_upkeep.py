"""What an administrator does about field keys at the command line: look at them, and take a new one.

A rotation may be stopped at any point. Run again it goes on with the key it had begun with, and makes another
only when nothing is left to do.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from cloud.admin import AdminError, open_database
from cloud.config import Settings
from cloud.field_keys import KeyFault, add_key, keyring_in
from cloud.store.field_rotation import BATCH, rotate_batch, rows_left
from sync.moment import to_text


def show_keys(settings: Settings, _asked: argparse.Namespace) -> str:
    """The keys by their ids, and how many rows wait for the newest; never the keys themselves."""
    try:
        ring = keyring_in(settings.keys_file, to_text(datetime.now(UTC)))
    except KeyFault as error:
        raise AdminError(str(error)) from error
    lines = [f"{key.id}  made {key.made_utc}" for key in ring.keys]
    lines[-1] += "  seals"
    left = rows_left(open_database(settings), ring)
    return "\n".join([*lines, f"{left} rows are sealed with an older key"])


def rotate_keys(settings: Settings, asked: argparse.Namespace) -> str:
    """Take a new key, unless a rotation is to be finished first, and seal every row with it."""
    now_utc, engine = to_text(datetime.now(UTC)), open_database(settings)
    try:
        ring = keyring_in(settings.keys_file, now_utc)
        begun = rows_left(engine, ring) > 0
        if not begun:
            ring = add_key(settings.keys_file, now_utc)
        done = 0
        while count := rotate_batch(engine, ring, asked.batch):
            done += count
    except KeyFault as error:
        raise AdminError(str(error)) from error
    how = "finished the rotation to" if begun else "now seals with"
    return f"{how} key {ring.active.id}: {done} rows. Older keys stay in {settings.keys_file} for old backups"


def add_parsers(things: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`admin keys show` and `admin keys rotate`."""
    keys = things.add_parser("keys", help="keys of sensitive fields").add_subparsers(
        required=True, metavar="show | rotate"
    )
    keys.add_parser("show", help="the keys by their ids").set_defaults(run=show_keys)
    rotate = keys.add_parser("rotate", help="take a new key; may be interrupted and run again")
    rotate.add_argument("--batch", type=int, default=BATCH, choices=range(1, 10_001), metavar="N")
    rotate.set_defaults(run=rotate_keys)
