"""What the receivers found, as the JSON objects of `edge decode`; edge/decode.py lists their fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from edge.callerid import PARSE_DIGITS, CallerId, CallerIdError, waiting
from edge.callerid.receiver import CallerFound
from edge.dsp.activity import Slots
from edge.dsp.dtmf import KeyFound

RATE_HZ = 8000  # of positions
KEYS_PAUSE_S = 1.0
VOICE_PAUSE_S, MIN_VOICE_S = 1.0, 0.4
PREAMBLE_S = 0.45
RING_PAUSE_S, MIN_RING_S = 0.15, 0.3

Found = dict[str, Any]


def at(line: int, event: str, start: int, end: int) -> Found:
    """What every object begins with; positions at 8 kHz."""
    times = {"start_s": round(start / RATE_HZ, 3), "end_s": round(end / RATE_HZ, 3)}
    return {"line": line, "event": event, **times}


def message(found: CallerFound) -> list[Found]:
    """A caller, read or refused, or what the message lamp says; of charges and texts nothing."""
    if not found.message:
        refused = CallerId(found.standard, "mdmf", presentation="unavailable", confidence=0.0)
        caller = found.caller or refused
        return [
            at(found.line, "caller_id", found.start, found.end) | _caller(caller, found.caller is not None)
        ]
    try:
        said = waiting.parse(found.message)
    except CallerIdError:
        return []
    lamp = {"standard": found.standard, "format": said.format, "waiting": said.waiting, "count": said.count}
    return [at(found.line, "message_waiting", found.start, found.end) | lamp | {"checksum_ok": True}]


def _caller(caller: CallerId, checksum_ok: bool | None) -> Found:
    return {
        "standard": caller.standard,
        "format": caller.format,
        "number": caller.number,
        "name": caller.name,
        "date_time": caller.date_time,
        "presentation": caller.presentation,
        "checksum_ok": checksum_ok,
        "confidence": round(caller.confidence, 3),
    }


def keyed(keys: list[KeyFound]) -> list[Found]:
    """Group keys by pauses; a group that is a caller ID sent as keys is reported as both."""
    found: list[Found] = []
    for line in sorted({key.line for key in keys}):
        group: list[KeyFound] = []
        for key in [*(key for key in keys if key.line == line), None]:
            if group and (key is None or key.start - group[-1].end > KEYS_PAUSE_S * RATE_HZ):
                found += _group(group)
                group = []
            group += [key] if key else []
    return found


def _group(keys: list[KeyFound]) -> list[Found]:
    digits = "".join(key.digit for key in keys)
    span = keys[0].line, keys[0].start, keys[-1].end
    found = [at(span[0], "dtmf", *span[1:]) | {"digits": digits}]
    if digits[0] not in "ABCD":
        return found  # dialling may start with * or #; only the line's state could tell
    for standard, parse in PARSE_DIGITS.items():
        try:
            caller = parse(digits, standard)
        except CallerIdError:
            continue
        found.append(at(span[0], "caller_id", *span[1:]) | _caller(caller, None))
    return found


def ringing(slots: list[Slots]) -> list[Found]:
    """Ringing voltage that leaks into the audio, burst by burst."""
    lines = slots[0].ringing.shape[1] if slots else 0
    return [
        {
            "line": line,
            "event": "tone",
            "start_s": start_s,
            "end_s": end_s,
            "tone": "ringing",
            "country": None,
        }
        for line in range(1, lines + 1)
        for start_s, end_s in _joined(_where(slots, "ringing", line), RING_PAUSE_S)
        if end_s - start_s >= MIN_RING_S
    ]


def voices(slots: list[Slots], explained: list[tuple[int, float, float]]) -> list[Found]:
    """Join active slots that nothing else explains into segments."""
    lines = slots[0].active.shape[1] if slots else 0
    found: list[Found] = []
    for line in range(1, lines + 1):
        mine = [one[1:] for one in explained if one[0] == line]
        free = (
            (start_s, end_s)
            for start_s, end_s in _where(slots, "active", line)
            if not any(start_s < end and end_s > start for start, end in mine)
        )
        found += [
            {"line": line, "event": "voice", "start_s": start_s, "end_s": end_s}
            for start_s, end_s in _joined(free, VOICE_PAUSE_S)
            if end_s - start_s >= MIN_VOICE_S
        ]
    return found


def _joined(spans: Iterable[tuple[float, float]], pause_s: float) -> list[tuple[float, float]]:
    """The spans of one line with those put together that lie no more than a pause apart."""
    whole: list[tuple[float, float]] = []
    for start_s, end_s in spans:
        if whole and start_s - whole[-1][1] <= pause_s:
            whole[-1] = whole[-1][0], end_s
        else:
            whole.append((start_s, end_s))
    return [(round(start_s, 3), round(end_s, 3)) for start_s, end_s in whole]


def taken(one: Found) -> tuple[int, float, float]:
    """The time a finding explains; before an FSK message stand its seizure and mark."""
    fsk = one["event"] in ("caller_id", "message_waiting") and one["standard"] != "dtmf"
    return one["line"], one["start_s"] - (PREAMBLE_S if fsk else 0.0), one["end_s"]


def _where(slots: list[Slots], what: str, line: int) -> Iterator[tuple[float, float]]:
    """Start and end of each tenth of a second in which the line was `active` or `ringing`."""
    for some in slots:
        for at in np.flatnonzero(getattr(some, what)[:, line - 1]):
            start_s = (some.position + int(at) * some.length) / RATE_HZ
            yield start_s, start_s + some.length / RATE_HZ
