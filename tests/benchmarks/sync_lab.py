"""What the sync benchmarks share: real processes, their CPU, and plain MQTT to measure against."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud import pki
from sync import topics
from sync.transport import wait
from tests.sync import processes
from tests.sync.station import BOX, Station

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 60.0
MIXED_CHUNK = 128 * 1024
KEPT_BYTES = 18 * 256 * 1024  # of a file: ten minutes of a call


@contextmanager
def station() -> Iterator[Station]:
    """Certificates and a broker with TLS in a folder of their own."""
    with TemporaryDirectory() as folder:
        made = Station(Path(folder))
        made.start_broker()
        try:
            yield made
        finally:
            made.kill_broker()


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End the process at the end."""
    try:
        yield process
    finally:
        processes.kill(process)


def cpu_s(*pids: int) -> float:
    """CPU seconds of processes until now."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def until(done: Callable[[], bool], within_s: float = PATIENCE_S, every_s: float = 0.01) -> float:
    """Wait for a fact; when it came true."""
    deadline_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s"
        wait([], every_s)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Flow:
    """Messages, or bytes, that came through."""

    count: float
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """A second."""
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU seconds for each."""
        return self.cpu_s / self.count


def usual(turns: Sequence[Flow]) -> float:
    """The median rate: now and then plain MQTT is two and a half times as quick as it is otherwise."""
    return median(one.rate for one in turns)


def cheapest(turns: Sequence[Flow]) -> float:
    """The least CPU for each: whatever else runs on the machine only adds to it."""
    return min(one.cpu_each for one in turns)


def plain_flow(
    at: Station, payload_bytes: int, count: int, in_flight: int, reader: str = "subscribe"
) -> Flow:
    """Plain paho at QoS 1 as one would write it: no database, no acknowledgement but the broker's.

    A reader that is to `keep` what it hears writes files, hashes them and makes them durable.
    """
    assert at.mosquitto is not None
    numbers = (payload_bytes, count, in_flight)
    with running(plain(at, reader, numbers=numbers)) as hears:
        assert hears.stdout is not None
        assert hears.stdout.readline() == b"ready\n"
        with running(plain(at, "publish", numbers=numbers)) as writer:
            pids = (hears.pid, writer.pid, at.mosquitto.pid)
            assert hears.stdout.readline() == b"first\n"
            begun_s, begun_cpu_s = time.monotonic(), cpu_s(*pids)
            arrived = int(hears.stdout.readline())
            return Flow(arrived, time.monotonic() - begun_s, cpu_s(*pids) - begun_cpu_s)


def plain(
    at: Station, way: str, inside: Sequence[str] = (), numbers: Sequence[int] = (0, 0, 4)
) -> subprocess.Popen[bytes]:
    """One end of plain MQTT: subscribe, keep, publish, queue, mix, hear; (bytes, messages, in flight)."""
    words = [at.host, at.port, *numbers]
    command = [sys.executable, "-m", "tests.benchmarks.sync_lab", way, str(at.folder), *map(str, words)]
    return subprocess.Popen([*inside, *command], stdout=subprocess.PIPE)


def _client(folder: Path, name: str, host: str, port: int, in_flight: int) -> mqtt.Client:
    pair = pki.pair_of(folder / "pki", name)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    context = ssl.create_default_context(cafile=str(folder / "pki" / "ca.pem"))
    context.load_cert_chain(pair.cert, pair.key)
    client.tls_set_context(context)
    client.max_inflight_messages_set(in_flight)
    client.on_socket_open = _no_delay
    client.connect(host, port)
    return client


def say(word: str) -> None:
    """To whoever started us."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _no_delay(_client: mqtt.Client, _userdata: object, sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _subscribe(client: mqtt.Client, count: int, take: Callable[[bytes], None]) -> None:
    """Say `first` with the first message and how many came when the last is in, or none come any more."""
    arrived = 0
    last_s = time.monotonic()

    def heard(_client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        nonlocal arrived, last_s
        take(message.payload)
        arrived, last_s = arrived + 1, time.monotonic()
        if arrived == 1:
            say("first")

    client.on_message = heard
    client.on_subscribe = lambda *_: say("ready")
    client.subscribe("x/1/+/+/up/#", qos=1)
    while arrived < count and (arrived == 0 or time.monotonic() - last_s < 2.0):
        client.loop(0.1)
    say(str(arrived))
    threading.Event().wait()


@dataclass(slots=True)
class Keeping:
    """Files of what was heard, each whole, hashed, and durable with its name before the next begins."""

    folder: Path
    _handle: int = -1
    _written: int = 0
    _sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def take(self, data: bytes) -> None:
        """The next bytes."""
        if self._handle < 0:
            self.folder.mkdir(exist_ok=True)
            self._handle = os.open(self.folder / ".part", os.O_CREAT | os.O_WRONLY)
        self._sha256.update(data)
        self._written += os.write(self._handle, data)
        if self._written >= KEPT_BYTES:
            self._end()

    def _end(self) -> None:
        os.fsync(self._handle)
        os.close(self._handle)
        (self.folder / ".part").rename(self.folder / self._sha256.hexdigest())
        names = os.open(self.folder, os.O_RDONLY)
        os.fsync(names)
        os.close(names)
        self._handle, self._written, self._sha256 = -1, 0, hashlib.sha256()


def _publish(client: mqtt.Client, payload_bytes: int, count: int, in_flight: int) -> None:
    """Keep as many in flight as the client allows, with payloads that do not deflate."""
    payload = os.urandom(payload_bytes)
    sent = acked = 0

    def done(*_: object) -> None:
        nonlocal acked
        acked += 1

    client.on_publish = done
    topic = topics.build(BOX, "up", "e")
    while not client.is_connected():
        client.loop(0.1)
    while acked < count:
        while sent < count and sent - acked < in_flight:
            client.publish(topic, payload, qos=1)
            sent += 1
        client.loop(0.1)
    threading.Event().wait()


def _queue(client: mqtt.Client, payload_bytes: int, count: int) -> None:
    """Hand everything to paho, as fast as it takes it; say `queued` once `publish` has returned for all."""
    while not client.is_connected():
        client.loop(0.1)
    for _ in range(count):
        client.publish(topics.build(BOX, "up", "e"), os.urandom(payload_bytes), qos=1)
    say("queued")
    client.loop_forever()


def _hear(client: mqtt.Client) -> None:
    """Say how long each small message took, and nothing of the audio."""

    def heard(_client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/e") and len(message.payload) < 100:
            say(str(time.monotonic() - float(message.payload)))

    client.on_message = heard
    client.subscribe("x/1/+/+/up/#", qos=1)
    client.loop_forever()


def _mix(client: mqtt.Client, in_flight: int) -> None:
    """Audio in chunks of 128 KB and a small message now and then, on one connection."""
    audio = os.urandom(MIXED_CHUNK)
    large: set[int] = set()
    client.on_publish = lambda _client, _userdata, mid, *_: large.discard(mid)
    next_s = 0.0
    while True:
        client.loop(0.02)
        if not client.is_connected():
            continue
        while len(large) < in_flight:
            large.add(client.publish(topics.build(BOX, "up", "e"), audio, qos=1).mid)
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + 0.5
            client.publish(topics.build(BOX, "up", "e"), str(time.monotonic()), qos=1)


def main(way: str, folder: str, host: str, port: str, payload_bytes: str, count: str, in_flight: str) -> None:
    """One end of plain MQTT, until killed."""
    name = "head-office" if way in ("subscribe", "keep", "hear") else BOX
    client = _client(Path(folder), name, host, int(port), max(20, int(in_flight)))
    if way == "subscribe":
        _subscribe(client, int(count), lambda _: None)
    elif way == "keep":
        _subscribe(client, int(count), Keeping(Path(folder) / "kept").take)
    elif way == "queue":
        _queue(client, int(payload_bytes), int(count))
    elif way == "hear":
        _hear(client)
    elif way == "mix":
        _mix(client, int(in_flight))
    else:
        _publish(client, int(payload_bytes), int(count), int(in_flight))


if __name__ == "__main__":
    main(*sys.argv[1:])
