"""Builds the virtual HAT's ALSA plug-in and writes the ALSA configuration that names its cards.

Run as `python -m hw.virtual.build`; it compiles only when the source is newer than the result.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("pcm_vhat.c")
PLUGIN = SOURCE.parents[2] / "build" / "vhat" / "libasound_module_pcm_vhat.so"
COMPILE = ("gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-DPIC")


class BuildError(RuntimeError):
    """The plug-in cannot be built here: what is missing, or what the compiler said."""


def build(plugin: Path = PLUGIN, source: Path = SOURCE) -> Path:
    """Return the path of the plug-in, compiled now if it is older than its source."""
    if plugin.exists() and plugin.stat().st_mtime >= source.stat().st_mtime:
        return plugin
    plugin.parent.mkdir(parents=True, exist_ok=True)
    half_made = plugin.with_name(f"{plugin.name}.{os.getpid()}")
    try:
        done = subprocess.run(
            [*COMPILE, "-o", half_made, source, "-lasound", "-lm"], capture_output=True, text=True
        )
    except FileNotFoundError:
        raise BuildError("no gcc here: install the Debian packages gcc and libasound2-dev") from None
    if done.returncode:
        raise BuildError(f"{source.name} does not compile (is libasound2-dev installed?)\n{done.stderr}")
    half_made.rename(plugin)
    return plugin


def playback_path(ring: Path) -> Path:
    """Where the playback ring of the HAT with this capture ring lies."""
    return ring.with_name(ring.name + ".play")


def alsa_config(plugin: Path, rings: Mapping[str, Path]) -> str:
    """Text for ALSA_CONFIG_PATH: one full-duplex device per HAT name, captured from its ring.

    libasound reads it at the next open, and again when the variable names another file.
    """
    text = f'</usr/share/alsa/alsa.conf>\npcm_type.vhat {{ lib "{_quotable(plugin)}" }}\n'
    for name, ring in rings.items():
        if not name.isidentifier():
            raise ValueError(f"an ALSA device name has letters, digits and _, got {name!r}")
        text += (
            f'pcm.{name}_capture {{ type vhat ring "{_quotable(ring)}" }}\n'
            f'pcm.{name}_playback {{ type vhat ring "{_quotable(playback_path(ring))}" }}\n'
            f'pcm.{name} {{ type asym capture.pcm "{name}_capture" playback.pcm "{name}_playback" }}\n'
        )
    return text


def _quotable(path: Path) -> str:
    text = str(path.absolute())
    if any(character in text for character in '"\\\n'):
        raise ValueError(f"ALSA cannot take a path with quotes, backslashes or line ends: {text!r}")
    return text


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
