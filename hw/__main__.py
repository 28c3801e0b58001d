"""`python -m hw`: the identification EEPROM of a made board, written to a file and checked from one.

python -m hw eeprom build l8 board.eep --uuid 4f2c...  --revision A      (eepflash writes the file to a board)
python -m hw eeprom check board.eep
"""

from __future__ import annotations

import argparse
import sys
import uuid
from pathlib import Path

from hw.eeprom import Custom, Eeprom, EepromError, build, check, write_custom
from hw.hats import HATS

OVERLAYS = {hat.ID for hat in HATS.values()}


def main(arguments: list[str] | None = None) -> int:
    """0, or 2 and a sentence if the image must not be used."""
    options = _parse(arguments)
    try:
        print(options.do(options))
    except (EepromError, OSError) as error:
        print(f"eeprom: {error}", file=sys.stderr)
        return 2
    return 0


def _build(options: argparse.Namespace) -> str:
    hat = HATS[options.hat]
    custom = Custom(hat.LINES, options.revision, ((hat.OFFSET_COUNTS, hat.GAIN_UV),) * hat.LINES)
    words = (hat.PRODUCT_ID, 1, hat.VENDOR, hat.NAME, hat.ID, write_custom(custom))
    image = build(Eeprom(options.uuid, *words))
    check(image, OVERLAYS)
    options.file.write_bytes(image)
    return f"{options.file}: {len(image)} bytes for {hat.ID}, {options.uuid}"


def _check(options: argparse.Namespace) -> str:
    eeprom, custom = check(options.file.read_bytes(), OVERLAYS)
    return (
        f"{options.file}: {eeprom.vendor} {eeprom.product}, overlay {eeprom.overlay}, {eeprom.uuid}, "
        f"{custom.lines} lines, revision {custom.revision}"
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hw", description=__doc__)
    eeprom = parser.add_subparsers(required=True).add_parser("eeprom").add_subparsers(required=True)
    making = eeprom.add_parser("build", help="make the image of one board")
    making.add_argument("hat", choices=HATS)
    making.add_argument("file", type=Path)
    making.add_argument("--uuid", type=uuid.UUID, default=uuid.uuid4(), help="default: a new one")
    making.add_argument("--revision", default="A", help="of the board, default A")
    making.set_defaults(do=_build)
    checking = eeprom.add_parser("check", help="read an image, or say why it must not be used")
    checking.add_argument("file", type=Path)
    checking.set_defaults(do=_check)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
