"""Power cuts without cutting power: what a program wrote, replayed into every state a disk may then be in.

The program runs once under strace. Its writes, truncations, renames, removals and fsyncs become a list of
steps. A power cut may fall between any two of them; of what no fsync made durable, nothing, all, or
any mixture of pages may have reached the disk, one of them torn. `states` yields such disks, to be checked.

    durable       file content as of its last fsync; names as of the last fsync of their folder
    pending       writes and truncations since, in order; names since

What a program prints while it runs (`marks`) tells what it had promised by then.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
PAGE = 4096
WRITEBACKS = 4  # moments since the last fsync that pages of one file may be of
CALLS = (
    "openat,creat,write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,"
    "close,lseek,mkdir,mkdirat"
)
_LINE = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)\)\s+= (-?\d+)")
_FD = re.compile(r"^(-?\d+)<([^>]*)>")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_UNFINISHED = re.compile(r"^(\d+)\s+(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+)\s+<\.\.\. \w+ resumed>(.*)$")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the program did to the disk, or (`kind` mark) said on its output."""

    kind: str  # create | write | truncate | sync | rename | remove | mark
    path: str = ""
    offset: int = 0
    data: bytes = b""
    target: str = ""


def trace(command: list[str], folder: Path, log: Path, environment: dict[str, str]) -> list[Step]:
    """Run `command` to its end under strace; what it did below `folder`, and its marks, in order."""
    options = [
        "-f",
        "-y",
        "-xx",
        "-s",
        "2000000",
        "-e",
        f"trace={CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]
    subprocess.run(
        ["strace", *options, *command], check=True, capture_output=True, env=environment, timeout=300
    )
    return _steps(_whole_lines(log), str(folder))


def _whole_lines(log: Path) -> Iterator[str]:
    """Calls of several threads may be cut in two lines; put them together where they end."""
    waiting: dict[str, str] = {}
    for line in log.read_text(encoding="latin-1").splitlines():
        if cut := _UNFINISHED.match(line):
            waiting[cut[1]] = cut[2]
        elif (rest := _RESUMED.match(line)) and rest[1] in waiting:
            yield f"{rest[1]} {waiting.pop(rest[1])}{rest[2]}"
        else:
            yield line


def _steps(lines: Iterator[str], folder: str) -> list[Step]:
    steps: list[Step] = []
    offsets: dict[str, int] = {}  # by descriptor
    for line in lines:
        found = _LINE.match(line)
        if not found or int(found[3]) < 0:
            continue
        call, arguments, result = found[1], found[2], int(found[3])
        steps += _step(call, arguments, result, folder, offsets)
    return steps


def _step(call: str, arguments: str, result: int, folder: str, offsets: dict[str, int]) -> list[Step]:
    strings = [bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(arguments)]
    descriptor = _FD.match(arguments)
    fd, path = (descriptor[1], _plain(descriptor[2])) if descriptor else ("", "")
    if call == "write" and fd == "1":
        return [Step("mark", data=strings[0][:result])]
    if call in ("openat", "creat"):
        return _opened(strings, arguments, result, folder, offsets)
    if call in ("rename", "renameat", "renameat2"):
        old, new = (name.decode() for name in strings[:2])
        return [Step("rename", old, target=new)] if new.startswith(folder) else []
    if call in ("unlink", "unlinkat"):
        name = strings[0].decode()
        return [Step("remove", name)] if name.startswith(folder) else []
    if not path.startswith(folder):
        return []
    numbers = [int(number) for number in re.findall(r", (-?\d+)", _STRING.sub("", arguments))]
    if call == "write":
        at = offsets.get(fd, 0)
        offsets[fd] = at + result
        return [Step("write", path, at, strings[0][:result])]
    if call == "pwrite64":
        return [Step("write", path, numbers[-1], strings[0][:result])]
    if call == "lseek":
        offsets[fd] = result
        return []
    if call == "ftruncate":
        return [Step("truncate", path, numbers[-1])]
    return [Step("sync", path)] if call in ("fsync", "fdatasync") else []


def _opened(
    strings: list[bytes], arguments: str, result: int, folder: str, offsets: dict[str, int]
) -> list[Step]:
    name = strings[0].decode() if strings else ""
    offsets[str(result)] = 0
    if not name.startswith(folder):
        return []
    steps = [Step("create", name)] if "O_CREAT" in arguments else []
    return [*steps, Step("truncate", name, 0)] if "O_TRUNC" in arguments else steps


def _plain(text: str) -> str:
    """strace -xx writes the paths of descriptors in hex as well."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)


@dataclass(slots=True)
class Disk:
    """Files below one folder, as durable content and what came after."""

    durable: dict[str, bytes] = field(default_factory=dict)  # by inode
    pending: dict[str, list[Step]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # path -> inode, as the program sees it
    durable_names: dict[str, str] = field(default_factory=dict)
    late_names: list[tuple[str, str | None]] = field(default_factory=list)  # since the folder's fsync
    count: int = 0

    def apply(self, step: Step) -> None:
        """The program does `step`."""
        if step.kind == "create" and step.path not in self.names:
            self.count += 1
            self._name(step.path, f"inode{self.count}")
        elif step.kind in ("write", "truncate") and step.path in self.names:
            self.pending.setdefault(self.names[step.path], []).append(step)
        elif step.kind == "rename" and step.path in self.names:
            inode = self.names[step.path]
            self._name(step.target, inode)
            self._name(step.path, None)
        elif step.kind == "remove" and step.path in self.names:
            self._name(step.path, None)
        elif step.kind == "sync":
            self._sync(step.path)

    def _name(self, path: str, inode: str | None) -> None:
        if inode is None:
            self.names.pop(path, None)
        else:
            self.names[path] = inode
        self.late_names.append((path, inode))

    def _sync(self, path: str) -> None:
        inode = self.names.get(path)
        if inode is None:  # a folder
            for name, late in self.late_names:
                _set(self.durable_names, name, late)
            self.late_names = []
            return
        self.durable[inode] = _written(self.durable.get(inode, b""), self.pending.pop(inode, []))
        # ext4 and its kin make the name of a file they fsync durable with it
        if (path, inode) in self.late_names:
            self.durable_names[path] = inode
            self.late_names.remove((path, inode))

    def after_power_cut(self, choice: random.Random, mode: str) -> dict[str, bytes]:
        """Path -> content of a disk that is legal now; `mode`: none, all, or random of what was pending."""
        names = dict(self.durable_names)
        kept = {"none": 0, "all": len(self.late_names)}.get(mode, choice.randint(0, len(self.late_names)))
        for name, late in self.late_names[:kept]:
            _set(names, name, late)
        return {path: self._content(inode, choice, mode) for path, inode in names.items()}

    def _content(self, inode: str, choice: random.Random, mode: str) -> bytes:
        content, pending = self.durable.get(inode, b""), self.pending.get(inode, [])
        if mode == "none" or not pending:
            return content
        if mode == "all":
            return _written(content, pending)
        first, last = choice.choice(_between_cuts(pending))
        moments = [choice.randint(first, last) for _ in range(WRITEBACKS)]
        return _mixed([_written(content, pending[:moment]) for moment in moments], choice)


def _between_cuts(pending: list[Step]) -> list[tuple[int, int]]:
    """Stretches of moments whose pages may lie side by side on the disk.

    A file that is cut shorter gives its blocks back; what is written there later lies elsewhere, so a page of
    before the cut and one of after it are never both in the file.
    """
    cuts = [at for at, step in enumerate(pending) if step.kind == "truncate"]
    return list(zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(pending)], strict=True))


def states(steps: list[Step], seed: int, most: int) -> Iterator[tuple[list[bytes], dict[str, bytes]]]:
    """(marks so far, disk) for about `most` power cuts spread over the whole run, three kinds each."""
    choice = random.Random(seed)
    places = {at for at, step in enumerate(steps) if step.kind != "mark"}
    wanted = set(choice.sample(sorted(places), min(len(places), max(1, most // 3))))
    disk, marks = Disk(), []
    for at, step in enumerate(steps):
        if step.kind == "mark":
            marks += step.data.splitlines()
        disk.apply(step)
        if at in wanted:
            for mode in ("none", "all", "random"):
                yield list(marks), disk.after_power_cut(choice, mode)


def lay_out(files: dict[str, bytes], was: Path, now: Path) -> None:
    """Write a disk out below `now`, as it was below `was`."""
    for path, content in files.items():
        target = now / Path(path).relative_to(was)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _set(names: dict[str, str], path: str, inode: str | None) -> None:
    if inode is None:
        names.pop(path, None)
    else:
        names[path] = inode


def _written(content: bytes, steps: list[Step]) -> bytes:
    data = bytearray(content)
    for step in steps:
        if step.kind == "truncate":
            del data[step.offset :]
            data += bytes(max(0, step.offset - len(data)))
        else:
            data += bytes(max(0, step.offset - len(data)))
            data[step.offset : step.offset + len(step.data)] = step.data
    return bytes(data)


def _mixed(versions: list[bytes], choice: random.Random) -> bytes:
    """Each page as it was at one of some moments since the last fsync, the length as at one of them too.

    One page may have been on its way when the power went: only some of its sectors are of the later moment.
    """
    size = len(choice.choice(versions))
    longest = max(map(len, versions))
    padded = [version.ljust(longest, b"\0") for version in versions]
    pages = [choice.choice(padded)[at : at + PAGE] for at in range(0, longest, PAGE)]
    if pages:
        torn, sector = choice.randrange(len(pages)), SECTOR * choice.randrange(PAGE // SECTOR)
        other = choice.choice(padded)[torn * PAGE : (torn + 1) * PAGE]
        pages[torn] = pages[torn][:sector] + other[sector:]
    return b"".join(pages)[:size].ljust(size, b"\0")
