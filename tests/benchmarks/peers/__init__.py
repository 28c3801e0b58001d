"""The decoders we compare ourselves with: Debian's libspandsp, libvpb, minimodem, multimon-ng, run on clips.

They are installed only for a benchmark. Every peer takes the int16 clips at 8 kHz that we take, resampled
by soxr where its own format asks for it, and answers with what it read: callers as `Who`, the rest as text.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr

from tests.signals.line import RATE_HZ, Clip
from tests.signals.messages import Who

PACKAGES = ("libspandsp-dev", "libvpb-dev", "minimodem", "multimon-ng", "gcc", "g++")
HERE, BUILT = Path(__file__).parent, Path(__file__).parents[3] / "build" / "peers"
PROGRAM, VPB = BUILT / "spandsp_peer", BUILT / "vpb_peer"
# program -> how it is made of its source
PROGRAMS: dict[Path, tuple[str, ...]] = {
    PROGRAM: ("gcc", "-O2", "-Wall", str(HERE / "spandsp_peer.c"), "-lspandsp", "-lm"),
    VPB: ("g++", "-O2", "-Wall", str(HERE / "vpb_peer.cpp"), "-lvpb", "-lpthread"),
}
MULTIMON_HZ = 22050
PAUSE_S = 0.5  # of silence after a clip, so that a peer that waits for more gets it
FIELDS = {0x01: "date_time", 0x02: "number", 0x07: "name"}

Callers = Callable[[Sequence[Clip]], list[list[Who]]]


def install() -> None:
    """Install what is missing of the peers and build ours; says what it does on standard error."""
    install_packages(PACKAGES)
    BUILT.mkdir(parents=True, exist_ok=True)
    for program, command in PROGRAMS.items():
        if not program.exists() or program.stat().st_mtime < Path(command[3]).stat().st_mtime:
            subprocess.run([*command, "-o", program], check=True)


def install_packages(packages: Sequence[str]) -> None:
    """Install those Debian packages that are missing."""
    missing = [package for package in packages if not _there(package)]
    if missing:
        sys.stderr.write(f"peers: installing Debian package(s): {' '.join(missing)}\n")
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*sudo, *command], check=True, stdout=subprocess.DEVNULL, env=environment)


def _there(package: str) -> bool:
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True).stdout == b"installed"


def spandsp(clips: Sequence[Clip], *what: str) -> list[list[str]]:
    """Return the words that our program around libspandsp says about each clip, in order."""
    said = subprocess.run([PROGRAM, *what], input=_sent(clips), capture_output=True, check=True).stdout
    found: list[list[str]] = [[] for _ in clips]
    for text in said.decode("ascii", "replace").splitlines():
        at, _, words = text.partition(" ")
        found[int(at)].append(words)
    return found


def spandsp_cost_us(lines: Sequence[Clip], block: int) -> float:
    """Return the CPU of everything spandsp has for our lines, in microseconds per second of one line."""
    command = [PROGRAM, "cost", str(block)]
    return float(subprocess.run(command, input=_sent(lines), capture_output=True, check=True).stdout)


def _sent(clips: Sequence[Clip]) -> bytes:
    return b"".join(np.int32(len(clip)).tobytes() + clip.tobytes() for clip in clips)


def spandsp_callers(clips: Sequence[Clip], standard: str) -> list[list[Who]]:
    """What one adsi receiver (bell202 or v23) reads."""
    found = spandsp(clips, "callers")
    return [[_who(words) for words in some if words.startswith(standard)] for some in found]


def spandsp_keys(clips: Sequence[Clip]) -> list[str]:
    """The keys dtmf_rx finds with its defaults."""
    return ["".join(words) for words in spandsp(clips, "keys")]


def spandsp_tones(clips: Sequence[Clip]) -> list[set[str]]:
    """The Chinese tones super_tone_rx finds."""
    return [set(words) for words in spandsp(clips, "tones")]


def vpb_callers(clips: Sequence[Clip]) -> list[list[Who]]:
    """What vpb_cid_decode2 reads; one caller a clip at most."""
    said = subprocess.run([VPB], input=_sent(clips), capture_output=True, check=True).stdout
    found: list[list[Who]] = [[] for _ in clips]
    for text in said.decode("latin-1").splitlines():
        at, date_time, number, name = text.split("\t")
        found[int(at)].append(Who(date_time, number, name.rstrip()))
    return found


def multimon_callers(clips: Sequence[Clip]) -> list[list[Who]]:
    """What CLIPFSK reads."""
    return [[_multimon_who(text) for text in _multimon(clip, "CLIPFSK") if "CID=" in text] for clip in clips]


def multimon_keys(clips: Sequence[Clip]) -> list[str]:
    """The keys DTMF finds."""
    return ["".join(text[6:] for text in _multimon(clip, "DTMF") if text[:6] == "DTMF: ") for clip in clips]


def minimodem_callers(clips: Sequence[Clip], *options: str) -> list[list[Who]]:
    """What `--rx callerid` prints; it looks at no checksum."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "clip.wav"
        return [_minimodem(clip, path, options) for clip in clips]


def _minimodem(clip: Clip, path: Path, options: tuple[str, ...]) -> list[Who]:
    soundfile.write(path, np.concatenate([clip, np.zeros(round(PAUSE_S * RATE_HZ), np.int16)]), RATE_HZ)
    command = ["minimodem", "--rx", "callerid", "-q", *options, "-f", path]
    said = subprocess.run(command, capture_output=True).stdout.decode("latin-1")
    return [_minimodem_who(text) for text in said.split("CALLER-ID\n")[1:]]


def _minimodem_who(text: str) -> Who:
    said = dict(re.findall(r"^(Time|Phone|Name): +(.*)$", text, re.M))
    return Who(
        re.sub(r"\D", "", said.get("Time", "")),
        said.get("Phone", "").replace("-", ""),
        said.get("Name", "").rstrip(),
    )


def _multimon(clip: Clip, demodulator: str) -> list[str]:
    whole = np.concatenate([clip, np.zeros(round(PAUSE_S * RATE_HZ), np.int16)])
    sent = soxr.resample(whole, RATE_HZ, MULTIMON_HZ).tobytes()
    command = ["multimon-ng", "-q", "-c", "-a", demodulator, "-t", "raw", "-"]
    said = subprocess.run(command, input=sent, capture_output=True, check=True).stdout
    return said.decode("latin-1").splitlines()


def _multimon_who(text: str) -> Who:
    said = re.search(r"(?:DATE=(\S*))?(?: CID=(\S*))?(?: CNT=(.*))?$", text.partition("CS")[2].lstrip())
    groups = said.groups("") if said else ("", "", "")
    return Who(groups[0], groups[1], groups[2].rstrip())


def _who(words: str) -> Who:
    """Read the fields of a message whose checksum is known to hold."""
    message = bytes.fromhex(words.split()[1])
    if message[0] == 0x04:
        return Who(message[2:10].decode("latin-1"), message[10:].decode("latin-1"))
    fields: dict[str, str] = {}
    at = 2
    while at + 1 < len(message):
        kind, length = message[at], message[at + 1]
        if kind in FIELDS:
            fields[FIELDS[kind]] = message[at + 2 : at + 2 + length].decode("latin-1").rstrip()
        at += 2 + length
    return Who(fields.get("date_time", ""), fields.get("number", ""), fields.get("name", ""))


# peer -> its receivers of one message; a peer with two is right when one of them is
CALLER_PEERS: dict[str, tuple[Callers, ...]] = {
    "spandsp": (lambda clips: spandsp_callers(clips, "bell202"), lambda clips: spandsp_callers(clips, "v23")),
    "libvpb": (vpb_callers,),
    "minimodem": (minimodem_callers,),
    "multimon-ng": (multimon_callers,),
}
KEY_PEERS: dict[str, Callable[[Sequence[Clip]], list[str]]] = {
    "spandsp": spandsp_keys,
    "multimon-ng": multimon_keys,
}
