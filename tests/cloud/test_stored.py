"""`stored` is a promise: what head office has done before it says so, as the kernel saw it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync.chunks import Chunk
from sync.ids import new_id
from sync.messages import At, Fin, Open, Stored
from tests.cloud.test_ingest import AUDIO, SHA256, Office
from tests.databases import new_sqlite
from tests.sync.station import BOX

ROOT = Path(__file__).parents[2]
RID = new_id()
UPLOAD = f"""
import os, sys
from pathlib import Path
from cloud.store.database import open_engine
from tests.cloud.test_ingest import Office
office = Office(open_engine(sys.argv[1]), Path(sys.argv[2]))
for answer in office.upload("{RID}"):
    os.write(1, type(answer).__name__.encode())
"""
CALLS = "read,write,fsync,fdatasync,link,linkat"
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += \d")


class TestStored:
    """Each thing `stored` means."""

    @pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
    def test_all_is_on_the_disk_before_it_is_said(self, tmp_path: Path) -> None:
        objects, log = tmp_path / "objects", tmp_path / "calls"
        url = new_sqlite(tmp_path / "hq.db")
        watch = ["strace", "-f", "-y", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(log)]
        words = [sys.executable, "-c", UPLOAD, url, str(objects)]
        subprocess.run([*watch, *words], cwd=ROOT, check=True, capture_output=True)
        calls = [match.groups() for line in log.read_text().splitlines() if (match := CALL.match(line))]
        file, folder = objects / "incoming" / f"{BOX}.{RID}", objects / "objects" / SHA256[:2]
        wanted = [
            ("fsync", f"<{file}>"),
            ("read", f"<{file}>"),  # what is on the disk, not what was received
            ("link", f'"{folder / SHA256}"'),
            ("fsync", f"<{folder}>"),
            ("fdatasync", f"<{tmp_path / 'hq.db'}-wal>"),
            ("write", '"Stored"'),
        ]
        for name, what in wanted:
            while calls and not (calls[0][0] == name and what in calls[0][1]):
                del calls[0]
            assert calls, f"no {name} of {what} in its place"

    def test_a_file_that_was_altered_since_it_came_is_not(self, engine: Engine, tmp_path: Path) -> None:
        office = Office(engine, tmp_path / "objects")
        office.file(Open(rid=RID, size=len(AUDIO), sha256=SHA256), Chunk(RID, 0, AUDIO))
        office.incoming.path(f"{BOX}.{RID}").write_bytes(bytes(len(AUDIO)))
        (answer,) = office.file(Fin(rid=RID))
        assert isinstance(answer, At) and answer.doubt
        assert [row["state"] for row in office.rows("transfers")] == ["open"]
        assert office.objects.size(SHA256) is None

    def test_its_row_says_so(self, engine: Engine, tmp_path: Path) -> None:
        office = Office(engine, tmp_path / "objects")
        assert isinstance(office.upload(RID)[-1], Stored)
        assert [row["state"] for row in office.rows("transfers")] == ["stored"]
