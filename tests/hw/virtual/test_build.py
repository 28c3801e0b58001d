"""Building the plug-in only when needed, and the ALSA text that names its cards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hw.virtual.build import BuildError, alsa_config, build, playback_path


def test_builds_once_and_again_after_a_change(tmp_path: Path) -> None:
    source, plugin = tmp_path / "a.c", tmp_path / "out" / "a.so"
    source.write_text("int answer(void) { return 42; }\n")
    build(plugin, source)
    made = plugin.stat().st_mtime_ns
    build(plugin, source)
    assert plugin.stat().st_mtime_ns == made
    os.utime(source, ns=(made + 10**9, made + 10**9))
    build(plugin, source)
    assert plugin.stat().st_mtime_ns != made
    assert [path.name for path in plugin.parent.iterdir()] == ["a.so"]


@pytest.mark.parametrize(
    "text", ["int broken(", "int unused(int x) { return 0; }"], ids=["syntax", "warning"]
)
def test_what_the_compiler_dislikes_is_told(tmp_path: Path, text: str) -> None:
    source = tmp_path / "a.c"
    source.write_text(text + "\n")
    with pytest.raises(BuildError, match=r"a\.c does not compile"):
        build(tmp_path / "a.so", source)
    assert not (tmp_path / "a.so").exists()


def test_no_compiler_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.c"
    source.write_text("int x;\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="install the Debian packages gcc"):
        build(tmp_path / "a.so", source)


def test_config_names_both_directions() -> None:
    text = alsa_config(Path("/x/p.so"), {"linehat0": Path("/dev/shm/a"), "linehat1": Path("/dev/shm/b")})
    assert text.splitlines() == [
        "</usr/share/alsa/alsa.conf>",
        'pcm_type.vhat { lib "/x/p.so" }',
        'pcm.linehat0_capture { type vhat ring "/dev/shm/a" }',
        'pcm.linehat0_playback { type vhat ring "/dev/shm/a.play" }',
        'pcm.linehat0 { type asym capture.pcm "linehat0_capture" playback.pcm "linehat0_playback" }',
        'pcm.linehat1_capture { type vhat ring "/dev/shm/b" }',
        'pcm.linehat1_playback { type vhat ring "/dev/shm/b.play" }',
        'pcm.linehat1 { type asym capture.pcm "linehat1_capture" playback.pcm "linehat1_playback" }',
    ]


@pytest.mark.parametrize("name", ["", "line hat", "a.b", "0hat", 'x"y'])
def test_config_refuses_names(name: str) -> None:
    with pytest.raises(ValueError, match="device name"):
        alsa_config(Path("/x/p.so"), {name: Path("/dev/shm/a")})


@pytest.mark.parametrize("path", ['/dev/shm/"a"', "/dev/shm/a\\b", "/dev/shm/a\nb"])
def test_config_refuses_paths(path: str) -> None:
    with pytest.raises(ValueError, match="quotes"):
        alsa_config(Path("/x/p.so"), {"a": Path(path)})


def test_playback_lies_beside_capture() -> None:
    assert playback_path(Path("/dev/shm/vhat0")) == Path("/dev/shm/vhat0.play")
