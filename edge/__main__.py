"""`python -m edge ...`: the box's three services and its tools. Bad input is one sentence and exit code 2."""

from __future__ import annotations

import argparse
import getpass
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.config import Config, read_config
from edge.holding import HeldElsewhere
from sync.moment import to_text
from sync.settings import SettingsError

DEFAULT_CONFIG = Path("/etc/branchline/box.toml")


def record(options: argparse.Namespace, config: Config) -> int:
    """Capture, detect, record: the service that must not stop."""
    from sync.heap import keep_heap

    keep_heap()  # before the rest is imported: what that frees would stay
    from edge.app import build_record_service, encoding_worker, run
    from edge.clock import SystemClock

    stop = _stop_on_signal()
    service = build_record_service(config, SystemClock(), encoding_worker)
    found = service.adopted
    if found.calls or found.recordings or found.lost or found.orphans:
        print(
            f"recorder: took over {found.calls} calls and {found.recordings} recordings from an earlier run;"
            f" {found.lost} recordings had no audio, {found.orphans} files were put aside",
            flush=True,
        )
    run(service, stop, lambda: print("recorder: ready", flush=True))
    return 0


def web(options: argparse.Namespace, config: Config) -> int:
    """Serve the branch page."""
    from edge.services import web_settings
    from edge.web.server import serve

    settings = web_settings(config)

    def ready(address: str) -> None:
        print(f"page: {address}", flush=True)
        if settings.authority:
            print(f"page: its authority's SHA-256 is {settings.authority.fingerprint}", flush=True)

    serve(settings, _stop_on_signal(), ready)
    return 0


def sync(options: argparse.Namespace, config: Config) -> int:
    """Send what is in the outbox to head office, and the recordings after it."""
    from edge.services import sync_settings
    from edge.syncer import run

    stop = _stop_on_signal()
    if not config.head_office.host:
        print("sync: no head office is set ([head_office] host); waiting for a new configuration", flush=True)
        stop.wait()
        return 0
    print("sync: ready", flush=True)
    run(sync_settings(config), stop)
    return 0


def user_add(options: argparse.Namespace, config: Config) -> int:
    """Make a log-in for the page; without --password-file it is asked for, or made and printed once."""
    from edge.store.schema import open_store
    from edge.store.users import add_user

    config.box.data_dir.mkdir(parents=True, exist_ok=True)
    made = False
    if options.password_file:
        password = options.password_file.read_text(encoding="utf-8").strip()
    elif sys.stdin.isatty():
        password = getpass.getpass(f"password for {options.name}: ")
    else:
        password = secrets.token_urlsafe(12)
        made = True
    db = open_store(config.database)
    try:
        add_user(db, options.name, password, options.role)
    finally:
        db.close()
    print(f"user {options.name}: " + (f"password {password} (shown only now)" if made else "added"))
    return 0


def doctor(options: argparse.Namespace, config: Config) -> int:
    """Look at everything the box needs and say what to do about what is missing."""
    from edge.doctor import examine, print_findings

    return print_findings(examine(config), as_json=options.json)


def flash(options: argparse.Namespace, config: Config) -> int:
    """Give a board's microcontroller another program; the last good one is kept and goes back if it must."""
    from edge.boards import meeting
    from edge.flash import by_debug_wires, read_release
    from edge.flash import flash as give

    hat = config.hat(options.board)
    kept = config.box.data_dir / "firmware"
    print(give(read_release(options.image), kept, by_debug_wires, meeting(config, hat)))
    return 0


def verify(options: argparse.Namespace, config: Config) -> int:
    """Check every call, recording, link of the chain and outbox entry; name what was changed."""
    from edge.verify import print_key, run_verify

    if options.key:
        return print_key(config.database)
    return run_verify(config.database, config.recordings_dir, options.json, options.head)


def evidence(options: argparse.Namespace, config: Config) -> int:
    """Make a zip of one call that proves itself: audio, record, chain, key, sheet and verifier."""
    from edge.evidence import run_evidence

    print(run_evidence(config, options.call_id, options.out))
    return 0


def storage(options: argparse.Namespace, config: Config) -> int:
    """How full the disk is and what is kept; --preview says what the rules would delete now."""
    from edge.storage import report

    now_utc, user = to_text(datetime.now(UTC)), getpass.getuser()
    if options.hold:
        print(report.hold_call(config, options.hold, options.reason, user, now_utc))
    elif options.lift:
        print(report.lift_call(config, options.lift, user, now_utc))
    elif options.preview:
        print(report.preview_rules(config, now_utc))
    else:
        print(report.show_storage(config, now_utc))
    return 0


def upload(options: argparse.Namespace, config: Config) -> int:
    """How the upload of audio stands; --pause and --resume it. Call records always go."""
    from edge.uploads import run_upload

    print(run_upload(config, options.ask, getpass.getuser(), datetime.now(ZoneInfo(config.box.time_zone))))
    return 0


def quarantine(options: argparse.Namespace, config: Config) -> int:
    """How far head office agrees, and what it could not use; --retry or --dismiss an item."""
    from edge import quarantine as aside

    now_utc, user = to_text(datetime.now(UTC)), getpass.getuser()
    if options.retry:
        print(aside.send_again(config, options.retry, user, now_utc))
    elif options.dismiss:
        print(aside.dismiss(config, options.dismiss, options.reason, user, now_utc))
    else:
        print(aside.show(config, now_utc))
    return 0


def backup(options: argparse.Namespace, config: Config) -> int:
    """Copy the database and all audio to the backup folder; --verify reads all of it again."""
    from edge.backup import run_backup, verify_backup

    folder = options.to or (Path(config.storage.backup_dir) if config.storage.backup_dir else None)
    if folder is None:
        print("backup: no folder is set ([storage] backup_dir, or --to)")
        return 0
    if options.verify:
        result = verify_backup(folder)
    else:
        result = run_backup(config, to_text(datetime.now(UTC)), folder, options.first)
    print(f"backup in {folder}: {result.says}")
    return 1 if result.faults else 0


def restore(options: argparse.Namespace, config: Config) -> int:
    """Make this box, which must be empty, out of a backup; every file is checked."""
    from edge.restore import restore as restore_from

    result = restore_from(config, options.folder, to_text(datetime.now(UTC)), options.partial)
    print(f"restored from {options.folder}: {result.says}")
    return 1 if result.faults else 0


def replay(options: argparse.Namespace) -> int:
    """Run an audio file through the whole pipeline."""
    from edge.replay import replay_file

    return replay_file(options.file, options.line, options.country, options.keep)


COMMANDS: dict[str, Callable[[argparse.Namespace, Config], int]] = {
    "record": record,
    "web": web,
    "sync": sync,
    "user": user_add,
    "doctor": doctor,
    "flash": flash,
    "verify": verify,
    "evidence": evidence,
    "storage": storage,
    "upload": upload,
    "quarantine": quarantine,
    "backup": backup,
    "restore": restore,
}


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (("record", record), ("web", web), ("sync", sync), ("doctor", doctor)):
        command = commands.add_parser(name, help=about.__doc__)
        command.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the box's settings file")
        if name == "doctor":
            command.add_argument("--json", action="store_true", help="one JSON object per finding")
    user = commands.add_parser("user", help="log-ins for the page").add_subparsers(required=True)
    add = user.add_parser("add", help=user_add.__doc__)
    add.add_argument("name")
    add.add_argument("--role", default="super", help="super, leader or ordinary")
    add.add_argument("--password-file", type=Path, help="file whose first line is the password")
    add.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the box's settings file")
    check = commands.add_parser("verify", help=verify.__doc__)
    check.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the box's settings file")
    check.add_argument("--json", action="store_true", help="one JSON object per fault, then the totals")
    check.add_argument("--head", default="", help="a chain head kept elsewhere, as NUMBER:SHA-256")
    check.add_argument("--key", action="store_true", help="only print the box's public key")
    pack = commands.add_parser("evidence", help=evidence.__doc__)
    pack.add_argument("call_id", metavar="CALL_ID", help="the call's id, as its page shows it")
    pack.add_argument("--out", type=Path, required=True, help="the zip to write")
    pack.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the box's settings file")
    program = commands.add_parser("flash", help=flash.__doc__)
    program.add_argument("image", type=Path, help="linehat-<board>.uf2, with its .json beside it")
    program.add_argument("--board", default="", help="its name in the settings, if there are several")
    program.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the box's settings file")
    _storage_parsers(commands)
    play = commands.add_parser("replay", help=replay.__doc__)
    play.add_argument("file", type=Path, help="an audio file; each of its channels is a line")
    play.add_argument("--line", type=int, default=1, help="the file's first channel is this line")
    play.add_argument("--country", default="cn", help="tones and line times: cn, us, uk or eu")
    play.add_argument("--keep", type=Path, help="folder to keep the database and recordings in")
    commands.add_parser("decode", help="find caller IDs, keys and tones in audio files", add_help=False)
    return parser


def _storage_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    room = commands.add_parser("storage", help=storage.__doc__)
    room.add_argument("--preview", action="store_true", help="what the rules would delete now")
    room.add_argument(
        "--hold", metavar="CALL_ID", help="legal hold: nothing deletes or changes this call's audio"
    )
    room.add_argument("--reason", default="", help="why it is held")
    room.add_argument("--lift", metavar="CALL_ID", help="end a hold")
    audio = commands.add_parser("upload", help=upload.__doc__)
    ask = audio.add_mutually_exclusive_group()
    for word in ("pause", "resume"):
        ask.add_argument(f"--{word}", dest="ask", action="store_const", const=word, default="show")
    aside = commands.add_parser("quarantine", help=quarantine.__doc__)
    settle = aside.add_mutually_exclusive_group()
    settle.add_argument("--retry", metavar="ID", help="send this again (all: everything that is listed)")
    settle.add_argument("--dismiss", metavar="ID", help="it is of no use to anybody")
    aside.add_argument("--reason", default="", help="why it is dismissed")
    copy = commands.add_parser("backup", help=backup.__doc__)
    copy.add_argument("--to", type=Path, help="another folder than [storage] backup_dir")
    copy.add_argument(
        "--verify", action="store_true", help="only read the backup again and name what is wrong"
    )
    copy.add_argument("--first", action="store_true", help="it is right that the folder is empty: a new disk")
    back = commands.add_parser("restore", help=restore.__doc__)
    back.add_argument("folder", type=Path, help="the backup's folder")
    back.add_argument(
        "--partial", action="store_true", help="leave out audio that is missing or damaged there"
    )
    for command in (room, audio, aside, copy, back):
        command.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the box's settings file")


def main(arguments: list[str]) -> int:
    """Run one command; the exit code is 2 for anything that was given wrong."""
    if arguments[:1] == ["decode"] and "--again" in arguments:
        from edge.again import main as decode_again

        return decode_again(arguments[1:], DEFAULT_CONFIG)
    if arguments[:1] == ["decode"]:
        from edge.decode import main as decode

        return decode(arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        if options.command == "replay":
            return replay(options)
        return COMMANDS[options.command](options, read_config(options.config))
    except SettingsError as error:
        print(error, file=sys.stderr)
    except (OSError, ValueError, HeldElsewhere) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
