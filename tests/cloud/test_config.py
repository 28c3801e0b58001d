"""The settings: the example explains every key, and everything wrong with a file is told at once."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import cloud
from cloud.config import Settings, read_settings
from sync.settings import SettingsError, keys

EXAMPLE = Path(cloud.__file__).with_name("head-office.example.toml")
GOOD = """
data = "/srv/ho"
[broker]
ca = "/pki/ca.pem"
cert = "/pki/head-office.pem"
key = "/pki/head-office-key.pem"
[web]
"""


def read(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "ho.toml"
    file.write_text(text, encoding="utf-8")
    return read_settings(file)


def flat(table: dict[str, object], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def test_the_example_names_every_key_and_can_be_used() -> None:
    assert set(flat(tomllib.loads(EXAMPLE.read_text()))) == set(keys(Settings))
    read_settings(EXAMPLE)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    example = read_settings(EXAMPLE)
    shortest = read(tmp_path, GOOD)
    for key, field in keys(Settings).items():
        if str(field.type) != "Path":
            shown, default = example, shortest
            for part in key.split("."):
                shown, default = getattr(shown, part), getattr(default, part)
            assert shown == default, key


def test_every_key_of_the_example_is_explained() -> None:
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            above = next(one for one in reversed(lines[:number]) if not re.match(r"\w+ = ", one))
            assert above.startswith("# "), line


def test_what_is_left_out_follows_from_the_data_folder(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.database == "sqlite:////srv/ho/head-office.db"
    assert settings.objects_folder == Path("/srv/ho/recordings")
    assert not settings.web.https
    given = read(tmp_path, 'objects = "/mnt/r"\ndatabase_url = "postgresql+psycopg://u:p@h/n"\n' + GOOD)
    assert given.objects_folder == Path("/mnt/r")
    assert given.database.startswith("postgresql")
    bucket = read(tmp_path, 'objects = "s3://recordings/a/b"\n' + GOOD)
    assert bucket.objects_folder == Path("/srv/ho/recordings")  # where they arrive


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (('data = "/srv/ho"', ""), ["data is missing"]),
        (('"/srv/ho"', '"srv/ho"'), ["data must be a full path", "'srv/ho'"]),
        (('"/srv/ho"', "5"), ["data must be a path, got 5"]),
        (('data = "/srv/ho"', 'dta = "/srv/ho"'), ["dta is not a known key; did you mean data?"]),
        (("[web]", "[web]\nport = 0"), ["web.port must be at least 1, got 0"]),
        (("[web]", "[web]\nport = 70000"), ["web.port must be at most 65535"]),
        (("[web]", '[web]\nport = "80"'), ["web.port must be a whole number, got '80'"]),
        (("[web]", "[web]\nprot = 1"), ["web.prot is not a known key; did you mean port?"]),
        (("[web]", '[web]\npublic_url = "crm.example.cn"'), ["web.public_url must look like https://"]),
        (("[web]", '[web]\npublic_url = "https://a/b"'), ["web.public_url must look like"]),
        (("data = ", 'time_zone = "Asia/Shangai"\ndata = '), ["time_zone", "did you mean Asia/Shanghai?"]),
        (("data = ", 'language = "de"\ndata = '), ["language must be one of zh, en, got 'de'"]),
        (("data = ", 'database_url = "mysql://u:secret@h/n"\ndata = '), ["database_url must begin with"]),
        (("data = ", 'database_url = "nonsense"\ndata = '), ["database_url must begin with"]),
        (("data = ", 'objects = "recordings"\ndata = '), ["objects must be an absolute folder or s3://"]),
        (("data = ", 'objects = "s3://a"\ndata = '), ["objects must be an absolute folder or s3://"]),
        (
            ("data = ", 'objects = "s3://Bucket/x y"\ndata = '),
            ["objects must be an absolute folder or s3://"],
        ),
        (('key = "/pki/head-office-key.pem"', ""), ["broker.key is missing"]),
        (("[broker]", "[[broker]]"), ["broker must be a table"]),
        (("[web]", "[web"), ["is not TOML"]),
    ],
)
def test_faults(tmp_path: Path, change: tuple[str, str], faults: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, GOOD.replace(*change, 1))
    for fault in faults:
        assert fault in str(refused.value)
    assert "secret" not in str(refused.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = 'time_zone = "x"\nlanguage = "x"\nextra = 1\n[broker]\nport = 0\nca = "x"\n[web]\nport = true\n'
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text)
    assert len(refused.value.faults) == 9  # five values, one unknown key, three missing ones
