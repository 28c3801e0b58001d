"""`admin unit`: what it does, and how it refuses (a sentence, exit code 2, nothing changed)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.access.units import NATIONAL, Units
from cloud.store import boxes, people
from cloud.store.database import open_engine, read, write
from cloud.store.units import read_units
from tests.cloud.test_admin import config as config
from tests.cloud.test_admin import run

YUNNAN = ("admin", "unit", "add", "yn", "--name", "云南省", "--tier", "province")


def stored(config: Path) -> tuple[Units, str]:
    """The organisation, and the unit of li."""
    with read(open_engine(f"sqlite:///{config.parent / 'data' / 'head-office.db'}")) as db:
        user = people.find_user(db, "li")
        return read_units(db), user["unit_id"] if user else ""


@pytest.fixture
def office(config: Path) -> Path:
    """A head office with a user, a box and a province."""
    assert run(config, "admin", "user", "add", "li", "--role", "agent") == 0
    with write(open_engine(f"sqlite:///{config.parent / 'data' / 'head-office.db'}")) as db:
        boxes.register(db, "box-01", "大理")
    assert run(config, *YUNNAN) == 0
    return config


def test_people_and_boxes_are_placed(office: Path) -> None:
    assert (
        run(office, "admin", "unit", "add", "dl", "--name", "大理", "--tier", "city", "--parent", "yn") == 0
    )
    assert stored(office)[1] == NATIONAL
    assert run(office, "admin", "unit", "place", "yn", "--user", "li") == 0
    assert run(office, "admin", "unit", "place", "dl", "--box", "box-01") == 0
    units, unit_of_li = stored(office)
    assert unit_of_li == "yn" and units.boxes_seen_from("yn") == {"box-01"}
    assert run(office, "admin", "unit", "place", NATIONAL, "--box", "box-01") == 0
    assert stored(office)[0].boxes_seen_from("yn") == set()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (YUNNAN, "already"),
        (("admin", "unit", "add", NATIONAL, "--name", "X", "--tier", "city"), "already"),
        (("admin", "unit", "add", "x", "--name", "", "--tier", "city"), "characters"),
        (("admin", "unit", "add", "x", "--name", "X", "--tier", "county"), "invalid choice"),
        (("admin", "unit", "add", "x", "--name", "X", "--tier", "city", "--parent", "no"), "not known"),
        (("admin", "unit", "add", "x", "--name", "X", "--tier", "province", "--parent", "yn"), "higher tier"),
        (("admin", "unit", "place", "no", "--user", "li"), "no unit"),
        (("admin", "unit", "place", "yn", "--user", "nobody"), "no user"),
        (("admin", "unit", "place", "yn", "--box", "nothing"), "no box"),
        (("admin", "unit", "place", "yn"), "required"),
    ],
)
def test_what_cannot_be_is_refused(
    office: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(office)
    assert run(office, *arguments) == 2
    assert words in capsys.readouterr().err and stored(office) == before
