"""The box's settings: the example is true, every fault is named at once, with the nearest known key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edge.config import Config, read_config
from sync.settings import SettingsError, keys

EXAMPLE = Path(__file__).parents[2] / "edge" / "box.example.toml"
SMALLEST = """
[box]
id = "b"
data_dir = "/data"
[[hats]]
name = "hat0"
alsa_device = "linehat0"
lines = 4
"""


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "box.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert str(caught.value).count("\n") + 1 == len(caught.value.faults)
    return caught.value.faults


def test_example_is_valid_and_names_every_key() -> None:
    config = read_config(EXAMPLE)
    assert config.line(1).name == "Front desk"
    document = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    given = {
        f"{table}.{key}"
        for table, content in document.items()
        for row in (content if isinstance(content, list) else [content])
        for key in row
    }
    assert given == set(keys(Config))


def test_every_key_has_an_explanation() -> None:
    assert all(field.metadata["about"] for field in keys(Config).values())


def test_smallest_file_gets_the_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, SMALLEST)
    assert (config.hats[0].rate_hz, config.record.ring_s, config.line(3).pre_roll_s) == (8000, 90.0, 5.0)
    assert config.database == Path("/data/branch.db")


def test_lines_are_counted_through_all_boards(tmp_path: Path) -> None:
    config = read(tmp_path, SMALLEST + '[[hats]]\nname = "hat1"\nalsa_device = "x"\nlines = 2\n')
    assert [config.first_line(hat) for hat in config.hats] == [1, 5]


def test_all_faults_at_once_with_the_nearest_key(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        '[box]\nid = 12\ndata_dri = "/data"\ncountry = "chn"\n'
        '[[hats]]\nname = "h"\nlines = 99\n[web]\nport = "80"\n',
    )
    text = "\n".join(found)
    for part in (
        "box.data_dri is not a known key; did you mean data_dir?",
        "box.id must be a text, got 12",
        "box.data_dir is missing",
        "box.country must be one of cn, us, uk, eu, got 'chn'; did you mean cn?",
        "hats[1].alsa_device is missing",
        "hats[1].lines must be at most 32, got 99",
        "web.port must be a whole number, got '80'",
    ):
        assert part in text
    assert len(found) == 7


HAT = '[[hats]]\nname = "hat0"\nalsa_device = "x"\nlines = 30\n'


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (HAT, "name 'hat0' is given twice"),
        (HAT.replace("hat0", "hat1"), "a box has at most 32 lines, these boards have 34"),
        ("[[lines]]\nline = 5\n", "lines[1].line is 5, but the boards have lines 1 to 4"),
        ("[[lines]]\nline = 2\n[[lines]]\nline = 2\n", "line '2' is given twice"),
        (
            "[[lines]]\nline = 2\npre_roll_s = 41\n[record]\nring_s = 60\n",
            "more than two thirds of record.ring_s (40)",
        ),
        ("[[lines]]\nline = 2\npre_roll_s = 61\n", "pre_roll_s must be at most 60, got 61"),
        ("[[lines]]\nline = true\n", "line must be a whole number, got True"),
        ('[head_office]\nhost = "hq"\nca = "x"\n', "head_office.cert is missing"),
        ('[web]\ntls_cert = "x"\n', "belong together"),
        ('[web]\nhttps = "files"\n', "belong together"),
        ('[web]\nhttps = "off"\nhost = "0.0.0.0"\n', "without HTTPS only this machine is served"),
        ('[web]\nhttps = "off"\nhttp_port = 80\n', "sends on to HTTPS"),
        ("[web]\nhttp_port = 8080\n", "are both 8080"),
        ("[record]\nring_s = 9\n", "record.ring_s must be at least 10, got 9"),
        ("[lines]\nline = 1\n", "lines must be a list of tables ([[lines]])"),
        ("[storage]\nballast_mb = 8\n", "storage.ballast_mb must be at least 16, got 8"),
        ("[storage]\npurge_percent = 81\n", "rise by at least 2 each, got 80, 81, 95, 98"),
        ("[storage]\nlast_percent = 90\n", "rise by at least 2 each, got 80, 90, 95, 90"),
        ('[storage]\nbackup_dir = "usb"\n', "storage.backup_dir must be a full path beginning with /"),
        ('[storage]\nbackup_dir = "/data/backup"\n', "lie one in the other"),
        ("[[keep]]\nline = 5\n", "keep[1].line is 5, but the boards have lines 1 to 4"),
        ("[[keep]]\nkeep_days = 30\nopus_after_days = 30\n", "but audio is deleted after 30 days"),
        ("[[keep]]\ncalls = 'in'\n[[keep]]\nline = 2\ncalls = 'in'\n", "keep[2] never counts: keep[1]"),
        ("[[keep]]\nkeep_days = -1\n", "keep[1].keep_days must be at least 0, got -1"),
        ("web = 5\n", "web must be a table ([web]), got 5"),
    ],
)
def test_refused(tmp_path: Path, extra: str, says: str) -> None:
    text = extra + SMALLEST if extra.startswith("web =") else SMALLEST + extra
    assert says in "\n".join(faults(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "says"),
    [("box = [", "is not TOML"), ('[box]\nid = "b"\ndata_dir = "data"\n', "full path beginning with /")],
)
def test_broken_files(tmp_path: Path, text: str, says: str) -> None:
    assert says in "\n".join(faults(tmp_path, text))


def test_missing_file_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: cannot be read: No such file"):
        read_config(tmp_path / "nowhere.toml")
