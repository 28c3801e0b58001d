"""The command line: what each command does, and how it refuses (a sentence, exit code 2, nothing written)."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import cloud
from cloud.__main__ import main
from cloud.store import boxes, people
from cloud.store.database import open_engine, read
from sync.accounts import verify_password

ROOT = Path(cloud.__file__).parents[1]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file for a head office below tmp_path."""
    file = tmp_path / "ho.toml"
    file.write_text(
        f"""
        data = "{tmp_path}/data"
        [broker]
        ca = "{tmp_path}/pki/ca.pem"
        cert = "{tmp_path}/pki/head-office.pem"
        key = "{tmp_path}/pki/head-office-key.pem"
        [web]
        """
    )
    return file


def run(config: Path, *arguments: str) -> int:
    try:
        return main(["--config", str(config), *arguments])
    except SystemExit as refused:  # argparse
        return int(str(refused.code))


def stored_hash(config: Path, name: str) -> str | None:
    with read(open_engine(f"sqlite:///{config.parent / 'data' / 'head-office.db'}")) as connection:
        user = people.find_user(connection, name)
    return user and user["password_hash"]


def test_a_made_up_password_is_printed_once_and_works(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "admin", "user", "add", "王芳", "--role", "manager") == 0
    password = capsys.readouterr().out.strip().rsplit(" ", 1)[1]
    assert len(password) >= 16
    assert verify_password(stored_hash(config, "王芳"), password)


def test_a_password_may_come_from_a_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config.with_name("password")
    file.write_text("a long enough one\n")
    assert run(config, "admin", "user", "add", "li", "--role", "agent", "--password-file", str(file)) == 0
    assert "a long enough one" not in capsys.readouterr().out
    assert verify_password(stored_hash(config, "li"), "a long enough one")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["li", "--role", "boss"], "invalid choice: 'boss'"),
        (["li"], "--role"),
        (["", "--role", "agent"], "a user's name has 1 to 64 printable characters"),
        ([" li", "--role", "agent"], "a user's name has"),
        (["l\ni", "--role", "agent"], "a user's name has"),
        (["l" * 65, "--role", "agent"], "a user's name has"),
        (["li", "--role", "agent", "--password-file", "/nowhere/at/all"], "the password file cannot be read"),
        (["li", "--role", "agent", "--password-file", "SHORT"], "at least 8 characters, got 5"),
        (["li", "--role", "agent", "--password-file", "COMMON"], "among the first that are guessed"),
    ],
)
def test_a_user_that_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    for name, text in (("SHORT", "12345"), ("COMMON", "password1")):
        config.with_name(name).write_text(text)
    arguments = [str(config.with_name(one)) if one in ("SHORT", "COMMON") else one for one in arguments]
    assert run(config, "admin", "user", "add", *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (config.parent / "data").exists()


def test_a_second_worker_on_sqlite_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that stops inside a transaction would stop them all."""
    assert run(config, "ingest", "--worker", "2") == 2
    assert "worker 2 needs PostgreSQL" in capsys.readouterr().err
    assert not (config.parent / "data").exists()


def test_a_name_can_be_given_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "admin", "user", "add", "li", "--role", "agent") == 0
    before = stored_hash(config, "li")
    assert run(config, "admin", "user", "add", "li", "--role", "admin") == 2
    assert "there is a user 'li' already" in capsys.readouterr().err
    assert stored_hash(config, "li") == before


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_box_gets_files_that_the_authority_signed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = config.with_name("for-the-box")
    assert run(config, "admin", "ca", "init", "--host", "10.1.2.3") == 0
    assert run(config, "admin", "box", "add", "box-01", "--name", "大理网点", "--out", str(out)) == 0
    files = sorted(file.name for file in out.iterdir())
    assert files == ["box-01-key.pem", "box-01.b-key.pem", "box-01.b.pem", "box-01.pem", "ca.pem"]
    assert all(mode(out / name) == 0o600 for name in files) and mode(out) == 0o700
    told = capsys.readouterr().out
    assert all(str(out / name) in told for name in files)
    context = ssl.create_default_context(cafile=out / "ca.pem")
    context.load_cert_chain(out / "box-01.pem", out / "box-01-key.pem")
    with read(open_engine(f"sqlite:///{config.parent / 'data' / 'head-office.db'}")) as connection:
        assert [row["name"] for row in boxes.list_boxes(connection)] == ["大理网点"]


def test_doing_it_again_changes_no_certificate(config: Path) -> None:
    out = config.with_name("for-the-box")
    texts = []
    for name in ("Dali", "Dali old town"):
        assert run(config, "admin", "ca", "init") == 0
        assert run(config, "admin", "box", "add", "box-01", "--name", name, "--out", str(out)) == 0
        texts.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("box_id", "name", "sentence"),
    [
        ("Box 1", "Dali", "a box id is"),
        ("../x", "Dali", "a box id is"),
        ("head-office", "Dali", "a box id is"),
        ("box-01", "", "a branch's name has"),
        ("box-01", "a\tb", "a branch's name has"),
        ("box-01", "Dali", "make it with: python -m cloud admin ca init"),
    ],
)
def test_a_box_that_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], box_id: str, name: str, sentence: str
) -> None:
    out = config.with_name("out")
    assert run(config, "admin", "box", "add", box_id, "--name", name, "--out", str(out)) == 2
    assert sentence in capsys.readouterr().err
    assert not out.exists() and not (config.parent / "data").exists()


def test_certificates_must_have_the_names_the_settings_give(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().replace("head-office.pem", "other.pem"))
    assert run(config, "admin", "ca", "init") == 2
    assert "head-office.pem, they name" in capsys.readouterr().err
    assert not (config.parent / "pki").exists()


def test_the_brokers_configuration(config: Path) -> None:
    out = config.with_name("broker")
    assert run(config, "admin", "broker-config", "--out", str(out)) == 2
    assert not out.exists()
    run(config, "admin", "ca", "init")
    assert run(config, "admin", "broker-config", "--out", str(out), "--bind", "10.1.2.3") == 0
    text = (out / "mosquitto.conf").read_text()
    assert "listener 8883 10.1.2.3" in text and "require_certificate true" in text


@pytest.mark.parametrize("command", [["web"], ["ingest"], ["admin", "user", "add", "li", "--role", "agent"]])
def test_a_wrong_settings_file_ends_every_command(
    config: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    config.write_text(config.read_text().replace("[web]", "[web]\nprot = 1\n[wbe]"))
    assert run(config, *command) == 2
    told = capsys.readouterr().err
    assert (
        "web.prot is not a known key" in told and "did you mean port?" in told and "did you mean web?" in told
    )
    assert not (config.parent / "data").exists()


def test_no_settings_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none.toml", "web") == 2
    assert "none.toml: cannot be read: No such file" in capsys.readouterr().err


def test_ingest_without_certificates(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "ingest") == 2
    assert "ca.pem" in capsys.readouterr().err


def test_a_port_that_is_taken(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(config.read_text() + f"port = {taken.getsockname()[1]}\n")
        assert run(config, "web") == 2
    assert "Address already in use" in capsys.readouterr().err


def test_a_database_that_is_none(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "data").mkdir()
    (config.parent / "data" / "head-office.db").write_bytes(
        b"this is no database, whatever its name says" * 9
    )
    assert run(config, "web") == 2
    assert "the database cannot be used" in capsys.readouterr().err


def test_a_certificate_that_is_none(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text() + f'cert = "{config}"\nkey = "{config}"\n')
    assert run(config, "web") == 2
    assert f"web.cert {config}" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_units_are_sound(tmp_path: Path) -> None:
    units = sorted((ROOT / "cloud" / "systemd").glob("*.service"))
    assert len(units) == 4
    for unit in units:
        text = unit.read_text().replace("/opt/branchline/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / unit.name)],
            capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        lives = "Type=oneshot" if "audit" in unit.name else "Restart=always"
        assert "User=branchline" in text and lives in text and "NoNewPrivileges=yes" in text
