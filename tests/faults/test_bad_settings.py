"""Settings files altered at random: what begins is right, all else is refused in a sentence."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.config import Settings
from edge.config import Config
from sync.settings import SettingsError, read_toml

ROOT = Path(__file__).parents[2]
FILES: dict[str, tuple[Path, type]] = {
    "box": (ROOT / "edge/box.example.toml", Config),
    "head office": (ROOT / "cloud/head-office.example.toml", Settings),
}
TRIES = 250
NONSENSE = (
    "",
    "-1",
    "1e999",
    "nan",
    "true",
    '"x"',
    "[]",
    "{}",
    '"\\u0000"',
    '"' + "x" * 70_000 + '"',
    "9" * 30,
)


def bytes_flipped(text: bytes, choice: random.Random) -> bytes:
    at = choice.randrange(len(text))
    return text[:at] + bytes([text[at] ^ 1 << choice.randrange(8)]) + text[at + 1 :]


def line_lost(text: bytes, choice: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    del lines[choice.randrange(len(lines))]
    return b"".join(lines)


def cut_off(text: bytes, choice: random.Random) -> bytes:
    return text[: choice.randrange(len(text))]


def value_replaced(text: bytes, choice: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    keys = [at for at, line in enumerate(lines) if b" = " in line]
    at = choice.choice(keys)
    name = lines[at].lstrip(b"# ").split(b" = ")[0]
    lines[at] = name + b" = " + choice.choice(NONSENSE).encode() + b"\n"
    return b"".join(lines)


HARMS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    bytes_flipped,
    line_lost,
    cut_off,
    value_replaced,
)


@pytest.mark.parametrize("name", FILES)
def test_altered_settings_are_refused_in_a_sentence_or_right(name: str, tmp_path: Path) -> None:
    example, kind = FILES[name]
    choice, refused = random.Random(4), 0
    for number in range(TRIES):
        file = tmp_path / f"{number}.toml"
        file.write_bytes(HARMS[number % len(HARMS)](example.read_bytes(), choice))
        try:
            assert isinstance(read_toml(file, kind), kind)
        except SettingsError as error:
            refused += 1
            assert str(file.name) in str(error) or str(file) in str(error)
            assert len(str(error)) < 4000
    assert TRIES / 10 < refused < TRIES


@pytest.mark.parametrize("command", [("edge", "sync"), ("cloud", "ingest")])
def test_a_service_with_wrong_settings_begins_nothing(command: tuple[str, str], tmp_path: Path) -> None:
    room, service = command
    file = tmp_path / "wrong.toml"
    file.write_text('data = "relative"\nnosuchkey = 1\n')
    done = subprocess.run(
        [sys.executable, "-m", room, service, "--config", str(file)] if room == "edge"
        else [sys.executable, "-m", room, "--config", str(file), service],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "nosuchkey" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.toml"]
