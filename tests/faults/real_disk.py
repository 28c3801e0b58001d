"""A real ext4 file system in a file, whose power can be cut: the kernel's shutdown, then mount and replay.

Needs root and a loop device; where they are not to be had, `NoRealDisk` says what is missing.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SHUTDOWN = 0x8004587D  # _IOR('X', 125, u32): FS_IOC_SHUTDOWN of ext4 and XFS
WITHOUT_LOG = 2  # nothing more reaches the disk, the journal neither


class NoRealDisk(RuntimeError):
    """This machine lets us mount nothing."""


@dataclass(frozen=True, slots=True)
class RealDisk:
    """A mounted file system of its own."""

    image: Path
    folder: Path

    def cut_power(self) -> None:
        """What no fsync brought to the disk is gone; every further write fails."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", WITHOUT_LOG))
        finally:
            os.close(handle)

    def start_again(self) -> None:
        """Mount it as after the power came back: the journal is replayed."""
        _run("umount", str(self.folder))
        _run("mount", "-o", "loop", str(self.image), str(self.folder))

    def remount(self, how: str) -> None:
        """`ro` as the kernel does it after an error, or `rw`."""
        _run("mount", "-o", f"remount,{how}", str(self.folder))


@contextmanager
def real_disk(below: Path, size_mb: int = 64) -> Iterator[RealDisk]:
    """Make and mount an ext4 file system; NoRealDisk when that is not allowed here."""
    disk = RealDisk(below / "disk.img", below / "disk")
    disk.folder.mkdir(parents=True)
    with disk.image.open("wb") as file:
        file.truncate(size_mb << 20)
    _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", str(disk.image))
    _run("mount", "-o", "loop", str(disk.image), str(disk.folder))
    try:
        yield disk
    finally:
        _run("umount", str(disk.folder))
        disk.image.unlink()


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoRealDisk(f"there is no {command[0]} here") from None
    if done.returncode:
        raise NoRealDisk(f"{' '.join(command)}: {done.stderr.strip()}")
