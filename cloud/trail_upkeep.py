"""What an administrator does about the audit trail at the command line: verify it, anchor it now.

python -m cloud admin audit-trail verify     exit code 2 when something is not as it was written
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from cloud import trail
from cloud.admin import AdminError, open_database
from cloud.config import Settings
from cloud.trail import Notary
from cloud.worker import notary_of
from sync.envelope import is_hash
from sync.moment import to_text

MOST_LINES = 1000


def verify(settings: Settings, asked: argparse.Namespace) -> str:
    """Name every row that was removed, changed, inserted or moved."""
    findings = list(islice(trail.verify(open_database(settings), _notary(settings, asked.key)), MOST_LINES))
    if findings:
        lines = (f"{one.what}: chain {one.chain}, number {one.seq}: {one.detail}" for one in findings)
        more = " or more" if len(findings) == MOST_LINES else ""
        raise AdminError("\n".join([*lines, f"{len(findings)}{more} findings in the audit trail"]))
    return "the audit trail is as it was written"


def anchor(settings: Settings, _asked: argparse.Namespace) -> str:
    """Sign where the trail ends now."""
    notary = notary_of(settings)
    number = trail.anchor(open_database(settings), notary, to_text(datetime.now(UTC)))
    return f"anchor {number} is in {notary.file}; keep a copy on another machine"


def add_parsers(things: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands of this module."""
    what = things.add_parser("audit-trail", help="the log of who read and did what").add_subparsers(
        required=True, metavar="verify | anchor"
    )
    look = what.add_parser("verify", help="whether any row was removed, changed, inserted or moved")
    look.add_argument(
        "--key", action="append", default=[], metavar="HEX", help="public key that signed before this one"
    )
    look.set_defaults(run=verify)
    what.add_parser("anchor", help="sign where it ends now").set_defaults(run=anchor)


def _notary(settings: Settings, keys: Sequence[str]) -> Notary:
    for key in keys:
        if not is_hash(key):
            raise AdminError(f"a public key has 64 hex digits, got {key!r}")
    return replace(notary_of(settings), trusted=frozenset(keys))
