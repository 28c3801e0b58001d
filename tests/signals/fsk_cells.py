"""The cells of the caller-ID benchmark: one row per fault of modem, message or line, and the mixtures.

A cell makes any number of clips, each with the caller who is truly in it; clip n is always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from tests.signals import line, speech
from tests.signals.line import RATE_HZ, Clip, Impairment, Rng, Signal, Wanted
from tests.signals.messages import BELL202, V23, Modem, Who, burst, closed, mdmf, parameters, sdmf, somebody

LEAD_S, TAIL_S = 0.35, 0.6
Spoken = Callable[[Who, Modem, Rng], Signal]


def one_message(who: Who, modem: Modem, rng: Rng) -> Signal:
    """Number, name and time in one MDMF message."""
    return burst(mdmf(who), modem, rng)


def as_sdmf(who: Who, modem: Modem, rng: Rng) -> Signal:
    """The older format, which has no name."""
    return burst(sdmf(who), modem, rng)


def call_type_first(who: Who, modem: Modem, rng: Rng) -> Signal:
    """A call type (0x11) stands before the rest."""
    return burst(mdmf(who, parameters((0x11, "\x01"))), modem, rng)


def unknown_first(who: Who, modem: Modem, rng: Rng) -> Signal:
    """A parameter nobody knows stands before the rest."""
    return burst(mdmf(who, parameters((0x60, "XY7"))), modem, rng)


def after_message_waiting(who: Who, modem: Modem, rng: Rng) -> Signal:
    """Message waiting, half a second of silence, then the caller."""
    waiting = burst(closed(0x82, parameters((0x0B, "\x7f"))), modem, rng)
    return np.concatenate([waiting, np.zeros(RATE_HZ // 2), burst(mdmf(who), modem, rng)])


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the benchmark: a modem, what it says, and the line to us."""

    name: str
    path: tuple[Impairment, ...] = (line.noise(25.0),)
    modem: Modem = BELL202
    spoken: Spoken = one_message
    tail_s: float = TAIL_S

    @property
    def standard(self) -> str:
        """bell202 or v23."""
        return "v23" if 1250 < self.modem.mark_hz < 1350 and self.modem.space_hz < 2150 else "bell202"

    def clip(self, at: int) -> tuple[Who, Clip]:
        """Return the caller and the sound of clip `at`."""
        rng = np.random.default_rng((crc32(self.name.encode()), at))
        who = somebody(rng)
        sound = self.spoken(who, self.modem, rng)
        start = round((LEAD_S + rng.uniform(0, 0.02)) * RATE_HZ)
        whole = np.concatenate([np.zeros(start), sound, np.zeros(round(self.tail_s * RATE_HZ))])
        wanted = Wanted(start, start + len(sound), float(np.mean(sound**2)))
        if self.spoken is as_sdmf:
            who = replace(who, name="")
        return who, line.clip(whole, wanted, self.path, rng)


def sweep(modem: Modem, snr_db: float) -> Cell:
    """One point of the noise sweep."""
    return Cell(f"{'v23' if modem is V23 else 'bell202'} {snr_db:g} dB", (line.noise(snr_db),), modem)


QUIET = line.noise(25.0)
ROUGH = line.noise(12.0)


def _bell(**changes: object) -> Modem:
    return replace(BELL202, **changes)  # type: ignore[arg-type]


def _cheap(**changes: object) -> Modem:
    return _bell(second_harmonic_db=-20.0, twist_db=-7.0, baud=1224.0, stop_bits=(1.85, 1.85), **changes)


def _speech(over_db: float) -> Impairment:
    return line.under(speech.snippet, over_db)


CELLS: tuple[Cell, ...] = (
    *(
        Cell(f"level {level:g} dBm0", modem=_bell(level_dbm0=level))
        for level in (-5.0, -20.0, -30.0, -32.0, -40.0, -50.0)
    ),
    *(
        Cell(f"space {twist:+g} dB, SNR {snr:g}", (line.noise(snr),), _bell(twist_db=twist))
        for twist in (-10.0, -6.0, 6.0, 10.0)
        for snr in (25.0, 12.0)
    ),
    *(
        Cell(f"baud {percent:+g} %", modem=_bell(baud=1200 * (1 + percent / 100)))
        for percent in (-2, -1, 1, 2)
    ),
    *(
        Cell(f"baud {percent:+g} %, SNR 12", (ROUGH,), _bell(baud=1200 * (1 + percent / 100)))
        for percent in (-2, 2)
    ),
    *(
        Cell(
            f"carrier {percent:+g} %",
            modem=_bell(mark_hz=12.0 * (100 + percent), space_hz=22.0 * (100 + percent)),
        )
        for percent in (-3, -1, 1, 3)
    ),
    Cell("stop 1.70-1.85 bits", modem=_bell(stop_bits=(1.70, 1.85))),
    Cell("stop 1.70-1.85 bits, SNR 8", (line.noise(8.0),), _bell(stop_bits=(1.70, 1.85))),
    Cell("2 stop bits", modem=_bell(stop_bits=(2.0, 2.0))),
    Cell("0-10 marks between bytes", modem=_bell(stuffed=(0, 10))),
    Cell("0-10 marks between bytes, SNR 8", (line.noise(8.0),), _bell(stuffed=(0, 10))),
    Cell("no seizure, 80 marks", modem=_bell(seizure_bits=0, mark_bits=80)),
    Cell("no seizure, 80 marks, SNR 8", (line.noise(8.0),), _bell(seizure_bits=0, mark_bits=80)),
    Cell("60 seizure, 40 marks", modem=_bell(seizure_bits=60, mark_bits=40)),
    Cell("bits on samples", modem=_bell(snapped=True)),
    Cell("2nd harmonic -10 dB", modem=_bell(second_harmonic_db=-10.0)),
    Cell("file ends with the last bit", tail_s=0.0, modem=_bell(end_marks=0.0)),
    Cell("SDMF", spoken=as_sdmf),
    Cell("call type first", spoken=call_type_first),
    Cell("unknown parameter first", spoken=unknown_first),
    Cell("message waiting, then caller", spoken=after_message_waiting),
    *(Cell(f"hum {over:+g} dB", (line.hum(over), QUIET)) for over in (-10.0, -5.0, 0.0, 10.0)),
    *(Cell(f"DC {lsb} LSB", (line.offset(lsb), QUIET)) for lsb in (2000, 3000, 10000)),
    Cell("clipped by 6 dB", (line.limited(6.0), QUIET)),
    Cell("clipped by 15 dB", (line.limited(15.0), QUIET)),
    Cell("A-law, -30 dBm0", (QUIET, line.alaw()), _bell(level_dbm0=-30.0)),
    Cell("1 sample lost", (QUIET, line.lost(1))),
    Cell("8 samples lost singly", (QUIET, line.lost(8))),
    Cell("1 ms lost", (QUIET, line.lost(1, 8))),
    *(Cell(f"speech under it {over:+g} dB", (_speech(over), QUIET)) for over in (-12.0, -6.0, 0.0)),
    Cell("echo 2 ms -12 dB", (line.echo(2.0, -12.0), QUIET)),
    Cell("echo 2 ms -6 dB", (line.echo(2.0, -6.0), QUIET)),
    Cell("clicks, 20 a second, +6 dB", (line.impulses(20.0, 6.0), QUIET)),
    Cell("clicks, 20 a second, +14 dB", (line.impulses(20.0, 14.0), QUIET)),
    Cell("telephone band", (line.telephone_band(), QUIET)),
    Cell("long loop, 20 dB at 3400 Hz", (line.long_loop(20.0), QUIET)),
    Cell("ringing until 200 ms before", (line.ringing(200.0), QUIET)),
    Cell("cheap simulator", modem=_cheap()),
    Cell("cheap simulator, SNR 12", (ROUGH,), _cheap()),
    Cell(
        "bad line",
        (line.tilt(10.0), line.echo(2.0, -10.0), line.hum(-10.0), line.noise(14.0), line.alaw()),
        _bell(level_dbm0=-28.0),
    ),
    Cell(
        "bad line, 1.70-1.85 stop bits",
        (line.tilt(10.0), line.hum(-5.0), line.offset(500), line.noise(12.0), line.alaw()),
        _bell(level_dbm0=-30.0, stop_bits=(1.70, 1.85), baud=1188.0),
    ),
    Cell(
        "bad line, marks between bytes",
        (line.tilt(6.0), line.hum(-10.0), line.noise(10.0), line.alaw()),
        _bell(level_dbm0=-25.0, stuffed=(0, 10)),
    ),
    Cell(
        "bad line, call waiting",
        (line.tilt(6.0), _speech(-15.0), line.noise(12.0), line.alaw()),
        _bell(level_dbm0=-22.0, seizure_bits=0, mark_bits=80),
    ),
    Cell(
        "V.23, bad line",
        (line.tilt(8.0), line.hum(-10.0), line.noise(12.0), line.alaw()),
        replace(V23, level_dbm0=-28.0),
    ),
    Cell("V.23, space +6 dB, SNR 12", (ROUGH,), replace(V23, twist_db=6.0)),
    Cell("V.23, space -6 dB, SNR 12", (ROUGH,), replace(V23, twist_db=-6.0)),
    Cell("V.23, 0-10 marks between bytes", modem=replace(V23, stuffed=(0, 10))),
)
