"""Voice as line events: starts at the first loud tenth, stops where the last one ended."""

from __future__ import annotations

import pytest

from edge.line.events import VoiceStarted, VoiceStopped
from edge.line.voice import VoiceWatcher

SLOT = 800


@pytest.mark.parametrize(
    ("loud", "told"),
    [
        ("......", []),
        ("..##......", [("VoiceStarted", 2), ("VoiceStopped", 4)]),
        ("#....#.......", [("VoiceStarted", 0), ("VoiceStopped", 6)]),
        (
            "#.....#......",
            [("VoiceStarted", 0), ("VoiceStopped", 1), ("VoiceStarted", 6), ("VoiceStopped", 7)],
        ),
        ("####", [("VoiceStarted", 0)]),
    ],
)
def test_loud_tenths_become_starts_and_stops(loud: str, told: list[tuple[str, int]]) -> None:
    watcher = VoiceWatcher(3, 8000)
    found = [event for at, mark in enumerate(loud) for event in watcher.slot(at * SLOT, SLOT, mark == "#")]
    assert [(type(event).__name__, event.position // SLOT) for event in found] == told
    assert all(isinstance(event, VoiceStarted | VoiceStopped) and event.line == 3 for event in found)
