"""A PostgreSQL server of the tests' own: in a temporary folder, by an unprivileged user.

It listens on a socket in that folder alone, so it needs no port, password or network and meets no other
server; what it writes is not synced, because nothing outlives it.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.fakes import wait_for

DEBIAN_FOLDER = Path("/usr/lib/postgresql/15/bin")
UNPRIVILEGED = "postgres"  # the package makes this user; root may not run the server
PORT = 5432  # a name within the folder, not a TCP port
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "Asia/Shanghai",  # not UTC: a text that should be UTC and is not shows
}


@dataclass(slots=True)
class PostgresServer:
    """A server with databases made on demand; `settings` go over SETTINGS."""

    settings: dict[str, str] = field(default_factory=dict)
    folder: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def start(self) -> None:
        """Make an empty cluster, start it, wait until it answers."""
        self.folder = Path(tempfile.mkdtemp(prefix="branchline-pg-"))
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        data = self.folder / "data"
        initdb = [DEBIAN_FOLDER / "initdb", "-D", data, "--auth=trust", "--username=branchline", "--no-sync"]
        locale = ["--locale=C.UTF-8", "--encoding=UTF8", "--no-instructions"]
        subprocess.run([*_as_user(), *initdb, *locale], check=True, capture_output=True, cwd="/")
        self.resume()

    def resume(self) -> None:
        """Start the server on the cluster that is there."""
        options = [f"-c{name}={value}" for name, value in (SETTINGS | self.settings).items()]
        server = [DEBIAN_FOLDER / "postgres", "-D", self.folder / "data", "-k", self.folder, *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_as_user(), *server], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        wait_for(self._answers, timeout_s=30.0, what="PostgreSQL being ready")

    def url(self, database: str) -> str:
        """The address of a database, as the settings have it."""
        return f"postgresql+psycopg://branchline@/{database}?host={self.folder}&port={PORT}"

    def make_database(self, template: str = "template1") -> str:
        """A new database; returns its name."""
        name = f"test{next(self._numbers)}"
        with self.connect("postgres") as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
        return name

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection past our own code, each statement committed at once."""
        return psycopg.connect(
            host=str(self.folder), port=PORT, user="branchline", dbname=database, autocommit=True
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End it and remove its folder."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            self.process.wait(timeout=20)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"PostgreSQL ended with {code}: {(self.folder / 'log').read_text()[-2000:]}"
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def _as_user() -> list[str]:
    """As whom to run it, and that it ends when we do, however we end."""
    drop = [f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]
    return ["setpriv", *(drop if os.geteuid() == 0 else []), "--pdeathsig", "INT"]
