"""Papers made of a circuit: what lies in hw/boards is what would be written, and each can be read back."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import alsaaudio
import numpy as np
import pytest

from hw.circuit.__main__ import BOARDS, papers_of
from hw.circuit.board import board_circuit
from hw.circuit.papers import alsa_conf, bill, netlist
from hw.hats import HATS
from hw.virtual.build import alsa_config
from hw.virtual.ring import Ring
from tests.hw.virtual.conftest import read_frames

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", HATS)
def test_what_lies_there_is_what_would_be_written(name: str) -> None:
    for file, text in papers_of(HATS[name]).items():
        assert (BOARDS / name / file).read_text(encoding="utf-8") == text, (
            f"python -m hw.circuit makes {file} anew"
        )


def test_the_netlist_says_every_pin_once() -> None:
    made = board_circuit(HATS["l4"])
    text = netlist(made)
    assert text.count("(") == text.count(")")
    nodes = re.findall(r'\(node \(ref "([^"]+)"\) \(pin "([^"]+)"\)\)', text)
    wanted = [(part.ref, pin) for part in made for pin, net in part.nets.items() if net != "-"]
    assert sorted(nodes) == sorted(wanted)
    assert re.findall(r'\(comp \(ref "([^"]+)"\)', text) == [part.ref for part in made]


def test_the_bill_counts_every_part_once() -> None:
    made = board_circuit(HATS["l8"])
    rows = list(csv.DictReader(io.StringIO(bill(made))))
    assert sum(int(row["count"]) for row in rows) == len(made.parts)
    assert sorted(ref for row in rows for ref in row["references"].split()) == sorted(
        part.ref for part in made
    )
    (legs,) = [row for row in rows if row["kind"] == "resistor leg"]
    assert (legs["count"], legs["stands"]) == ("32", "250 V")


def test_alsa_gives_each_line_by_its_name(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board's configuration over a virtual card in place of the hardware: line 2 is what line 2 hears."""
    with Ring.create(Path(f"/dev/shm/vhat-test-{tmp_path.name}"), 8000, 2, 32_000) as ring:
        tone = (8000 * np.sin(2 * np.pi * np.arange(16_000) * 1000 / 8000)).astype(np.int16)
        ring.write(0, np.stack([np.zeros_like(tone), tone], axis=1))
        ring.declare_written(1 << 40)
        config = tmp_path / "asound.conf"
        hardware = 'pcm.linehat0 { type hw card "linehat" }\n'
        text = alsa_conf(HATS["l2"])
        assert hardware in text
        virtual = (
            alsa_config(plugin, {"card0": ring.path}) + 'pcm.linehat0 { type mmap_emul slave.pcm "card0" }\n'
        )
        config.write_text(virtual + text.replace(hardware, ""))
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
        heard = {}
        for line in (1, 2):
            pcm = alsaaudio.PCM(
                alsaaudio.PCM_CAPTURE, device=f"linehat0_line{line}", rate=8000, channels=1, periodsize=160
            )
            heard[line] = read_frames(pcm, 10)
            pcm.close()
        ring.remove()
    assert abs(heard[1]).max() == 0 and abs(heard[2]).max() > 7000


def test_the_command_writes_and_says_what(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "hw.circuit"], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [row.split(":")[0] for row in ran.stdout.splitlines()] == [hat.ID for hat in HATS.values()]
