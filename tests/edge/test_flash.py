"""`edge flash`: what is refused before anything is touched, and the way back when the board stays silent."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.flash import FlashError, Met, by_debug_wires, flash, last_good, read_release
from firmware.image.release import release
from hw.uf2 import wrap

OLD, NEW = b"program one".ljust(256, b"\0"), b"program two".ljust(256, b"\0")


@dataclass
class Bench:
    """A board that runs what it was given: each image has a version, or none and the board stays silent."""

    versions: dict[bytes, str | None]
    board: str = "linehat-l8"
    runs: bytes | None = OLD
    given: list[bytes] = field(default_factory=list)
    broken: bool = False  # the debug wires
    greetings: int = 0

    def program(self, image: bytes) -> None:
        if self.broken:
            raise FlashError("openocd: no probe")
        self.given.append(image)
        self.runs = image

    def meet(self, before: Met | None, within_s: float) -> Met | None:
        version = self.versions.get(self.runs or b"")
        self.greetings += 1
        return Met(self.board, version, self.greetings) if version else None


def make(folder: Path, image: bytes, version: str, board: str = "linehat-l8") -> Path:
    """A release in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{board}.uf2"
    file.write_bytes(wrap(image))
    about = {
        "board": board,
        "firmware": version,
        "protocol": "1.1",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    file.with_name(file.name + ".json").write_text(json.dumps(about))
    return file


def test_the_board_runs_the_new_image_and_it_is_kept(tmp_path: Path) -> None:
    bench = Bench({OLD: "0.1.0", NEW: "0.2.0"})
    file = make(tmp_path / "new", NEW, "0.2.0")
    says = flash(read_release(file), tmp_path / "kept", bench.program, bench.meet)
    assert says == "linehat-l8: firmware 0.1.0 is now firmware 0.2.0"
    assert bench.given == [NEW]
    kept = last_good(tmp_path / "kept", "linehat-l8")
    assert kept and (kept.firmware, kept.image) == ("0.2.0", NEW)


@pytest.mark.parametrize("heard", [None, "0.0.9"], ids=["silent", "another version"])
def test_a_board_that_does_not_greet_as_wanted_gets_the_last_good_image(
    tmp_path: Path, heard: str | None
) -> None:
    bench = Bench({OLD: "0.1.0", NEW: heard})
    make(tmp_path / "kept", OLD, "0.1.0")
    with pytest.raises(FlashError, match=r"the board has firmware 0\.1\.0 again"):
        flash(
            read_release(make(tmp_path / "new", NEW, "0.2.0")), tmp_path / "kept", bench.program, bench.meet
        )
    assert bench.given == [NEW, OLD] and bench.runs == OLD
    kept = last_good(tmp_path / "kept", "linehat-l8")
    assert kept and kept.firmware == "0.1.0", "a bad image is never kept"


def test_without_an_earlier_image_it_says_so(tmp_path: Path) -> None:
    bench = Bench({OLD: "0.1.0", NEW: None})
    with pytest.raises(FlashError, match=r"silent with firmware 0\.2\.0; there is no earlier image"):
        flash(read_release(make(tmp_path, NEW, "0.2.0")), tmp_path / "kept", bench.program, bench.meet)


def test_a_silent_board_can_be_given_a_program(tmp_path: Path) -> None:
    bench = Bench({NEW: "0.2.0"}, runs=None)
    says = flash(read_release(make(tmp_path, NEW, "0.2.0")), tmp_path / "kept", bench.program, bench.meet)
    assert says == "linehat-l8: a silent board is now firmware 0.2.0"


def test_an_image_for_another_board_touches_nothing(tmp_path: Path) -> None:
    bench = Bench({OLD: "0.1.0", NEW: "0.2.0"}, board="linehat-l2")
    with pytest.raises(FlashError, match="is for linehat-l8, this board says it is linehat-l2"):
        flash(read_release(make(tmp_path, NEW, "0.2.0")), tmp_path / "kept", bench.program, bench.meet)
    assert bench.given == []


def test_a_damaged_last_good_image_is_none(tmp_path: Path) -> None:
    file = make(tmp_path, OLD, "0.1.0")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert last_good(tmp_path, "linehat-l8") is None


def spoil(file: Path, **about: str) -> None:
    path = file.with_name(file.name + ".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | about))


def test_what_is_no_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"wanted an image and none\.uf2\.json beside it"):
        read_release(tmp_path / "none.uf2")
    file = make(tmp_path, NEW, "0.2.0")
    spoil(file, protocol="2.0")
    with pytest.raises(FlashError, match=r"speaks protocol 2\.0, this box 1"):
        read_release(file)
    spoil(file, protocol="1.7", sha256="0" * 64)
    with pytest.raises(FlashError, match="damaged"):
        read_release(file)
    file.write_bytes(b"not uf2 at all".ljust(512, b"."))
    spoil(file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(FlashError, match="not a UF2 block"):
        read_release(file)


def test_what_the_build_releases_is_what_flash_reads(tmp_path: Path) -> None:
    release("l4", NEW, tmp_path / "linehat-l4.uf2")
    read = read_release(tmp_path / "linehat-l4.uf2")
    assert (read.board, read.firmware, read.image) == ("linehat-l4", "0.1.0", NEW)


OPENOCD = """#!/bin/sh
for word; do case $word in program*) cp $(echo $word | cut -d' ' -f2) "$SEEN";; esac; done
echo "$@" >>"$SEEN.words"; echo Error: no probe >&2; exit {code}
"""


@pytest.mark.parametrize("code", [0, 1])
def test_openocd_is_asked_to_program_verify_and_reset(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "openocd"
    program.write_text(OPENOCD.replace("{code}", str(code)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    if code:
        with pytest.raises(FlashError, match="openocd: Error: no probe"):
            by_debug_wires(NEW)
    else:
        by_debug_wires(NEW)
    assert (tmp_path / "seen").read_bytes() == NEW
    words = (tmp_path / "seen.words").read_text()
    assert "target/rp2040.cfg" in words and words.rstrip().endswith("0x10000000 verify reset exit")


def test_without_openocd_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlashError, match="openocd is not installed"):
        by_debug_wires(NEW)
