"""Talking to a board without a recorder: who is there, which firmware, how the link is.

While the recorder runs it has the port, and shows the board's status in memory; then that is read instead.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from edge.config import Config, HatSettings
from edge.flash import Meet, Met
from edge.sources.hat import HatLink
from edge.sources.hat_status import HatStatus, read_status

ASK_S = 1.0
FRESH_S = 5.0  # a recorder shows the status every half second
STEP_S = 0.02


def status_of(config: Config, hat: HatSettings, within_s: float = 2.0) -> HatStatus | None:
    """How a board is: as the recorder shows it, else as it answers in time; None if it is silent."""
    shown = shown_status(config.status_path(hat))
    return shown or ask(hat, config.first_line(hat), within_s)


def shown_status(path: Path) -> HatStatus | None:
    """What a running recorder shows; None if none runs."""
    try:
        age_s = time.time() - path.stat().st_mtime
    except OSError:
        return None
    return read_status(path) if age_s <= FRESH_S else None


def ask(hat: HatSettings, first_line: int, within_s: float) -> HatStatus | None:
    """Open the port and listen until the board has greeted and read its lines."""
    link = HatLink(hat.readings_port, first_line, hat.lines, hat.rate_hz)
    pause, began_s = threading.Event(), time.monotonic()
    try:
        while (now_s := time.monotonic()) - began_s < within_s:
            link.step(now_s, round((now_s - began_s) * hat.rate_hz))
            status = link.status()
            if status.firmware and None not in status.voltages_v:
                return status
            pause.wait(STEP_S)
    finally:
        link.close()
    return status if status.board else None


def meeting(config: Config, hat: HatSettings) -> Meet:
    """Who greets at this board's port, for `edge flash`."""

    def meet(before: Met | None, within_s: float) -> Met | None:
        pause, began_s = threading.Event(), time.monotonic()
        while time.monotonic() - began_s < within_s:
            shown = shown_status(config.status_path(hat))
            heard = shown or ask(hat, config.first_line(hat), ASK_S)
            met = met_of(shown, heard)
            if met and not (shown and before and before.greetings == met.greetings):
                return met
            pause.wait(STEP_S)
        return None

    return meet


def met_of(shown: HatStatus | None, heard: HatStatus | None) -> Met | None:
    """The board of a status without trouble."""
    if heard is None or heard.board is None or heard.firmware is None or heard.trouble:
        return None
    return Met(heard.board, heard.firmware, heard.starts_seen if shown else 0)
