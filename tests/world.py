"""Everything there is, started as programs of their own in one folder: what `make run` shows, tests check.

    <folder>/ca/            certificates of head office's authority     head-office.toml   its settings
    <folder>/broker/        mosquitto.conf, access list                 box.toml           the box's settings
    <folder>/box/           the branch database and recordings          alsa.conf          the virtual card
    <folder>/head-office/   head office's database and recordings       log/<program>.log  what each one says

Each program can be started, ended and killed by name, as power cuts and crashes do.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cloud import admin
from cloud.admin import NewUser
from cloud.broker import find_mosquitto
from cloud.config import read_settings
from edge.config import Config, read_config
from edge.store.schema import open_store
from edge.store.users import add_user, any_user
from hw.virtual.build import alsa_config, build
from tests.fakes import wait_for

BOX_ID = "branch-12"
USER = "demo"
SCRIPTS = Path(__file__).parents[1] / "hw" / "virtual" / "scripts"
READY = {"hat": "virtual HAT:", "record": "recorder: ready", "web": "page: ", "sync": "sync: ready"}
ORDER = ("broker", "ingest", "hq-web", "hq-worker", "hat", "record", "web", "sync")

BOX_TOML = """\
[box]
id = "{box_id}"
name = "{name}"
data_dir = "{folder}/box"
ring_dir = "{ring_dir}"
language = "{language}"

[[hats]]
name = "hat0"
alsa_device = "linehat0"
readings_port = "{folder}/hat0.port"
lines = {lines}
{line_tables}
[web]
host = "{host}"
port = {web_port}
https = "off"

[head_office]
host = "localhost"
port = {broker_port}
ca = "{folder}/box/certificates/ca.pem"
cert = "{folder}/box/certificates/{box_id}.pem"
key = "{folder}/box/certificates/{box_id}-key.pem"
bulk_cert = "{folder}/box/certificates/{box_id}.b.pem"
bulk_key = "{folder}/box/certificates/{box_id}.b-key.pem"
"""

HEAD_OFFICE_TOML = """\
data = "{folder}/head-office"
hook_networks = "{hook_networks}"
organisation = "{organisation}"
language = "{language}"

[broker]
host = "localhost"
port = {broker_port}
ca = "{folder}/ca/ca.pem"
cert = "{folder}/ca/head-office.pem"
key = "{folder}/ca/head-office-key.pem"

[web]
host = "{host}"
port = {hq_port}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of the world."""

    broker: int
    web: int
    hq: int


@dataclass(slots=True)
class World:
    """One head office, one branch box, one virtual HAT."""

    folder: Path
    script: Path = SCRIPTS / "demo.toml"
    lines: int = 4
    speed: float = 1.0
    host: str = "127.0.0.1"
    language: str = "zh"
    name: str = "城南门店"
    line_names: tuple[str, ...] = ()
    hook_networks: str = ""  # that head office may tell webhooks in
    ports: Ports = field(default_factory=lambda: Ports(*free_ports(3)))
    before: dict[str, list[str]] = field(default_factory=dict)  # what a program's command begins with
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    # -- made once

    def prepare(self) -> None:
        """Write settings, certificates and log-ins; what is there already stays."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log").mkdir(exist_ok=True)
        self.memory.mkdir(exist_ok=True)
        self._write_settings()
        now = datetime.now(UTC)
        settings = read_settings(self.head_office_toml)
        admin.init_ca(settings, ["127.0.0.1"], now)
        admin.add_box(settings, BOX_ID, self.name, self.folder / "box" / "certificates", now)
        admin.write_broker_config(settings, self.folder / "broker", "127.0.0.1", getpass.getuser())
        (self.folder / "alsa.conf").write_text(alsa_config(build(), {"linehat0": self.ring}))
        self._make_log_ins()

    def _write_settings(self) -> None:
        tables = "".join(
            f'\n[[lines]]\nline = {line}\nname = "{name}"\n'
            for line, name in enumerate(self.line_names, start=1)
        )
        values = {
            "folder": self.folder,
            "ring_dir": self.memory,
            "box_id": BOX_ID,
            "name": self.name,
            "organisation": "Branchline",
            "hook_networks": self.hook_networks,
            "language": self.language,
            "lines": self.lines,
            "line_tables": tables,
            "host": self.host,
            "web_port": self.ports.web,
            "hq_port": self.ports.hq,
            "broker_port": self.ports.broker,
        }
        self.box_toml.write_text(BOX_TOML.format(**values), encoding="utf-8")
        self.head_office_toml.write_text(HEAD_OFFICE_TOML.format(**values), encoding="utf-8")

    def _make_log_ins(self) -> None:
        if not self.password_file.exists():
            self.password_file.touch(mode=0o600)
            self.password_file.write_text(secrets.token_urlsafe(9))
        with closing(open_store(self.config.database)) as db:
            if not any_user(db):
                add_user(db, USER, self.password, "super")
        marker = self.folder / "head-office" / "user-made"
        if not marker.exists():
            admin.add_user(
                read_settings(self.head_office_toml),
                NewUser(USER, "admin", self.password_file),
                datetime.now(UTC),
            )
            marker.touch()

    # -- where things are

    @property
    def box_toml(self) -> Path:
        return self.folder / "box.toml"

    @property
    def head_office_toml(self) -> Path:
        return self.folder / "head-office.toml"

    @property
    def config(self) -> Config:
        """The box's settings."""
        return read_config(self.box_toml)

    @property
    def memory(self) -> Path:
        """A folder in memory of this world's own, so that two worlds do not meet."""
        return Path("/dev/shm") / f"branchline{str(self.folder).replace('/', '-')}"

    @property
    def ring(self) -> Path:
        """The virtual card."""
        return self.memory / "card.ring"

    @property
    def password_file(self) -> Path:
        return self.folder / "log-in-password"

    @property
    def password(self) -> str:
        """Of the user `demo`, on both pages."""
        return self.password_file.read_text()

    @property
    def branch_page(self) -> str:
        return f"http://localhost:{self.ports.web}/"

    @property
    def head_office_page(self) -> str:
        return f"http://localhost:{self.ports.hq}/"

    def log(self, program: str) -> str:
        """What a program has said so far."""
        path = self.folder / "log" / f"{program}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    # -- programs

    def command(self, program: str) -> list[str]:
        """How `program` is started."""
        edge = [sys.executable, "-m", "edge", program, "--config", str(self.box_toml)]
        cloud = [sys.executable, "-m", "cloud", "--config", str(self.head_office_toml)]
        hat = [sys.executable, "-m", "hw.virtual", "--script", str(self.script), "--ring", str(self.ring)]
        hat += ["--readings", str(self.folder / "hat0.port"), "--speed", str(self.speed)]
        hat += ["--lines", str(self.lines), "--story", str(self.folder / "story.jsonl")]
        command = {
            "broker": [str(find_mosquitto()), "-c", str(self.folder / "broker" / "mosquitto.conf")],
            "ingest": [*cloud, "ingest"],
            "hq-web": [*cloud, "web"],
            "hq-worker": [*cloud, "worker"],
            "hat": hat,
        }.get(program, edge)
        return [*self.before.get(program, ()), *command]

    def start(self, *programs: str) -> None:
        """Start programs and wait until each says it is ready."""
        for program in programs or ORDER:
            path = self.folder / "log" / f"{program}.log"
            said = path.stat().st_size if path.exists() else 0
            self._spawn(program, path)
            if not programs:
                continue
            self.wait_ready(program, said)
        if not programs:
            for program in ORDER:
                self.wait_ready(program, 0)

    def _spawn(self, program: str, path: Path) -> None:
        environment = os.environ | {"ALSA_CONFIG_PATH": str(self.folder / "alsa.conf")}
        with path.open("ab") as log:
            self.programs[program] = subprocess.Popen(
                self.command(program),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end them in order
                env=environment,
            )

    def wait_ready(self, program: str, said: int) -> None:
        """Wait until `program` works: by what it prints after `said` bytes of its log, or by its port."""
        port = {"broker": self.ports.broker, "hq-web": self.ports.hq, "web": self.ports.web}.get(program)

        def is_ready() -> bool:
            code = self.programs[program].poll()
            assert code is None, f"{program} ended with {code}: {self.log(program)[-2000:]}"
            if port is not None:
                return listens(port)
            word = READY.get(program)
            return word is None or word in self.log(program)[said:]

        wait_for(is_ready, timeout_s=30.0, what=f"{program} being ready")

    def kill(self, program: str) -> None:
        """kill -9, as a crash would."""
        self._end(program, signal.SIGKILL)

    def stop(self, *programs: str) -> None:
        """Ask programs to end, and wait for it; without names all of them, from the lines backwards."""
        for program in programs or [one for one in reversed(ORDER) if one in self.programs]:
            self._end(program, signal.SIGTERM)
        if not programs:
            shutil.rmtree(self.memory)

    def _end(self, program: str, number: signal.Signals) -> None:
        process = self.programs.pop(program)
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{program} did not end within 15 s: {self.log(program)[-2000:]}") from None


def listens(port: int) -> bool:
    """Whether something answers on a loopback port."""
    with closing(socket.socket()) as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """TCP ports nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
