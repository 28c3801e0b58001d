"""Head office's commands: `python -m cloud ingest | web | worker | admin ...`, all with one settings file.

A wrong setting or a request that cannot be carried out ends with a sentence on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cloud import admin, app, key_upkeep, trail_upkeep, unit_upkeep, upkeep
from cloud.access.roles import ROLES
from cloud.admin import AdminError, NewUser
from cloud.app import CertificateUnusable
from cloud.config import Settings, read_settings
from cloud.store.database import DatabaseUnusable
from sync.settings import SettingsError
from sync.topics import MOST_WORKERS

DEFAULT_CONFIG = Path("/etc/branchline/head-office.toml")
REFUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        settings = read_settings(asked.config)
        said = asked.run(settings, asked)
        if said:
            print(said)
    except (SettingsError, AdminError, DatabaseUnusable, CertificateUnusable, OSError) as error:
        print(error, file=sys.stderr)  # OSError: a folder, a file, the port
        return REFUSED
    return 0


def _run_web(settings: Settings, _asked: argparse.Namespace) -> None:
    app.run_web(settings)


def _run_worker(settings: Settings, _asked: argparse.Namespace) -> None:
    app.run_worker(settings)


def _run_ingest(settings: Settings, asked: argparse.Namespace) -> None:
    if asked.worker > 1 and not settings.database_url.startswith("postgresql"):
        raise AdminError(f"worker {asked.worker} needs PostgreSQL (database_url); SQLite serves one only")
    app.run_ingest(settings, asked.worker)


def _add_user(settings: Settings, asked: argparse.Namespace) -> None:
    user = NewUser(asked.name, asked.role, asked.password_file)
    password = admin.add_user(settings, user, datetime.now(UTC))
    print(f"user {asked.name} added, role {asked.role}")
    if password:
        print(f"password (shown only now): {password}")


def _init_ca(settings: Settings, asked: argparse.Namespace) -> None:
    print(f"certificates are in {admin.init_ca(settings, asked.host, datetime.now(UTC), asked.workers)}")


def _add_box(settings: Settings, asked: argparse.Namespace) -> None:
    files = admin.add_box(settings, asked.id, asked.name, asked.out, datetime.now(UTC))
    print(f"box {asked.id} ({asked.name}) is registered; copy these files to it:")
    for file in files:
        print(f"  {file}")


def _broker_config(settings: Settings, asked: argparse.Namespace) -> None:
    print(admin.write_broker_config(settings, asked.out, asked.bind, asked.user))


_WORKERS = range(1, MOST_WORKERS + 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloud", description="Branchline's head office")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help=f"settings ({DEFAULT_CONFIG})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ingest = commands.add_parser("ingest", help="take in what the boxes send")
    ingest.add_argument(
        "--worker", type=int, default=1, choices=_WORKERS, metavar="N", help="which of several this is"
    )
    ingest.set_defaults(run=_run_ingest)
    commands.add_parser("web", help="serve the page").set_defaults(run=_run_web)
    worker = commands.add_parser(
        "worker", help="do what is due by itself: anchor the audit trail, shorten it"
    )
    worker.set_defaults(run=_run_worker)
    _add_admin(commands.add_parser("admin", help="users, certificates, boxes, broker"))
    return parser


def _add_admin(parser: argparse.ArgumentParser) -> None:
    things = parser.add_subparsers(required=True, metavar="THING")
    user = things.add_parser("user", help="people who may log in").add_subparsers(
        required=True, metavar="add"
    )
    add = user.add_parser("add", help="add a person")
    add.add_argument("name")
    add.add_argument("--role", required=True, choices=list(ROLES))
    add.add_argument("--password-file", type=Path, help="file holding the password; else one is made up")
    add.set_defaults(run=_add_user)

    ca = things.add_parser("ca", help="certificates").add_subparsers(required=True, metavar="init")
    init = ca.add_parser("init", help="make the authority, the broker's certificate and ingest's")
    init.add_argument("--host", action="append", default=[], help="another name or address of the broker")
    init.add_argument(
        "--workers",
        type=int,
        default=1,
        choices=_WORKERS,
        metavar="N",
        help="how many ingest workers to certify",
    )
    init.set_defaults(run=_init_ca)

    boxes = things.add_parser("box", help="boxes").add_subparsers(required=True, metavar="add | release")
    add = boxes.add_parser("add", help="register a box and make its certificates")
    add.add_argument("id", help="lower-case letters, digits and -; cannot be changed later")
    add.add_argument("--name", required=True, help="the branch, as people say it")
    add.add_argument("--out", type=Path, required=True, help="folder for the files to copy to the box")
    add.set_defaults(run=_add_box)

    release = boxes.add_parser("release", help="take data again from a box that was held back")
    release.add_argument("id")
    release.set_defaults(run=upkeep.release_box)
    upkeep.add_parsers(things)
    trail_upkeep.add_parsers(things)
    unit_upkeep.add_parsers(things)
    key_upkeep.add_parsers(things)

    config = things.add_parser("broker-config", help="write mosquitto's configuration")
    config.add_argument(
        "--out", type=Path, required=True, help="folder for mosquitto.conf and its access list"
    )
    config.add_argument("--bind", default="0.0.0.0", help="address the broker listens on (every network)")
    config.add_argument(
        "--user", default="mosquitto", help="user mosquitto runs as; must be able to read its key"
    )
    config.set_defaults(run=_broker_config)


if __name__ == "__main__":
    sys.exit(main())
