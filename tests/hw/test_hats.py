"""Every HAT alike: its constants, pins, EEPROM image, overlay, and a start of the firmware with them."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from types import ModuleType

import pytest

from hw.eeprom import Custom, Eeprom, build, check, write_custom
from hw.hats import HATS
from hw.wire import MAX_LINES_PER_READINGS
from tests.firmware.bench import Bench

BOARDS = Path(__file__).parents[2] / "hw/boards"
ID_PINS = {0, 1}
UART = {"uart tx": 14, "uart rx": 15}
I2S = {"i2s clock": 18, "i2s frame": 19}
OVERLAYS = {f"linehat-{path.parent.name}" for path in BOARDS.glob("*/overlay.dts")}
NEED_NO_SOURCE = {"VENDOR", "NAME", "ID", "SOURCES"}


@pytest.fixture(params=HATS)
def hat(request: pytest.FixtureRequest) -> ModuleType:
    return HATS[request.param]


def run(*command: str | Path) -> str:
    """Run a tool that must say nothing on stderr; return what it printed."""
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.strip()


def test_every_constant_has_a_tolerance_and_a_source(hat: ModuleType) -> None:
    constants = {name for name in vars(hat) if name.isupper()} - NEED_NO_SOURCE
    assert set(hat.SOURCES) == constants
    assert all(tolerance and source for tolerance, source in hat.SOURCES.values())


def test_pins_do_not_clash(hat: ModuleType) -> None:
    pins = list(hat.PI_PINS.values())
    assert len(pins) == len(set(pins)) and not ID_PINS & set(pins)
    assert hat.PI_PINS.items() >= (UART | I2S).items()
    lanes = [name for name in hat.PI_PINS if name.startswith("i2s in")]
    assert 2 * len(lanes) == hat.LINES
    chip = [*hat.MCU_PINS.values(), *hat.RING_PINS, *hat.HOOK_PINS]
    assert len(chip) == len(set(chip)) and all(0 <= pin <= 29 for pin in chip)
    assert len(hat.RING_PINS) == len(hat.HOOK_PINS) == hat.LINES <= MAX_LINES_PER_READINGS


def test_many_lines_need_a_pi_5(hat: ModuleType) -> None:
    assert ("brcm,bcm2835" in hat.HOSTS) == (hat.LINES == 2)


def test_the_adc_reaches_every_voltage_an_idle_line_has(hat: ModuleType) -> None:
    lowest_v = -hat.OFFSET_COUNTS * hat.GAIN_UV / 1e6
    highest_v = (65535 - hat.OFFSET_COUNTS) * hat.GAIN_UV / 1e6
    assert lowest_v <= -75 and highest_v >= 75


def test_eeprom_image_comes_back(hat: ModuleType) -> None:
    custom = Custom(hat.LINES, "A", ((hat.OFFSET_COUNTS, hat.GAIN_UV),) * hat.LINES)
    eeprom = Eeprom(
        uuid.uuid5(uuid.NAMESPACE_OID, hat.ID), hat.PRODUCT_ID, 1, hat.VENDOR, hat.NAME, hat.ID,
        write_custom(custom),
    )  # fmt: skip
    assert check(build(eeprom), OVERLAYS) == (eeprom, custom)


def test_ids_are_its_own(hat: ModuleType) -> None:
    assert [one.ID for one in HATS.values()].count(hat.ID) == 1
    assert [one.PRODUCT_ID for one in HATS.values()].count(hat.PRODUCT_ID) == 1


def test_overlay_compiles_without_a_warning_and_applies(hat: ModuleType, tmp_path: Path) -> None:
    overlay, base, merged = tmp_path / "hat.dtbo", tmp_path / "base.dtb", tmp_path / "merged.dtb"
    run(
        "dtc",
        "-@",
        "-I",
        "dts",
        "-O",
        "dtb",
        "-o",
        overlay,
        BOARDS / hat.ID.removeprefix("linehat-") / "overlay.dts",
    )
    run("dtc", "-@", "-I", "dts", "-O", "dtb", "-o", base, BOARDS / "base.dts")
    run("fdtoverlay", "-i", base, "-o", merged, overlay)
    assert run("fdtget", merged, "/linehat-sound", "simple-audio-card,name") == "linehat"
    assert run("fdtget", merged, "/soc/i2s@7e203000", "status") == "okay"
    assert run("fdtget", merged, "/soc/serial@7e201000", "status") == "okay"
    assert run("fdtget", overlay, "/", "compatible") in hat.HOSTS


def test_firmware_starts_with_its_constants(hat: ModuleType) -> None:
    bench = Bench(board=hat)
    bench.hal.volts[1:] = [48.0] * hat.LINES
    bench.run(1000)
    assert [line.state for line in bench.app.lines] == [2] * hat.LINES
    assert bench.app.lines[-1].idle_cv == 4800


def test_every_overlay_has_its_hat() -> None:
    assert {hat.ID for hat in HATS.values()} == OVERLAYS
