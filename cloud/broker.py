"""The broker's configuration, generated: mosquitto as a pipe that keeps nothing.

It shows each box only its own topics: TLS with a client certificate is the only way in, the certificate's
common name is user name and client id, and the access list denies what it does not grant to that name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cloud.pki import Pair
from sync.topics import MOST_WORKERS, worker_name

MAX_PACKET_BYTES = 300_000
HEAP = {  # of the GNU C library: a chunk of audio that is given back and asked for again is 64 page faults
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
}
DROP_IN = "branchline.conf"

CONF = """\
# Written by cloud.broker; changes here are lost.
per_listener_settings false
allow_anonymous false
acl_file {acl}
pid_file {pid}
log_dest {log}
log_type error
log_type warning
log_type notice
connection_messages false
user {user}

# Nothing is kept: outbox and inbox know what is still owed.
persistence false
max_packet_size {max_packet}
max_inflight_messages 100
max_queued_messages 1000
max_queued_bytes 16777216
set_tcp_nodelay true

listener {port} {bind}
tls_version tlsv1.2
cafile {ca}
certfile {cert}
keyfile {key}
require_certificate true
use_identity_as_username true
use_username_as_clientid true
"""

_WORKERS = "\n".join(
    f"user {worker_name(number)}\ntopic read x/1/+/+/up/#\ntopic write x/1/+/+/dn/#\n"
    for number in range(1, MOST_WORKERS + 1)
)

ACL = f"""\
# Written by cloud.broker; changes here are lost. %u is the certificate's common name.
# What is not granted is denied.
{_WORKERS}
pattern write x/1/+/%u/up/#
pattern read x/1/+/%u/dn/#
"""


class BrokerError(RuntimeError):
    """The broker is not installed, or did not start."""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """What the configuration is made from."""

    folder: Path  # for mosquitto.conf, the access list, the log
    port: int
    ca_file: Path
    server: Pair
    bind: str = "127.0.0.1"
    user: str = "root"  # whom mosquitto becomes when started as root; the default user cannot read 0600 keys
    log_to_stderr: bool = False
    max_packet_bytes: int = MAX_PACKET_BYTES


def write_config(settings: BrokerSettings) -> Path:
    """Write mosquitto.conf, its access list and a drop-in for its systemd service; returns the first."""
    folder = settings.folder
    folder.mkdir(parents=True, exist_ok=True)
    environment = [f"Environment={name}={value}" for name, value in HEAP.items()]
    lines = ["# For /etc/systemd/system/mosquitto.service.d: how much freed memory it keeps.", "[Service]"]
    (folder / DROP_IN).write_text("\n".join([*lines, *environment, ""]))
    acl = folder / "mosquitto.acl"
    acl.write_text(ACL)
    acl.chmod(0o600)
    conf = folder / "mosquitto.conf"
    conf.write_text(
        CONF.format(
            acl=acl,
            pid=folder / "mosquitto.pid",
            log="stderr" if settings.log_to_stderr else f"file {folder / 'mosquitto.log'}",
            user=settings.user,
            max_packet=settings.max_packet_bytes,
            port=settings.port,
            bind=settings.bind,
            ca=settings.ca_file,
            cert=settings.server.cert,
            key=settings.server.key,
        )
    )
    return conf


def find_mosquitto() -> Path:
    """The mosquitto program; Debian keeps it in /usr/sbin, which is not on every PATH."""
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise BrokerError("mosquitto is not installed: apt-get install mosquitto")
    return Path(found)


def start(conf: Path) -> subprocess.Popen[bytes]:
    """Start mosquitto as a child with the configuration `conf`; the caller ends it."""
    return subprocess.Popen([find_mosquitto(), "-c", conf], stdin=subprocess.DEVNULL, env=os.environ | HEAP)
