"""`edge flash`: another program for a board's microcontroller, with the way back kept.

    look     the image fits the board, is whole, speaks our protocol      refused: nothing was touched
    program  through the debug wires of the header (openocd)              failed: the last good one goes back
    meet     the board greets within some seconds, as the wanted version  silent: the last good one goes back
    keep     this image is the last good one now

The recorder goes on recording meanwhile and follows the lines by their audio; hook switches are at rest.

    FlashError      what was wanted, what came
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from hw.uf2 import FLASH, Uf2Error, unwrap
from hw.wire import MAJOR

OPENOCD = ("openocd", "-f", "interface/raspberrypi-swd.cfg", "-f", "target/rp2040.cfg")
PROGRAM_TIMEOUT_S = 120
MEET_WITHIN_S = 10.0


class FlashError(ValueError):
    """Why the board was not given this image, or what became of it."""


@dataclass(frozen=True, slots=True)
class Release:
    """An image with what its release says of it."""

    file: Path
    board: str
    firmware: str
    image: bytes


@dataclass(frozen=True, slots=True)
class Met:
    """Who greeted at the port."""

    board: str
    firmware: str | None
    greetings: int = 0  # how many the recorder had heard; 0: asked just now


Program = Callable[[bytes], None]  # FlashError when it fails
Meet = Callable[[Met | None, float], Met | None]  # who greets after this one did, within so many seconds


def read_release(file: Path) -> Release:
    """The image in `file`, held to the `.json` beside it; raises FlashError."""
    about_file = file.with_name(file.name + ".json")
    try:
        data, about = file.read_bytes(), json.loads(about_file.read_text(encoding="utf-8"))
        board, firmware, protocol, sha256 = (
            about[key] for key in ("board", "firmware", "protocol", "sha256")
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FlashError(f"{file}: wanted an image and {about_file.name} beside it: {error!r}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FlashError(f"{file}: damaged, its SHA-256 is not the one in {about_file.name}")
    if str(protocol).split(".")[0] != str(MAJOR):
        raise FlashError(f"{file}: speaks protocol {protocol}, this box {MAJOR}")
    try:
        return Release(file, str(board), str(firmware), unwrap(data))
    except Uf2Error as error:
        raise FlashError(f"{file}: {error}") from None


def flash(release: Release, kept: Path, program: Program, meet: Meet) -> str:
    """Give the board this image or leave it with the last good one; says what happened, raises FlashError.

    `kept` is the folder of the last good image; it changes only after the board has greeted with the new one.
    """
    there = meet(None, MEET_WITHIN_S)
    if there and there.board != release.board:
        raise FlashError(f"{release.file} is for {release.board}, this board says it is {there.board}")
    try:
        _give(release, there, program, meet)
    except FlashError as error:
        last = last_good(kept, release.board)
        if last is None:
            raise FlashError(f"{error}; there is no earlier image to go back to, try again") from None
        _give(last, None, program, meet)
        raise FlashError(f"{error}; the board has firmware {last.firmware} again") from None
    _keep(release, kept)
    before = f"firmware {there.firmware}" if there else "a silent board"
    return f"{release.board}: {before} is now firmware {release.firmware}"


def last_good(kept: Path, board: str) -> Release | None:
    """The image that this board last greeted with; None if none was kept, or what is kept is damaged."""
    try:
        return read_release(kept / f"{board}.uf2")
    except FlashError:
        return None


def by_debug_wires(image: bytes) -> None:
    """Program the chip through the header's SWD pins; raises FlashError with openocd's last words."""
    with NamedTemporaryFile(suffix=".bin") as file:
        file.write(image)
        file.flush()
        command = (*OPENOCD, "-c", f"program {file.name} {FLASH:#x} verify reset exit")
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S)
        except FileNotFoundError:
            raise FlashError("openocd is not installed") from None
        except subprocess.TimeoutExpired:
            raise FlashError(f"openocd did not come back within {PROGRAM_TIMEOUT_S} s") from None
    if ran.returncode != 0:
        raise FlashError("openocd: " + (ran.stderr.strip().splitlines() or ["no word"])[-1])


def _give(release: Release, before: Met | None, program: Program, meet: Meet) -> None:
    program(release.image)
    met = meet(before, MEET_WITHIN_S)
    if met is None:
        raise FlashError(f"the board is silent with firmware {release.firmware}")
    if (met.board, met.firmware) != (release.board, release.firmware):
        raise FlashError(f"wanted {release.board} {release.firmware}, {met.board} {met.firmware} greeted")


def _keep(release: Release, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for suffix in (".json", ""):  # the image last: with its description it is whole
        new = kept / f"{release.board}.uf2{suffix}.new"
        shutil.copyfile(release.file.with_name(release.file.name + suffix), new)
        new.replace(kept / f"{release.board}.uf2{suffix}")
