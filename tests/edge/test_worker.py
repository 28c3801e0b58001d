"""The encoding worker is a real process: it yields, it encodes, and it does not outlive a killed recorder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from edge.app import encoding_worker
from edge.codec import NICENESS, encode_flac
from edge.part import pack_blocks
from tests.fakes import wait_for

RECORDER = """
import os
from edge.app import encoding_worker
if __name__ == "__main__":
    worker = encoding_worker()
    print(worker.submit(os.getpid).result(), flush=True)
    import threading
    threading.Event().wait()
"""

KILLED_AT_ONCE = """
import os, signal
from edge.app import encoding_worker
if __name__ == "__main__":
    worker = encoding_worker()
    worker.submit(os.getpid)
    os.write(1, b"%d" % next(iter(worker._processes)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_worker_encodes_with_low_priority(tmp_path: Path) -> None:
    samples = np.arange(8000, dtype="<i2")
    (tmp_path / "one.part").write_bytes(pack_blocks(samples))
    with encoding_worker() as worker:
        encoded = worker.submit(encode_flac, tmp_path / "one.part", tmp_path / "one.flac", 8000, 8000).result(
            timeout=30
        )
        assert worker.submit(os.nice, 0).result(timeout=30) >= NICENESS
    audio, _ = soundfile.read(tmp_path / encoded.file, dtype="int16")
    np.testing.assert_array_equal(audio, samples)


def test_worker_dies_with_a_killed_recorder(tmp_path: Path) -> None:
    script = tmp_path / "recorder.py"
    script.write_text(RECORDER)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as recorder:
        assert recorder.stdout
        worker = int(recorder.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        recorder.send_signal(signal.SIGKILL)
    wait_for(lambda: not is_running(worker), what="the worker's end")


def test_a_worker_whose_recorder_died_before_it_was_up_ends_too(tmp_path: Path) -> None:
    (tmp_path / "recorder.py").write_text(KILLED_AT_ONCE)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(tmp_path / "recorder.py")]
    worker = int(subprocess.run(command, stdout=subprocess.PIPE, env=environment, timeout=30).stdout)
    wait_for(lambda: not is_running(worker), what="the worker's end")


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie that nobody has collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
