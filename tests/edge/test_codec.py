"""The worker process of the recorder: it has none of the priority that the recorder has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.codec import KILLED_BEFORE, NICENESS

RECORDER = ["chrt", "--fifo", "20"]  # as its unit starts it
ASK = """
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from edge.codec import settle_worker
worker = ProcessPoolExecutor(1, get_context("spawn"), settle_worker)
ask = lambda *question: worker.submit(*question).result()
killed_before = int(ask(Path.read_text, Path("/proc/self/oom_score_adj")))
print(ask(os.sched_getscheduler, 0), ask(os.nice, 0), killed_before)
print(*{os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")})
worker.shutdown()
"""


@pytest.mark.skipif(
    subprocess.run([*RECORDER, "true"], capture_output=True).returncode != 0,
    reason="nobody here may have real-time priority: it needs root",
)
def test_the_worker_gives_up_the_priority_and_no_thread_of_the_recorder_does() -> None:
    words = [*RECORDER, sys.executable, "-c", ASK]
    root = Path(__file__).parents[2]
    told = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout
    worker, threads = told.splitlines()
    assert worker == f"{os.SCHED_OTHER} {NICENESS} {KILLED_BEFORE}"
    assert threads == f"{os.SCHED_FIFO}"
