"""The recorder is killed at random moments while its lines talk: no line ever loses more than a second."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest

from tests.faults.killed_box import KilledBox, histogram

BOUND_MS = 1000
RESULTS = Path(__file__).parents[2] / "build" / "faults"
BOXES, LINES, KILLS = 2, 8, 110  # of the long form


@pytest.mark.xdist_group("kills")
def test_ten_kills_cost_no_line_more_than_a_second(tmp_path: Path) -> None:
    box = KilledBox(tmp_path / "box", lines=6, seed=1)
    box.live(10, lives_s=(0.1, 1.0), stillborn=0.1)
    assert box.faults() == []
    lost = [cost.lost_ms for cost in box.costs() if cost.recorded]
    assert len(lost) >= 5, "lines talked and were recorded"
    assert max(lost) <= BOUND_MS


@pytest.mark.faults
def test_two_hundred_kills_cost_no_line_more_than_a_second(tmp_path: Path) -> None:
    boxes = [KilledBox(tmp_path / str(seed), LINES, seed) for seed in range(BOXES)]
    with ThreadPoolExecutor(BOXES) as pool:
        list(pool.map(lambda box: box.live(KILLS), boxes))
    assert [box.faults() for box in boxes] == [[]] * BOXES
    costs = [cost for box in boxes for cost in box.costs()]
    lost = [cost.lost_ms for cost in costs if cost.recorded]
    early = [cost.lost_ms for cost in costs if not cost.recorded]
    report = {
        "kills": BOXES * KILLS,
        "of these before the recorder was ready": sum(not life.ready for box in boxes for life in box.lives),
        "lines per box": LINES,
        "bound ms": BOUND_MS,
        "recorded lines that talked when it was killed": len(lost),
        "lost ms, median": round(median(lost), 1),
        "lost ms, most": round(max(lost), 1),
        "histogram of lost ms": histogram(lost),
        "talking lines whose recording had not begun yet after the start": len(early),
        "ms since the recorder was ready, most": round(max(early, default=0), 1),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "kills.json").write_text(json.dumps(report, indent=1) + "\n")
    assert max(lost) <= BOUND_MS, report
