"""Who is calling: one file per way of saying it. See caller.py for what comes out.

A new way is one more file with `parse` and `build`, and one more line in the table of its kind.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.callerid import dtmf, mdmf, sdmf
from edge.callerid.caller import (
    BadChecksum,
    CallerId,
    CallerIdError,
    NotPlausible,
    NotThisStandard,
    WrongLength,
)

# message type (first byte) -> format, for what comes as FSK
MESSAGE_FORMATS: dict[int, str] = {mdmf.KIND: "mdmf", sdmf.KIND: "sdmf"}

PARSE_MESSAGE: dict[str, Callable[[bytes, str], CallerId]] = {"mdmf": mdmf.parse, "sdmf": sdmf.parse}
BUILD_MESSAGE: dict[str, Callable[[CallerId], bytes]] = {"mdmf": mdmf.build, "sdmf": sdmf.build}

PARSE_DIGITS: dict[str, Callable[[str, str], CallerId]] = {"dtmf": dtmf.parse}
BUILD_DIGITS: dict[str, Callable[[CallerId], str]] = {"dtmf": dtmf.build}


def parse_message(message: bytes, standard: str = "bell202") -> CallerId:
    """Return what an FSK message of any known format says; raises CallerIdError."""
    if not message:
        raise WrongLength("a message has at least 3 bytes, got 0")
    if message[0] not in MESSAGE_FORMATS:
        raise NotThisStandard(f"no caller-ID format has message type 0x{message[0]:02x}")
    return PARSE_MESSAGE[MESSAGE_FORMATS[message[0]]](message, standard)


__all__ = [
    "BUILD_DIGITS",
    "BUILD_MESSAGE",
    "MESSAGE_FORMATS",
    "PARSE_DIGITS",
    "PARSE_MESSAGE",
    "BadChecksum",
    "CallerId",
    "CallerIdError",
    "NotPlausible",
    "NotThisStandard",
    "WrongLength",
    "parse_message",
]
