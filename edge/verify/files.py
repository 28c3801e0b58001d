"""The recordings folder: every sealed file read to its end, every deleted one gone, nothing beside them.

The recorder may work meanwhile, so what looks wrong is looked at again a moment later.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

from edge.finished import ENCODING, FINISHED
from edge.seal import Link, read_object
from edge.store.retention import named_files
from edge.store.seals import UNFINISHED, links_of
from edge.verify.bench import Bench, Fault, row_in

PART = ".part"
QUARANTINE = "quarantine"
BLOCK_BYTES = 1 << 20


def check_audio(bench: Bench) -> Iterator[Fault]:
    """Every sealed file, read to its end; every deleted one gone."""
    suspects = [one for one in bench.to_read if _audio_fault(bench, links_of(bench.db, one)[-1])]
    if suspects:  # they may have become another file, or been deleted, since the snapshot
        threading.Event().wait(bench.settle_s)
    for one in suspects:
        link = links_of(bench.db, one)[-1]
        says = _audio_fault(bench, link)
        if says:
            yield Fault("recording", f"recording {one} (link {link.seq}): {says}")


def _audio_fault(bench: Bench, link: Link) -> str | None:
    sealed = read_object(link.data) or {}
    row = row_in(sealed) or {}
    file = bench.folder / str(row.get("file"))
    if row.get("state") == "deleted" and file.is_file() and file.name not in named_files(bench.db):
        return (
            f"deleted by {sealed.get('user')!r} ({sealed.get('reason')!r}), but its file {file.name} is still"
            " there: the deletion was cut short"
        )
    if row.get("state") != "ready":
        return None
    try:
        size, digest = _hash(file, bench)
    except OSError as error:
        return f"its file {file.name} cannot be read: {error.strerror or error}"
    if size != row["size_bytes"]:
        return f"its file {file.name} has {size} bytes, sealed with {row['size_bytes']}"
    if digest != row["sha256"]:
        return f"its file {file.name} was changed: its SHA-256 is not the sealed one"
    return None


def _hash(file: Path, bench: Bench) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            bench.tally.bytes += len(block)
            bench.step(f"file {file.name}")
    bench.tally.files += 1
    return size, digest.hexdigest()


def check_folder(bench: Bench) -> Iterator[Fault]:
    """No file that no row names."""
    if not bench.folder.is_dir():
        yield Fault("file", f"there is no folder {bench.folder}")
        return
    extra = _extra_files(bench)
    if extra:  # what the recorder is just making or removing is not there, or is known, a moment later
        threading.Event().wait(bench.settle_s)
        extra &= _extra_files(bench)
    for name in sorted(extra):
        yield Fault("file", f"file {name} belongs to no recording; the next start puts it aside")
    waiting = [name for name in named_files(bench.db) if (bench.folder / name).is_file()]
    if waiting:
        bench.tally.notes.append(f"files being packed or still to be removed: {len(waiting)}")
    aside = bench.folder / QUARANTINE
    if aside.is_dir() and (count := len(list(aside.iterdir()))):
        bench.tally.notes.append(f"files put aside in {aside}: {count}")


def _extra_files(bench: Bench) -> set[str]:
    found = {
        str(path.relative_to(bench.folder))
        for path in bench.folder.rglob("*")
        if path.is_file() and QUARANTINE not in path.relative_to(bench.folder).parts[:1]
    }
    known = named_files(bench.db)
    for recording_id, state, file in bench.db.execute("SELECT id, state, file FROM recordings"):
        known |= {file, f"{recording_id}{ENCODING}"}
        if state in UNFINISHED["recordings"]:
            known |= {f"{recording_id}{PART}", f"{recording_id}{FINISHED}"}
    return found - known
