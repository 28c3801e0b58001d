"""`python -m hw eeprom`: an image built is an image that checks; anything else is refused with its reason."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from hw.__main__ import main
from hw.eeprom import read, read_custom
from hw.hats import HATS

BOARD = "4f2c1d3e-0000-4000-8000-000000000001"


@pytest.mark.parametrize("name", HATS)
def test_built_and_checked(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "board.eep"
    assert main(["eeprom", "build", name, str(file), "--uuid", BOARD, "--revision", "B"]) == 0
    eeprom = read(file.read_bytes())
    assert (eeprom.uuid, eeprom.product_id) == (UUID(BOARD), HATS[name].PRODUCT_ID)
    assert read_custom(eeprom.custom).calibration == ((32768, 2550),) * HATS[name].LINES
    assert main(["eeprom", "check", str(file)]) == 0
    assert (
        f"overlay {HATS[name].ID}, {BOARD}, {HATS[name].LINES} lines, revision B" in capsys.readouterr().out
    )


def test_two_boards_have_two_names(tmp_path: Path) -> None:
    for file in ("one", "two"):
        main(["eeprom", "build", "l2", str(tmp_path / file)])
    assert read((tmp_path / "one").read_bytes()).uuid.version == 4


@pytest.mark.parametrize("at", [0, 20, 60, -1])
def test_a_broken_image_is_refused(at: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "board.eep"
    main(["eeprom", "build", "l4", str(file)])
    image = bytearray(file.read_bytes())
    image[at] ^= 0x20
    file.write_bytes(image)
    assert main(["eeprom", "check", str(file)]) == 2
    assert capsys.readouterr().err.startswith("eeprom: ")


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eeprom", "check", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err
