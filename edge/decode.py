"""Reads callers, keys, tones and voices out of audio files, each channel as a line of its own.

    python -m edge decode [--json] [--country cn] [--alaw] FILE...

prints one JSON object a line, or a table. Every object has file, line, event, start_s, end_s; the rest is
what was found:

    caller_id   standard format number name date_time presentation checksum_ok confidence
    dtmf        digits: keys with pauses of at most a second between them
    tone, fax   tone country
    voice       (nothing more)

A refused caller ID has no number and confidence 0; checksum_ok is null for DTMF, which carries no checksum.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge.callerid import PARSE_DIGITS, CallerId, CallerIdError
from edge.callerid.receiver import CallerFound, CallerIdReceiver
from edge.dsp.activity import ActivityMeter, Slots
from edge.dsp.dtmf import DtmfReceiver, KeyFound
from edge.dsp.hops import HopBank
from edge.dsp.tones import TONES, ToneFound, ToneReceiver, tone_hz
from edge.dsp.turns import Turns
from edge.samples import AudioBlock, Samples, SamplesError
from edge.sources.wav import RATE_HZ, channels_of, read_wav

FLUSH_S = 6  # of silence after the end, so that everything that is open closes
KEYS_PAUSE_S = 1.0
VOICE_PAUSE_S, MIN_VOICE_S = 1.0, 0.4
PREAMBLE_S = 0.45
FAX = "fax"

Found = dict[str, Any]


class FileReceivers:
    """All receivers on one file; `feed` collects, `report` says what was found."""

    def __init__(self, lines: int, country: str) -> None:
        hz = (*DtmfReceiver.HZ, *tone_hz(country), *tone_hz(FAX))
        receivers = DtmfReceiver, CallerIdReceiver, ToneReceiver, ActivityMeter
        self._bank = HopBank(lines, RATE_HZ, hz, [band for one in receivers for band in one.BANDS])
        self._turns = Turns(lines, RATE_HZ)
        self._dtmf = DtmfReceiver(lines, RATE_HZ, self._bank)
        self._callers = CallerIdReceiver(lines, RATE_HZ, self._bank)
        self._tones = {name: ToneReceiver(lines, RATE_HZ, name, self._bank) for name in (country, FAX)}
        self._activity = ActivityMeter(lines, self._bank)
        self._keys: list[KeyFound] = []
        self._messages: list[CallerFound] = []
        self._heard: list[tuple[str, ToneFound]] = []
        self._slots: list[Slots] = []

    def feed(self, samples: Samples, position: int) -> None:
        """Take the next frames of the file."""
        for turn in self._turns.feed(AudioBlock(position, samples)):
            self._listen(turn.samples, turn.position)
        self._messages += self._callers.search(len(samples))

    def _listen(self, samples: Samples, position: int) -> None:
        hops = self._bank.feed(samples, position)
        self._keys += self._dtmf.take(hops)
        self._messages += self._callers.take(hops, samples, position)
        for country, tones in self._tones.items():
            self._heard += [(country, tone) for tone in tones.take(hops) if tone.ended]
        self._slots.append(self._activity.take(hops))

    def report(self) -> list[Found]:
        """Return all that was found, in order of start."""
        found = [*map(_message, self._messages), *_keyed(self._keys)]
        found += [_tone(country, tone) for country, tone in self._heard]
        found += _voices(self._slots, [_taken(one) for one in found])
        return sorted(found, key=lambda one: (one["start_s"], one["line"]))


def decode_file(path: Path, country: str = "cn", raw_alaw: bool = False) -> Iterator[Found]:
    """Yield what one file holds, in order; raises SamplesError (NotAudio) for what is not audio."""
    receivers = FileReceivers(channels_of(path, raw_alaw), country)
    end = 0
    for block in _and_silence(read_wav(path, raw_alaw)):
        receivers.feed(block.samples, block.position)
        end = block.end
    length_s = max(0.0, end / RATE_HZ - FLUSH_S)
    for one in receivers.report():
        yield {"file": str(path), **one, "end_s": min(one["end_s"], round(length_s, 3))}


def main(arguments: list[str]) -> int:
    """Run `decode`; returns 2 when a file was not audio."""
    options = _options(arguments)
    status = 0
    for name in options.files:
        try:
            for one in decode_file(Path(name), options.country, options.alaw):
                _print(one, options.json)
        except SamplesError as error:
            sys.stdout.flush()
            sys.stderr.write(f"decode: {error}\n")
            status = 2
    return status


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m edge decode", description="Find caller IDs, keys, tones and voices in audio files."
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="WAV, FLAC or whatever libsndfile reads")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--country", choices=sorted(set(TONES) - {FAX}), default="cn", help="whose tones")
    parser.add_argument("--alaw", action="store_true", help="the files are raw A-law, 8 kHz, mono")
    return parser.parse_args(arguments)


def _print(one: Found, as_json: bool) -> None:
    if as_json:
        text = json.dumps(one, ensure_ascii=False)
    else:
        more = [f"{key}={value}" for key, value in list(one.items())[5:] if value is not None]
        place = f"{one['start_s']:9.3f} {one['end_s']:9.3f}"
        text = f"{one['file']}  {one['line']:>2}  {place}  {one['event']:<10} {' '.join(more)}"
    sys.stdout.write(text + "\n")


def _and_silence(blocks: Iterator[AudioBlock]) -> Iterator[AudioBlock]:
    end, lines = 0, 1
    for block in blocks:
        end, lines = block.end, block.samples.shape[1]
        yield block
    for second in range(FLUSH_S):
        yield AudioBlock(end + second * RATE_HZ, np.zeros((RATE_HZ, lines), np.int16))


def _at(line: int, event: str, start: int, end: int) -> Found:
    times = {"start_s": round(start / RATE_HZ, 3), "end_s": round(end / RATE_HZ, 3)}
    return {"line": line, "event": event, **times}


def _message(found: CallerFound) -> Found:
    refused = CallerId(found.standard, "mdmf", presentation="unavailable", confidence=0.0)
    at = _at(found.line, "caller_id", found.start, found.end)
    return at | _caller(found.caller or refused, found.caller is not None)


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


def _keyed(keys: list[KeyFound]) -> list[Found]:
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
    found = [_at(span[0], "dtmf", *span[1:]) | {"digits": digits}]
    if digits[0] not in "ABCD":
        return found  # dialling may start with * or #; only the line's state could tell
    for standard, parse in PARSE_DIGITS.items():
        try:
            caller = parse(digits, standard)
        except CallerIdError:
            continue
        found.append(_at(span[0], "caller_id", *span[1:]) | _caller(caller, None))
    return found


def _tone(country: str, tone: ToneFound) -> Found:
    event = "fax" if country == FAX else "tone"
    at = _at(tone.line, event, tone.start, tone.end)
    return at | {"tone": tone.tone, "country": country}


def _voices(slots: list[Slots], taken: list[tuple[int, float, float]]) -> list[Found]:
    """Join active slots that nothing else explains into segments."""
    found: list[Found] = []
    lines = slots[0].active.shape[1] if slots else 0
    for line in range(1, lines + 1):
        spans: list[tuple[float, float]] = []
        for start_s, end_s in _active(slots, line, [one[1:] for one in taken if one[0] == line]):
            if spans and start_s - spans[-1][1] <= VOICE_PAUSE_S:
                spans[-1] = spans[-1][0], end_s
            else:
                spans.append((start_s, end_s))
        found += [
            {"line": line, "event": "voice", "start_s": round(start_s, 3), "end_s": round(end_s, 3)}
            for start_s, end_s in spans
            if end_s - start_s >= MIN_VOICE_S
        ]
    return found


def _taken(one: Found) -> tuple[int, float, float]:
    """The time a finding explains; before an FSK message stand its seizure and mark."""
    fsk = one["event"] == "caller_id" and one["standard"] != "dtmf"
    return one["line"], one["start_s"] - (PREAMBLE_S if fsk else 0.0), one["end_s"]


def _active(slots: list[Slots], line: int, taken: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    for some in slots:
        for at in np.flatnonzero(some.active[:, line - 1]):
            start_s = (some.position + int(at) * some.length) / RATE_HZ
            end_s = start_s + some.length / RATE_HZ
            if not any(start_s < end and end_s > start for start, end in taken):
                yield start_s, end_s
