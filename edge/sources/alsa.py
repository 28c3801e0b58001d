"""Audio from an ALSA device into the ring: one thread per board that does nothing else.

A device that is missing, busy, gone or not as wanted is a state, retried every second; samples that were lost
meanwhile are counted by the clock, written to the ring as silence and reported as a `Gap`.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import alsaaudio
import numpy as np

from edge.gaps import Gap
from edge.ring import RingWriter

PERIOD_S = 0.02
BUFFER_S = 1.0
RETRY_S = 1.0
CLOCK_SHARE = 0.002  # of the difference between card and clock taken over per period
OVERRUN = -32  # -EPIPE: pyalsaaudio 0.11 has already prepared the device again


class DeviceError(OSError):
    """The ALSA device cannot be captured from; the message says what was wanted and what came."""


def open_device(device: str, rate_hz: int, lines: int) -> alsaaudio.PCM:
    """Open `device` for capture; DeviceError unless it gives exactly what was asked for.

    ALSA's own answer must be compared: a device that cannot do it is opened with other values, silently.
    """
    period = round(rate_hz * PERIOD_S)
    try:
        pcm = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE, alsaaudio.PCM_NORMAL, device=device, rate=rate_hz, channels=lines,
            format=alsaaudio.PCM_FORMAT_S16_LE, periodsize=period, periods=round(BUFFER_S / PERIOD_S),
        )  # fmt: skip
    except alsaaudio.ALSAAudioError as error:
        if os.strerror(errno.EBUSY) in str(error):
            raise DeviceError(f"ALSA device {device} is busy: another program captures from it") from error
        raise DeviceError(f"ALSA device {device}: {error}") from error
    given = pcm.info()
    wanted = {"rate": rate_hz, "channels": lines, "format_name": "S16_LE"}
    wrong = [f"{key} {given[key]} instead of {value}" for key, value in wanted.items() if given[key] != value]
    if wrong:
        pcm.close()
        raise DeviceError(f"ALSA device {device} gives {', '.join(wrong)}")
    return pcm


@dataclass(slots=True)
class Capture:
    """The capture thread of one board. `trouble` is None while audio comes in, else one sentence."""

    device: str
    ring: RingWriter
    monotonic_s: Callable[[], float]
    trouble: str | None = "not opened yet"
    heard: tuple[int, float] | None = (
        None  # position of the newest sample, and when it came (monotonic seconds)
    )
    _gaps: deque[Gap] = field(default_factory=deque)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _origin_s: float = 0.0  # monotonic time of position 0

    def start(self) -> None:
        """Begin capturing in the background."""
        self._thread = threading.Thread(target=self._run, name=f"capture {self.device}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def take_gaps(self) -> list[Gap]:
        """Gaps since the last call."""
        taken = []
        while self._gaps:
            taken.append(self._gaps.popleft())
        return taken

    def _run(self) -> None:
        self._origin_s = self.monotonic_s() - self.ring.position / self.ring.rate_hz
        while not self._stop.is_set():
            try:
                pcm = open_device(self.device, self.ring.rate_hz, self.ring.lines)
            except DeviceError as error:
                self.trouble = str(error)
                self._stop.wait(RETRY_S)
                self._fill("device_lost")
                continue
            if self.ring.position:
                self._fill("device_lost")
            else:  # nothing was lost yet: time begins with the first sample
                self._origin_s = self.monotonic_s()
            self._read_while_well(pcm)
            pcm.close()

    def _read_while_well(self, pcm: alsaaudio.PCM) -> None:
        lines = self.ring.lines
        while not self._stop.is_set():
            try:
                frames, data = pcm.read()
            except alsaaudio.ALSAAudioError as error:
                self.trouble = f"ALSA device {self.device}: {error}"
                return
            if frames == OVERRUN:
                self._fill("overrun")
            elif frames > 0:
                self.trouble = None
                self.ring.write(np.frombuffer(data, np.int16).reshape(frames, lines))
                self.heard = (self.ring.position, self.monotonic_s())
                self._follow_card(*self.heard)

    def _follow_card(self, position: int, at_s: float) -> None:
        """The card's clock is not ours: follow it slowly, so that a later loss is measured from here."""
        seen_s = at_s - position / self.ring.rate_hz
        self._origin_s += (seen_s - self._origin_s) * CLOCK_SHARE

    def _fill(self, reason: str) -> None:
        """Bring the ring up to the time it is now; what that adds was lost."""
        now_s = self.monotonic_s()
        lost = round((now_s - self._origin_s) * self.ring.rate_hz) - self.ring.position
        if lost > 0:
            self._gaps.append(Gap(self.ring.position, lost, reason))
            self.ring.skip(lost)
            self.heard = (self.ring.position, now_s)
