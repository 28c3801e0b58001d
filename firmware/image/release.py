"""Makes a built image a release: the UF2 file, and beside it what `edge flash` must know of it.

linehat-l8.uf2.json   {"board": "linehat-l8", "firmware": "0.1.0", "protocol": "1.1", "sha256": "..."}
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from firmware.linehat.link import FIRMWARE
from hw import wire
from hw.hats import HATS
from hw.uf2 import wrap


def release(hat: str, image: bytes, file: Path) -> None:
    """Write both files."""
    data = wrap(image)
    about = {
        "board": HATS[hat].ID,
        "firmware": ".".join(map(str, FIRMWARE)),
        "protocol": f"{wire.MAJOR}.{wire.MINOR}",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    file.write_bytes(data)
    file.with_name(file.name + ".json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    release(sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]))
