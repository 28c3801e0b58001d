"""Control groups of a test's own: what its programs may have of memory and CPU, and what they took of it.

The rows of F29 need real limits, not a program that is merely busy; the kernel sets them, on either version:

    version 1   <mount of memory>/branchline-<random>/   memory.limit_in_bytes   memory.oom_control
                <mount of cpu>/branchline-<random>/      cpu.cfs_quota_us        cpu.shares
    version 2   <mount>/branchline-<random>/             memory.max              memory.events
                                                         cpu.max                 cpu.weight

A group holds page cache too: a program that reads and writes files stands at its limit all the time, and the
kernel has to take pages back. Needs root; `why_not` says what is missing, for tests that have to be skipped.
"""

from __future__ import annotations

import errno
import os
import secrets
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.fakes import wait_for

PERIOD_US = 100_000  # over which a share of the CPU is counted
NICE_0_SHARES, NICE_0_WEIGHT = 1024, 100  # what a group has by itself, on version 1 and 2
MOUNTS = Path("/proc/self/mounts")
GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Controller:
    """Where one controller's groups are made."""

    name: str  # memory or cpu
    version: int
    mount: Path

    @property
    def home(self) -> Path:
        """The group that this process is in, as are those it starts."""
        for line in GROUPS.read_text().splitlines():
            _, names, path = line.split(":", 2)
            if names == "" if self.version == 2 else self.name in names.split(","):
                return self.mount / path.removeprefix("/")
        return self.mount

    def settings(self, limits: Limits) -> dict[str, str]:
        """What is written into which file of a group."""
        return SETTINGS[self.name, self.version](limits)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group may have; None: as much as there is."""

    memory_bytes: int | None = None
    cpu: float | None = None  # of one CPU
    weight: float | None = None  # beside a group that has 1

    @property
    def controllers(self) -> list[str]:
        """Those it takes."""
        return ["memory"] * (self.memory_bytes is not None) + ["cpu"] * (
            (self.cpu, self.weight) != (None, None)
        )


def _memory_1(limits: Limits) -> dict[str, str]:
    return {"memory.limit_in_bytes": str(limits.memory_bytes)}


def _memory_2(limits: Limits) -> dict[str, str]:
    return {"memory.max": str(limits.memory_bytes), "memory.swap.max": "0"}


def _cpu_1(limits: Limits) -> dict[str, str]:
    settings = {}
    if limits.cpu is not None:
        settings |= {
            "cpu.cfs_period_us": str(PERIOD_US),
            "cpu.cfs_quota_us": str(round(limits.cpu * PERIOD_US)),
        }
    if limits.weight is not None:
        settings["cpu.shares"] = str(round(limits.weight * NICE_0_SHARES))
    return settings


def _cpu_2(limits: Limits) -> dict[str, str]:
    settings = {}
    if limits.cpu is not None:
        settings["cpu.max"] = f"{round(limits.cpu * PERIOD_US)} {PERIOD_US}"
    if limits.weight is not None:
        settings["cpu.weight"] = str(round(limits.weight * NICE_0_WEIGHT))
    return settings


SETTINGS = {("memory", 1): _memory_1, ("memory", 2): _memory_2, ("cpu", 1): _cpu_1, ("cpu", 2): _cpu_2}


def find(name: str, mounts: Path = MOUNTS) -> Controller | None:
    """Where groups of this controller can be made; None where the kernel has it not or it is not enabled."""
    for line in mounts.read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and name in options.split(","):
            return Controller(name, 1, Path(where))
        enabled = Path(where) / "cgroup.subtree_control"
        if kind == "cgroup2" and enabled.exists() and name in enabled.read_text().split():
            return Controller(name, 2, Path(where))
    return None


def why_not(*names: str) -> str:
    """What keeps this machine from having groups of these controllers; "" if nothing does."""
    if os.geteuid() != 0:
        return "control groups need root"
    for name in names:
        controller = find(name)
        if controller is None:
            return f"no {name} controller is mounted and enabled"
        probe = controller.mount / f"branchline-{secrets.token_hex(8)}"
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            return f"no groups of the {name} controller can be made: {error.strerror}"
    return ""


@dataclass(frozen=True, slots=True)
class Group:
    """One group under each controller that its limits take."""

    folders: dict[Controller, Path]

    def put(self, *process_ids: int) -> None:
        """Put processes in; what they start from now on is in it too."""
        for folder in self.folders.values():
            _move(process_ids, folder)

    @property
    def entering(self) -> list[str]:
        """What a command begins with so that it is in the group from its first page on."""
        files = " ".join(shlex.quote(str(folder / "cgroup.procs")) for folder in self.folders.values())
        return ["sh", "-c", f'for file in {files}; do echo $$ > $file; done; exec "$@"', "sh"]

    def limit(self, limits: Limits) -> None:
        """Set what it may have from now on."""
        for controller, folder in self.folders.items():
            for file, value in controller.settings(limits).items():
                if (folder / file).exists():  # a kernel without swap has no limit of it
                    (folder / file).write_text(value)

    def kills(self) -> int:
        """How often the kernel killed a process of it for want of memory."""
        return self._count("memory", {1: "memory.oom_control", 2: "memory.events"}, "oom_kill")

    def held(self) -> int:
        """How often it stood at its memory limit, and pages had to be taken back."""
        controller, folder = self._of("memory")
        if controller.version == 1:
            return int((folder / "memory.failcnt").read_text())
        return _counts(folder / "memory.events")["max"]

    def throttled(self) -> int:
        """How often it had used up its share of the CPU and had to wait."""
        return self._count("cpu", {1: "cpu.stat", 2: "cpu.stat"}, "nr_throttled")

    def _of(self, name: str) -> tuple[Controller, Path]:
        return next((one, folder) for one, folder in self.folders.items() if one.name == name)

    def _count(self, name: str, files: dict[int, str], what: str) -> int:
        controller, folder = self._of(name)
        return _counts(folder / files[controller.version])[what]


@contextmanager
def limited(limits: Limits) -> Iterator[Group]:
    """A group of its own that has these limits; what is still in it at the end goes back to where we are."""
    name = f"branchline-{secrets.token_hex(8)}"
    controllers = [one for one in map(find, limits.controllers) if one is not None]
    assert len(controllers) == len(limits.controllers), why_not(*limits.controllers)
    folders = {one: one.mount / name for one in controllers}
    try:
        for folder in set(folders.values()):
            folder.mkdir()
        group = Group(folders)
        group.limit(limits)
        yield group
    finally:
        for controller, folder in folders.items():
            if folder.exists():
                wait_for(lambda one=controller, at=folder: _removed(at, one.home), what="the end of a group")


def _removed(folder: Path, home: Path) -> bool:
    """Send what is in it home and remove it; False while something in it is ending."""
    _move(map(int, (folder / "cgroup.procs").read_text().split()), home)
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def _move(process_ids: Iterable[int], folder: Path) -> None:
    for process_id in process_ids:
        with suppress(ProcessLookupError):  # it ended
            (folder / "cgroup.procs").write_text(str(process_id))


def _counts(file: Path) -> dict[str, int]:
    """What a file of lines `name number` says."""
    return {name: int(number) for name, number in map(str.split, file.read_text().splitlines())}
