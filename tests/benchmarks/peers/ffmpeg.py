"""Debian's ffmpeg as a recorder: the channels of an ALSA device into FLAC files, with no look at them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

PACKAGES = ("ffmpeg",)
MOST_CHANNELS = 8  # of one FLAC file


def a_file_per_line(lines: int, folder: Path) -> list[str]:
    """What is asked of ffmpeg for `lines` files of one channel."""
    split = f"asplit={lines}" + "".join(f"[copy{line}]" for line in range(lines))
    picks = [f"[copy{line}]pan=mono|c0=c{line}[line{line}]" for line in range(lines)]
    outputs = [
        word
        for line in range(lines)
        for word in ("-map", f"[line{line}]", "-c:a", "flac", str(folder / f"{line + 1}.flac"))
    ]
    return ["-filter_complex", ";".join([split, *picks]), *outputs]


def a_file_per_eight(lines: int, folder: Path) -> list[str]:
    """The cheapest way there is: as many channels in a file as FLAC knows; no line can be played alone."""
    files = range(lines // MOST_CHANNELS)
    split = f"asplit={len(files)}" + "".join(f"[copy{file}]" for file in files)
    picks = []
    for file in files:
        columns = "|".join(f"c{at}=c{file * MOST_CHANNELS + at}" for at in range(MOST_CHANNELS))
        picks.append(f"[copy{file}]pan=7.1|{columns}[lines{file}]")
    outputs = [
        word
        for file in files
        for word in ("-map", f"[lines{file}]", "-c:a", "flac", str(folder / f"{file + 1}.flac"))
    ]
    return ["-filter_complex", ";".join([split, *picks]), *outputs]


WAYS = {"one file per line": a_file_per_line, "one file per eight lines": a_file_per_eight}


def start(way: str, lines: int, rate_hz: int, folder: Path, alsa_config: Path) -> subprocess.Popen[bytes]:
    """Begin recording `linehat0` into `folder`."""
    device = ["-sample_rate", str(rate_hz), "-channels", str(lines), "-thread_queue_size", "1024"]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "alsa", *device, "-i", "linehat0"]
    environment = os.environ | {"ALSA_CONFIG_PATH": str(alsa_config)}
    return subprocess.Popen([*command, *WAYS[way](lines, folder)], env=environment)


def stop(process: subprocess.Popen[bytes], folder: Path, files: int) -> None:
    """End it as Ctrl-C does; AssertionError unless every file is there."""
    process.send_signal(signal.SIGINT)
    process.wait(timeout=15)
    made = [file for file in folder.glob("*.flac") if file.stat().st_size]
    assert len(made) == files, f"ffmpeg wrote {len(made)} of {files} files"
