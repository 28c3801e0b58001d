"""A TCP proxy on the loopback with the faults of a bad line: delay, jitter, reset, damage, a cut."""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field

READ_BYTES = 16 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


@dataclass
class Fault:
    """What happens to the bytes that go towards the broker; each kind at most `times`."""

    delay_s: float = 0.0  # each way
    jitter_s: float = 0.0
    after_bytes: int = 0  # the fault below strikes here
    kind: str = ""  # reset | close | flip
    times: int = 1


@dataclass
class Proxy:
    """Listens on `port` and passes on to `target`, in a thread of its own until `close`."""

    target: int
    fault: Fault = field(default_factory=Fault)
    struck: int = 0  # faults that happened

    def __post_init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._wake, self._woken = socket.socketpair()
        self._chance = random.Random(1)
        self._pipes: list[_Pipe] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where to connect."""
        return int(self._server.getsockname()[1])

    def close(self) -> None:
        """End everything."""
        self._wake.close()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            timeout_s = min([0.5, *(pipe.due_s() for pipe in self._pipes)])
            sources = [pipe.source for pipe in self._pipes]
            ready, _, _ = select.select([self._server, self._woken, *sources], [], [], timeout_s)
            if self._woken in ready:
                break
            if self._server in ready:
                self._accept()
            for pipe in list(self._pipes):
                if pipe in self._pipes:
                    self._serve(pipe, pipe.source in ready)
        for sock in [self._server, self._woken, *(pipe.source for pipe in self._pipes)]:
            sock.close()

    def _accept(self) -> None:
        near, _ = self._server.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=2)
        except OSError:
            near.close()
            return
        self._pipes += [_Pipe(near, far, up=True), _Pipe(far, near, up=False)]

    def _serve(self, pipe: _Pipe, readable: bool) -> None:
        try:
            if readable and not self._read(pipe):
                self._end(pipe, reset=False)
                return
            pipe.deliver()
        except OSError:
            self._end(pipe, reset=False)

    def _read(self, pipe: _Pipe) -> bool:
        data = pipe.source.recv(READ_BYTES)
        fault = self.fault
        if (
            pipe.up
            and fault.kind
            and self.struck < fault.times
            and pipe.passed + len(data) > fault.after_bytes
        ):
            self.struck += 1
            if fault.kind == "flip":
                middle = len(data) // 2
                data = data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]
            else:
                pipe.target.sendall(data[: len(data) // 2])  # half a TLS record
                self._end(pipe, reset=fault.kind == "reset")
                return True
        pipe.passed += len(data)
        late_s = fault.delay_s + self._chance.uniform(0, fault.jitter_s)
        pipe.take(data, time.monotonic() + late_s)
        return bool(data)

    def _end(self, pipe: _Pipe, *, reset: bool) -> None:
        for sock in (pipe.source, pipe.target):
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
        self._pipes = [
            one for one in self._pipes if one.source is not pipe.source and one.source is not pipe.target
        ]


@dataclass
class _Pipe:
    source: socket.socket
    target: socket.socket
    up: bool
    passed: int = 0
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)

    def take(self, data: bytes, due_s: float) -> None:
        if self.waiting:
            due_s = max(due_s, self.waiting[-1][0])  # TCP keeps the order
        self.waiting.append((due_s, data))

    def due_s(self) -> float:
        return max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else 0.5

    def deliver(self) -> None:
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            self.target.sendall(self.waiting.popleft()[1])
