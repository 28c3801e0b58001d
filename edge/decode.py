"""Reads callers, keys, tones and voices out of audio files, each channel as a line of its own.

    python -m edge decode [--json] [--country cn] [--alaw] FILE...
    python -m edge decode --again ...       of kept calls instead (edge/again.py)

prints one JSON object a line, or a table. Every object has file, line, event, start_s, end_s; the rest is
what was found:

    caller_id         standard format number name date_time presentation checksum_ok confidence
    message_waiting   standard format waiting count checksum_ok
    dtmf              digits: keys with pauses of at most a second between them
    tone              tone country: those of the country; alert (for a phone), ringing (that leaks in) of none
    fax               tone country: cng or ced, of no country
    voice             (nothing more)

A refused caller ID has no number and confidence 0; checksum_ok is null for DTMF, which carries no checksum.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.callerid.receiver import CallerFound, CallerIdReceiver
from edge.dsp.activity import ActivityMeter, Slots
from edge.dsp.alert import AlertReceiver
from edge.dsp.dtmf import DtmfReceiver, KeyFound
from edge.dsp.fax import FAX, FaxReceiver
from edge.dsp.hops import HopBank
from edge.dsp.tones import TONES, ToneReceiver, tone_hz
from edge.dsp.turns import Turns
from edge.findings import Found, at, keyed, message, ringing, taken, voices
from edge.line.signs import Signs
from edge.samples import AudioBlock, Samples, SamplesError
from edge.sources.wav import RATE_HZ, channels_of, read_wav

FLUSH_S = 6  # of silence after the end, so that everything that is open closes


class FileReceivers:
    """All receivers on one file; `feed` collects, `report` says what was found."""

    def __init__(self, lines: int, country: str) -> None:
        hz = (*DtmfReceiver.HZ, *tone_hz(country), *FaxReceiver.HZ, *AlertReceiver.HZ)
        receivers = DtmfReceiver, CallerIdReceiver, ToneReceiver, FaxReceiver, AlertReceiver, ActivityMeter
        self._bank = HopBank(lines, RATE_HZ, hz, [band for one in receivers for band in one.BANDS])
        self._turns = Turns(lines, RATE_HZ)
        self._dtmf = DtmfReceiver(lines, RATE_HZ, self._bank)
        self._callers = CallerIdReceiver(lines, RATE_HZ, self._bank)
        self._country = country
        self._tones = ToneReceiver(lines, RATE_HZ, country, self._bank)
        self._fax = FaxReceiver(lines, RATE_HZ, self._bank)
        self._alerts = AlertReceiver(lines, RATE_HZ, self._bank)
        self._signs = Signs(RATE_HZ, country)
        self._activity = ActivityMeter(lines, self._bank)
        self._keys: list[KeyFound] = []
        self._messages: list[CallerFound] = []
        self._heard: list[Found] = []
        self._slots: list[Slots] = []

    def feed(self, samples: Samples, position: int) -> None:
        """Take the next frames of the file."""
        for turn in self._turns.feed(AudioBlock(position, samples)):
            self._listen(turn.samples, turn.position)
        self._messages += self._callers.search(len(samples))

    def _listen(self, samples: Samples, position: int) -> None:
        hops = self._bank.feed(samples, position)
        for one in self._alerts.take(hops):
            self._signs.alert(one)
            self._heard.append(at(one.line, "tone", one.start, one.end) | {"tone": "alert", "country": None})
        self._keys += [key for key in self._dtmf.take(hops) if not self._signs.acknowledges(key)]
        self._messages += self._callers.take(hops, samples, position)
        self._heard += [
            at(one.line, "tone", one.start, one.end) | {"tone": one.tone, "country": self._country}
            for one in self._tones.take(hops)
            if one.ended
        ]
        self._heard += [
            at(one.line, "fax", one.start, one.end) | {"tone": one.tone, "country": None}
            for one in self._fax.take(hops)
            if one.ended
        ]
        self._slots.append(self._activity.take(hops))

    def report(self) -> list[Found]:
        """Return all that was found, in order of start."""
        found = [said for one in self._messages for said in message(one)]
        found += [*keyed(self._keys), *self._heard, *ringing(self._slots)]
        found += voices(self._slots, [taken(one) for one in found])
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
