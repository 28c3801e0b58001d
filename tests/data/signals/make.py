"""Makes the golden pairs beside it: `NAME.wav` is what a line carried, `NAME.json` what was sent.

    python -m tests.data.signals.make

Everything is seeded; running it again gives the same bytes. The JSON is written from what the transmitters
were told, so a receiver that learns to misread cannot make its own mistake golden.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.callerid import CallerId, dtmf, mdmf, sdmf
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fsk import BELL202, V23, FskStandard, fsk_signal
from edge.dsp.level import amplitude, to_int16
from edge.dsp.tones import tone_signal
from tests.data.signals import classes

HERE = Path(__file__).parent
RATE_HZ = 8000
Signal = NDArray[np.float32]
Sent = list[dict[str, Any]]

LI = CallerId("bell202", "mdmf", "13800138000", "WANG LI", "11220446")
TIANJIN = CallerId("v23", "mdmf", "02288881234", "天津分行", "01311259")
PRIVATE = CallerId("bell202", "sdmf", None, None, "06010800", "withheld")
KEYED = CallerId("dtmf", "dtmf", "13912345678", confidence=dtmf.CONFIDENCE)


def _silence(seconds: float) -> Signal:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def _noise(signal: Signal, snr_db: float, level_dbm0: float, seed: int) -> Signal:
    power = amplitude(level_dbm0) ** 2 / 2 / 10 ** (snr_db / 10)
    return np.asarray(signal + np.random.default_rng(seed).normal(size=len(signal)) * power**0.5, np.float32)


def _caller(caller: CallerId, start_s: float) -> dict[str, Any]:
    return {
        "line": 1,
        "event": "caller_id",
        "start_s": start_s,
        "standard": caller.standard,
        "format": caller.format,
        "number": caller.number,
        "name": caller.name,
        "date_time": caller.date_time,
        "presentation": caller.presentation,
    }


def _message(caller: CallerId, standard: FskStandard, **more: Any) -> tuple[Signal, float]:
    """A burst after half a second, and where its first start bit is."""
    build = sdmf.build if caller.format == "sdmf" else mdmf.build
    bits = more.get("seizure_bits", 300) + more.get("mark_bits", 180)
    signal = fsk_signal(build(caller), standard, RATE_HZ, **more)
    return np.concatenate([_silence(0.5), signal, _silence(0.4)]), round(0.5 + bits / standard.baud, 3)


def bell202_clean() -> tuple[Signal, Sent]:
    signal, start_s = _message(LI, BELL202)
    return signal, [_caller(LI, start_s)]


def v23_chinese_name_quiet() -> tuple[Signal, Sent]:
    signal, start_s = _message(TIANJIN, V23, level_dbm0=-38.0)
    return _noise(signal, 14, -38, 1), [_caller(TIANJIN, start_s)]


def bell202_noise_3_db() -> tuple[Signal, Sent]:
    signal, start_s = _message(LI, BELL202)
    return _noise(signal, 3, -13.5, 2), [_caller(LI, start_s)]


def bell202_fractional_stop_bits() -> tuple[Signal, Sent]:
    clock = FskStandard("bell202", 1194, 2189, 1218)
    signal, start_s = _message(LI, clock, stop_bits=1.8)
    return _noise(signal, 12, -13.5, 3), [_caller(LI, start_s)]


def sdmf_withheld_short_mark() -> tuple[Signal, Sent]:
    signal, start_s = _message(PRIVATE, BELL202, seizure_bits=60, mark_bits=40)
    return signal, [_caller(PRIVATE, start_s)]


def bell202_hopeless_noise() -> tuple[Signal, Sent]:
    signal, _ = _message(LI, BELL202)
    return _noise(signal, -9, -13.5, 4), []


def dtmf_caller() -> tuple[Signal, Sent]:
    keys = dtmf.build(KEYED)
    signal = np.concatenate([_silence(0.5), dtmf_signal(keys, RATE_HZ), _silence(0.5)])
    keyed = {"line": 1, "event": "dtmf", "start_s": 0.5, "digits": keys}
    return signal, [keyed, _caller(KEYED, 0.5)]


def dialling_over_dial_tone() -> tuple[Signal, Sent]:
    keys = dtmf_signal("*139#", RATE_HZ, tone_ms=50, gap_ms=50, level_dbm0=-14, twist_db=-4)
    dial = tone_signal("dial", 3, level_dbm0=-20)
    signal = np.concatenate([dial, _silence(0.5) + 0, keys, _silence(0.5)])
    tone = {"line": 1, "event": "tone", "start_s": 0.0, "tone": "dial", "country": "cn"}
    return _noise(signal, 10, -14, 5), [tone, {"line": 1, "event": "dtmf", "start_s": 3.5, "digits": "*139#"}]


def busy_in_noise() -> tuple[Signal, Sent]:
    signal = np.concatenate([_silence(0.5), tone_signal("busy", 3.15, level_dbm0=-30), _silence(0.5)])
    tone = {"line": 1, "event": "tone", "start_s": 0.5, "tone": "busy", "country": "cn"}
    return _noise(signal, 10, -30, 6), [tone]


SIGNALS: tuple[Callable[[], tuple[Signal, Sent]], ...] = (
    bell202_clean,
    v23_chinese_name_quiet,
    bell202_noise_3_db,
    bell202_fractional_stop_bits,
    sdmf_withheld_short_mark,
    bell202_hopeless_noise,
    dtmf_caller,
    dialling_over_dial_tone,
    busy_in_noise,
)


def made() -> Iterator[tuple[str, NDArray[np.int16], Sent]]:
    """Name, samples and what was sent of every pair; speaking needs espeak-ng."""
    for make in SIGNALS:
        signal, sent = make()
        yield make.__name__, to_int16(signal), sent
    for name, make_standard in classes.STANDARDS.items():
        signal, sent = make_standard()
        yield name, to_int16(signal), sent
    for name in classes.SPOILT:
        samples, sent = classes.spoilt(classes.cell_of(name))
        yield f"spoilt_{name}", samples, sent


def main() -> None:
    for name, samples, sent in made():
        soundfile.write(HERE / f"{name}.wav", samples, RATE_HZ, "PCM_16")
        text = json.dumps(sent, ensure_ascii=False, indent=1)
        (HERE / f"{name}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
