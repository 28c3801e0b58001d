"""A file of records that somebody takes away: what it is, and how it is handed over."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.responses import Response, StreamingResponse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
IN_MEMORY_BYTES = 4_000_000
BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file that may be handed over: what it is, and how it stands in the audit."""

    file: IO[bytes]
    name: str
    media_type: str
    size_bytes: int
    rows: int
    audit_id: str
    grants: tuple[str, ...] = ()  # ids of those that showed some of it


def spooled(folder: Path) -> IO[bytes]:
    """A file that has no name: whoever drops it leaves nothing."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder))


def handed_over(made: ExportFile) -> Response:
    """The file as an answer."""
    headers = {
        "Content-Disposition": f'attachment; filename="{made.name}"',
        "Content-Length": str(made.size_bytes),
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(_blocks(made.file), headers=headers, media_type=made.media_type)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK):
            yield block
