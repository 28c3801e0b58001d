"""Speech: really spoken, once, at a known level; and clear about what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.dsp.level import level_dbm0
from hw.virtual.speech import SpeechError, at_speaking_level, passage, speak


@pytest.mark.parametrize(("voice", "text"), [("cmn+f2", "您好，再见。"), ("en-gb+m3", "Hello, goodbye.")])
@pytest.mark.parametrize("rate_hz", [8000, 16_000])
def test_speech_is_as_long_and_loud_as_speech(voice: str, text: str, rate_hz: int) -> None:
    speech = speak(voice, text, rate_hz)
    assert speech.dtype == np.float32
    assert 0.5 < len(speech) / rate_hz < 4
    blocks = [
        level_dbm0(float(np.mean(part**2))) for part in np.array_split(speech, len(speech) * 50 // rate_hz)
    ]
    speaking = [level for level in blocks if level > max(blocks) - 25]
    assert np.mean(speaking) == pytest.approx(-2, abs=4)
    assert max(blocks) < 9


def test_the_same_text_is_spoken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = speak("en-us", "Once is enough.", 8000)
    monkeypatch.setenv("PATH", str(tmp_path))  # no espeak-ng any more
    speak.cache_clear()
    assert np.array_equal(speak("en-us", "Once is enough.", 8000), first)


def test_no_espeak_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpeechError, match="install the Debian package espeak-ng"):
        speak("en-us", f"Nobody has said this before: {tmp_path.name} {id(tmp_path)}", 8000)


def test_unknown_voice_is_named() -> None:
    with pytest.raises(SpeechError, match="does not speak 'xx-nobody'"):
        speak("xx-nobody", "hello", 8000)


@pytest.mark.parametrize("level", [-60.0, -30.0, -3.0])
def test_speaking_level_does_not_count_the_pauses(level: float) -> None:
    tone = np.sin(2 * np.pi * 400 * np.arange(8000) / 8000) * 10 ** (level / 20)
    speech = at_speaking_level(np.concatenate([tone, np.zeros(24_000), tone]).astype(np.float32), 8000)
    assert level_dbm0(float(np.mean(speech[:8000] ** 2))) == pytest.approx(0, abs=0.05)
    assert not speech[9000:30_000].any()


@pytest.mark.parametrize("frames", [0, 100, 8000])
def test_silence_is_no_speech(frames: int) -> None:
    with pytest.raises(SpeechError, match="nothing to hear"):
        at_speaking_level(np.zeros(frames, np.float32), 8000)


@pytest.mark.parametrize(
    ("voice", "word"), [("cmn+f2", "您好"), ("en-gb", "Good morning"), ("de", "Good morning")]
)
def test_passage_is_in_the_language_of_the_voice(voice: str, word: str) -> None:
    assert word in passage(voice)
