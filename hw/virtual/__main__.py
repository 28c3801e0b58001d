"""`python -m hw.virtual`: plays a line script as a virtual HAT, in real time or faster, until told to stop.

The box then finds an ALSA device and a serial port as on a Pi with a HAT; nothing in it knows better.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TextIO

from hw.virtual.build import playback_path
from hw.virtual.exchange import Exchange
from hw.virtual.link import Link
from hw.virtual.ring import Ring, RingError
from hw.virtual.script import Script, ScriptError, read_script
from hw.virtual.speech import SpeechError
from hw.virtual.stage import ScriptedCall

LEAD_S = 0.6  # of real time that the audio is written ahead
CHUNK_S = 0.1
ALSA_BUFFER_S = 2.0  # of card time that the recorder may be behind


class Player:
    """The parts of a running virtual HAT, moved on by `step`."""

    def __init__(self, exchange: Exchange, ring: Ring, link: Link, story: TextIO | None) -> None:
        self._exchange = exchange
        self._ring = ring
        self._link = link
        self._story = story
        self._told = 0  # calls that ended by this position are in the story file
        self._sent = 0  # readings that ended by this position were sent
        self._beat = 0

    def write_ahead(self) -> None:
        """Write audio until the lead is full."""
        chunk = round(CHUNK_S * self._ring.rate_hz)
        lead = round(LEAD_S * self._ring.speed * self._ring.rate_hz)
        until = self._ring.position() + min(lead, self._ring.frames // 2 - chunk)
        while self._ring.written < until:
            self._ring.write(self._ring.written, self._exchange.audio(self._ring.written, chunk))

    def step(self) -> float:
        """Do what is due; return the seconds until something is due again."""
        now = self._ring.position()
        self._link.step()
        readings = self._exchange.readings(self._sent, now)
        for position, rows in groupby(readings, key=lambda reading: reading.position):
            self._link.send_readings(self._ms(position), list(rows))
            self._sent = position
        while self._beat + self._ring.rate_hz <= now:
            self._beat += self._ring.rate_hz
            self._link.send_beat(self._ms(self._beat))
        if now - self._told >= self._ring.rate_hz:
            self.tell()
        self.write_ahead()
        due_ns = self._ring.time_ns(self._sent + self._exchange.window)
        return max(0, due_ns - time.monotonic_ns()) / 1e9

    def tell(self) -> None:
        """Write the calls that ended since the last time into the story file."""
        if self._story is None:
            return
        now = self._ring.position()
        for call in self._exchange.story(now):
            if call.end > self._told:
                self._story.write(json.dumps(asdict(call) | self._times_ns(call), ensure_ascii=False) + "\n")
        self._story.flush()
        self._told = now

    def _times_ns(self, call: ScriptedCall) -> dict[str, int | None]:
        """The call's positions as CLOCK_MONOTONIC times, for whoever measures delays."""
        positions = {name: getattr(call, name) for name in ("begin", "answered", "caller_id_end", "end")}
        return {
            f"{name}_ns": None if at is None else self._ring.time_ns(at) for name, at in positions.items()
        }

    def _ms(self, position: int) -> int:
        return position * 1000 // self._ring.rate_hz


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 2 and a sentence if something given is wrong."""
    options = _parse(arguments)
    try:
        script = read_script(options.script)
        _play(replace(script, loop=script.loop or options.loop), options)
    except (ScriptError, RingError, SpeechError, OSError, ValueError) as error:
        print(f"virtual HAT: {error}", file=sys.stderr)
        return 2
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hw.virtual", description=__doc__)
    parser.add_argument("--script", type=Path, required=True, help="TOML file of lines and steps")
    parser.add_argument("--ring", type=Path, required=True, help="where to make the ring, below /dev/shm")
    parser.add_argument("--readings", type=Path, required=True, help="where to link the serial port")
    parser.add_argument("--speed", type=_between(0.01, 100), default=1.0, help="1 is real time")
    parser.add_argument(
        "--lines", type=int, choices=range(1, 65), metavar="1-64", help="default: as many as the script has"
    )
    parser.add_argument(
        "--rate", type=int, choices=(8000, 16000, 48000), default=8000, help="samples per second"
    )
    parser.add_argument("--seed", type=int, default=0, help="picks the random waits")
    parser.add_argument("--loop", action="store_true", help="start again after the last step")
    parser.add_argument("--story", type=Path, help="write what truly happened here, one JSON object per call")
    return parser.parse_args(arguments)


def _between(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"wanted {least:g}-{most:g}, got {text}")
        return value

    return number


def _play(script: Script, options: argparse.Namespace) -> None:
    lines = options.lines or len(script.lines)
    exchange = Exchange(script, lines, options.rate, options.seed, began=datetime.now().astimezone())
    exchange.prepare()
    with ExitStack() as stack:
        told_to_stop = _stop_pipe(stack)
        story = stack.enter_context(options.story.open("w", encoding="utf-8")) if options.story else None
        ring = _make_rings(stack, options, lines)
        link = stack.enter_context(closing(Link(options.readings, lines)))
        player = Player(exchange, ring, link, story)
        player.write_ahead()
        print(
            f"virtual HAT: {lines} lines at {options.rate} Hz, ring {ring.path}, port {options.readings}",
            flush=True,
        )
        while not select.select([told_to_stop], [], [], player.step())[0]:
            pass
        player.tell()
        if ring.starved:
            print(f"virtual HAT: {ring.starved} frames were not written in time", file=sys.stderr)


def _make_rings(stack: ExitStack, options: argparse.Namespace, lines: int) -> Ring:
    half_s = max(LEAD_S * options.speed + 2 * CHUNK_S, ALSA_BUFFER_S)
    frames = 2 * round(half_s * options.rate)
    epoch_ns = time.monotonic_ns()
    rings = []
    for path in (options.ring, playback_path(options.ring)):
        rings.append(Ring.create(path, options.rate, lines, frames, options.speed, epoch_ns))
        stack.callback(rings[-1].close)
        stack.callback(rings[-1].remove)
    return rings[0]


def _stop_pipe(stack: ExitStack) -> int:
    """A descriptor that becomes readable when a stop signal arrives, whichever thread it meets."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    stack.callback(os.close, readable)
    stack.callback(os.close, writable)
    stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writable))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return readable


if __name__ == "__main__":
    sys.exit(main())
