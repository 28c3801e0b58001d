"""`python -m hw.virtual`: plays a line script as a virtual HAT, in real time or faster, until told to stop.

The box then finds an ALSA device and a serial port as on a Pi with a HAT; nothing in it knows better.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hw.virtual.board import Board
from hw.virtual.build import playback_path
from hw.virtual.exchange import Exchange
from hw.virtual.faults import Faults, read_order
from hw.virtual.link import Link
from hw.virtual.player import CHUNK_S, LEAD_S, WINDOW_MS, Player
from hw.virtual.ring import Ring, RingError
from hw.virtual.script import Script, ScriptError, read_script
from hw.virtual.speech import SpeechError
from hw.virtual.unix_board import UnixBoard

BOARDS: dict[str, type[Board]] = {"cpython": Board, "unix": UnixBoard}
ALSA_BUFFER_S = 2.0  # of card time that the recorder may be behind


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
    parser.add_argument("--firmware", choices=BOARDS, default="cpython", help="which Python runs it")
    parser.add_argument("--orders", type=Path, help="make a FIFO here that takes faults: noise line=2")
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
    began = datetime.now().astimezone()
    exchange = Exchange(script, lines, options.rate, options.seed, window_ms=WINDOW_MS, began=began)
    faults = Faults(script.faults, lines, options.rate)
    exchange.prepare()
    with ExitStack() as stack:
        told_to_stop = _stop_pipe(stack)
        story = stack.enter_context(options.story.open("w", encoding="utf-8")) if options.story else None
        orders = stack.enter_context(closing(Orders(options.orders))) if options.orders else None
        rings = _make_rings(stack, options, lines)
        link = stack.enter_context(closing(Link(options.readings)))
        board = stack.enter_context(closing(BOARDS[options.firmware](lines, options.seed)))
        player = Player(exchange, rings, link, board, faults, story)
        player.write_ahead()
        print(
            f"virtual HAT: {lines} lines at {options.rate} Hz, ring {rings[0].path}, port {options.readings}",
            flush=True,
        )
        while not select.select([told_to_stop], [], [], player.step())[0]:
            if orders:
                _obey(orders, player)
        player.tell()
        if rings[0].starved:
            print(f"virtual HAT: {rings[0].starved} frames were not written in time", file=sys.stderr)


class Orders:
    """A FIFO that takes faults while the HAT runs."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self._handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # also for writing: it never ends
        self._rest = b""

    def close(self) -> None:
        """Remove the FIFO."""
        os.close(self._handle)
        self._path.unlink(missing_ok=True)

    def lines(self) -> list[str]:
        """Whole lines that came in since the last call."""
        if select.select([self._handle], [], [], 0)[0]:
            self._rest += os.read(self._handle, 4096)
        *whole, self._rest = self._rest.split(b"\n")
        return [line.decode(errors="replace") for line in whole]


def _obey(orders: Orders, player: Player) -> None:
    """Audio is already written for a while, so an ordered fault begins where that ends."""
    for text in orders.lines():
        try:
            player.faults.order(read_order(text, player.ring.written / player.ring.rate_hz))
        except ValueError as error:
            print(f"virtual HAT: {error}", file=sys.stderr, flush=True)


def _make_rings(stack: ExitStack, options: argparse.Namespace, lines: int) -> tuple[Ring, Ring]:
    half_s = max(LEAD_S * options.speed + 2 * CHUNK_S, ALSA_BUFFER_S)
    frames = 2 * round(half_s * options.rate)
    epoch_ns = time.monotonic_ns()
    rings = []
    for path in (options.ring, playback_path(options.ring)):
        rings.append(Ring.create(path, options.rate, lines, frames, options.speed, epoch_ns))
        stack.callback(rings[-1].close)
        stack.callback(rings[-1].remove)
    return rings[0], rings[1]


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
