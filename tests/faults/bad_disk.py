"""A disk that fails when it is told to: compiles bad_disk.c and holds its switches."""

from __future__ import annotations

import errno
import mmap
import os
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("bad_disk.c")
LIBRARY = SOURCE.parents[2] / "build" / "faults" / "bad_disk.so"
PARTS, DATABASE, ENCODING = 1, 2, 4
WELL = (0, 0, 0, 0)
NO_WRITE = (errno.EIO, 0, 0)
NO_SYNC = (0, errno.EIO, 0)
FULL = (errno.ENOSPC, 0, 0)
READ_ONLY = (errno.EROFS, errno.EROFS, 0)
_SWITCHES = struct.Struct("<4iI")


class BadDisk:
    """Its switches lie in a file, so they can be turned from outside the program that suffers."""

    def __init__(self, switches: Path) -> None:
        self.switches = switches
        if not switches.exists():
            switches.write_bytes(bytes(_SWITCHES.size))
        with switches.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SWITCHES.size)

    def environment(self, folder: Path) -> dict[str, str]:
        """What a program is started with to have its files below `folder` on this disk."""
        more = {"LD_PRELOAD": str(build()), "BAD_DISK": str(self.switches), "BAD_DISK_BELOW": str(folder)}
        return os.environ | more

    def fail(self, which: int, how: tuple[int, int, int]) -> None:
        """From now on files of these kinds fail so: errno of writes, errno of fsync, ms of each fsync."""
        self._map[:16] = struct.pack("<4i", which, *how)

    def heal(self) -> None:
        """From now on everything works."""
        self._map[4:16] = bytes(12)

    @property
    def refused(self) -> int:
        """Writes and fsyncs that failed so far."""
        return int(_SWITCHES.unpack(self._map[:])[4])


def build() -> Path:
    """Compile the library if its source is newer."""
    if not LIBRARY.exists() or LIBRARY.stat().st_mtime < SOURCE.stat().st_mtime:
        LIBRARY.parent.mkdir(parents=True, exist_ok=True)
        half_made = LIBRARY.with_name(f"{LIBRARY.name}.{os.getpid()}")
        flags = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, "-o", half_made, SOURCE, "-ldl"], check=True)
        half_made.rename(LIBRARY)
    return LIBRARY
