"""The box's command line: bad input is one sentence on stderr and exit code 2, with nothing half written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.__main__ import COMMANDS
from edge.callerid import CallerId, mdmf
from edge.dsp.fsk import fsk_signal
from edge.store.schema import open_store
from sync import outbox
from sync.db import write
from tests.sync.station import AT, call_ended

ROOT = Path(__file__).parents[2]
CONFIG = """
[box]
id = "b"
data_dir = "{folder}/data"
[[hats]]
name = "hat0"
alsa_device = "{device}"
lines = 4
"""


def edge(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, input=stdin, timeout=60, check=False,
    )  # fmt: skip


def config_in(folder: Path, device: str = "nocard", extra: str = "") -> Path:
    path = folder / "box.toml"
    path.write_text(CONFIG.format(folder=folder, device=device) + extra)
    return path


@pytest.mark.parametrize("command", ["record", "web", "sync", "doctor"])
def test_wrong_settings_stop_every_service_with_all_faults(tmp_path: Path, command: str) -> None:
    path = config_in(tmp_path, extra='[web]\nprot = 80\nhost = 5\n[record]\nring_s = "x"\n')
    done = edge(command, "--config", path)
    assert done.returncode == 2
    for part in (
        "web.prot is not a known key; did you mean port?",
        "web.host must be a text",
        "record.ring_s",
    ):
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "arguments",
    [["record", "--config", "/nowhere/box.toml"], ["dance"], [], ["replay"], ["user", "add"]],
    ids=" ".join,
)
def test_wrong_command_lines(arguments: list[str]) -> None:
    done = edge(*arguments)
    assert done.returncode == 2 and done.stderr and "Traceback" not in done.stderr


def test_every_command_of_the_table_can_be_typed() -> None:
    usage = edge("--help").stdout
    (typed,) = re.findall(r"\{(.+?)\}", usage.partition("positional")[0].replace("\n", ""))
    assert set(COMMANDS) | {"replay", "decode"} == set(typed.replace(" ", "").split(","))


def test_what_is_set_aside_is_listed_sent_again_and_dismissed(tmp_path: Path) -> None:
    path = config_in(tmp_path)
    (tmp_path / "data").mkdir()
    with closing(open_store(tmp_path / "data" / "branch.db")) as db:
        with write(db):
            for _ in range(2):
                outbox.put(db, call_ended(), AT)
            outbox.mark_acked(db, outbox.epoch_of(db), "evt", 2, (), [(1, "unknown_kind"), (2, "too_large")])
        first, second = (row[0] for row in db.execute("SELECT eid FROM outbox ORDER BY seq"))
    listed = edge("quarantine", "--config", path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "2 set aside" in listed.stdout and first in listed.stdout and "too_large" in listed.stdout
    again = edge("quarantine", "--retry", first, "--config", path)
    assert (again.returncode, again.stdout) == (0, "1 will be sent again\n")
    unsaid = edge("quarantine", "--dismiss", second, "--config", path)
    assert (unsaid.returncode, unsaid.stdout) == (2, "") and "needs a reason" in unsaid.stderr
    gone = edge("quarantine", "--dismiss", second, "--reason", "a test", "--config", path)
    assert gone.returncode == 0 and "0 set aside" in edge("quarantine", "--config", path).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lin", "--role", "chef"], "one of super, leader, ordinary"),
        (["", "--role", "super"], "name"),
    ],
)
def test_wrong_user_is_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "password").write_text("correct horse battery")
    done = edge(
        "user", "add", *arguments, "--password-file", tmp_path / "password", "--config", config_in(tmp_path)
    )
    assert (done.returncode, done.stdout) == (2, "") and says in done.stderr


def test_user_is_added_with_a_password_shown_once(tmp_path: Path) -> None:
    path = config_in(tmp_path)
    first = edge("user", "add", "lin", "--config", path)
    assert first.returncode == 0 and "password" in first.stdout
    again = edge("user", "add", "lin", "--config", path)
    assert again.returncode == 2 and "already" in again.stderr and not again.stdout


def test_too_short_a_password_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("short")
    done = edge(
        "user", "add", "lin", "--password-file", tmp_path / "password", "--config", config_in(tmp_path)
    )
    assert done.returncode == 2 and "8" in done.stderr


def test_doctor_names_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    done = edge("doctor", "--json", "--config", config_in(tmp_path))
    found = {finding["part"]: finding for finding in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert not found["audio hat0"]["well"] and "nocard" in found["audio hat0"]["says"]
    assert found["audio hat0"]["advice"]
    assert found["database"]["well"] and found["head office"]["well"]
    assert not (tmp_path / "data").exists(), "looking changes nothing"


def test_doctor_tells_an_unreachable_head_office(tmp_path: Path) -> None:
    files = "".join(f'{key} = "{tmp_path}/none"\n' for key in ("ca", "cert", "key", "bulk_cert", "bulk_key"))
    path = config_in(tmp_path, extra=f'[head_office]\nhost = "localhost"\nport = 1\n{files}')
    done = edge("doctor", "--config", path)
    assert done.returncode == 1 and "head office" in done.stdout and "Traceback" not in done.stderr


# -- replay: a file through the whole pipeline


def line_with_a_call(rate_hz: int) -> np.ndarray:
    """Quiet, a caller ID as sent between rings, quiet: what a tap records of a missed call."""
    caller = CallerId("bell202", "mdmf", number="02155500147", name="王芳", date_time="11221330")
    burst = fsk_signal(mdmf.build(caller), rate_hz=rate_hz)
    quiet = np.random.default_rng(3).normal(0, 3e-4, 3 * rate_hz).astype(np.float32)
    return np.concatenate((quiet, burst, quiet))


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_replay_finds_the_caller_at_any_rate(tmp_path: Path, rate_hz: int, channels: int) -> None:
    audio = line_with_a_call(rate_hz)
    silent = np.zeros_like(audio)
    stereo = np.stack([silent, audio], axis=1) if channels == 2 else audio
    soundfile.write(tmp_path / "line.wav", stereo, rate_hz)
    done = edge("replay", tmp_path / "line.wav", "--line", "3")
    assert done.returncode == 0, done.stderr
    (call,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (call["caller_number"], call["caller_name"]) == ("02155500147", "王芳")
    assert call["line"] == 2 + channels
    assert (call["direction"], call["outcome"], call["hook_known"]) == ("in", "missed", 0)


@pytest.mark.parametrize("content", [b"", b"not audio at all", b"RIFF\x24\x00\x00\x00WAVEfmt "])
def test_replay_refuses_what_is_no_audio(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    done = edge("replay", tmp_path / "x.wav")
    assert done.returncode == 2 and "x.wav" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"), [(["--line", "0"], "1 to 32"), (["--country", "mars"], "country must be one of")]
)
def test_replay_refuses_wrong_options(tmp_path: Path, arguments: list[str], says: str) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(800, np.float32), 8000)
    done = edge("replay", tmp_path / "x.wav", *arguments)
    assert done.returncode == 2 and says in done.stderr


def test_replay_keeps_what_it_made(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "line.wav", line_with_a_call(8000), 8000)
    done = edge("replay", tmp_path / "line.wav", "--keep", tmp_path / "kept")
    assert done.returncode == 0 and (tmp_path / "kept" / "branch.db").exists()
