"""Head office in Chromium: a call that arrives while the page is open appears, opens, and plays.

The page runs as its own process; the test is the other one, ingest, and writes what ingest would.
"""

from __future__ import annotations

import hashlib
import io
import math
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import Engine, func, select

from cloud.__main__ import main
from cloud.objects import FolderObjects
from cloud.store.database import open_engine, read, write
from cloud.store.schema import access_log, calls, recordings
from sync.ids import new_id
from sync.moment import to_text
from tests.cloud.house import PASSWORD, call_row, store_audio

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LENGTH_S = 6
RATE_HZ = 8000
PLAYED_UP_TO = """(audio, seconds) => new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`only at ${audio.currentTime} s`)), 5000);
    audio.addEventListener("timeupdate", () => audio.currentTime > seconds && done());
})"""


@dataclass(frozen=True, slots=True)
class Office:
    """A running head office, and the database and recordings behind it."""

    address: str
    engine: Engine
    objects: FolderObjects

    def receive_call(self) -> str:
        """What ingest does when a call arrives; returns its id."""
        now = to_text(datetime.now(UTC))
        row = call_row(started_utc=now, received_utc=now, caller_name="<b>王小明</b>")
        with write(self.engine) as connection:
            connection.execute(calls.insert().values(row))
        return str(row["id"])

    def receive_recording(self, call_id: str) -> str:
        """What ingest does when a recording is announced; returns its id."""
        audio = make_audio()
        row = {
            "id": new_id(),
            "call_id": call_id,
            "box_id": "box-01",
            "state": "announced",
            "started_utc": to_text(datetime.now(UTC)),
            "rate_hz": RATE_HZ,
            "samples": LENGTH_S * RATE_HZ,
            "codec": "flac",
            "size_bytes": len(audio),
            "sha256": hashlib.sha256(audio).hexdigest(),
        }
        with write(self.engine) as connection:
            connection.execute(recordings.insert().values(row))
        return str(row["id"])

    def receive_audio(self, recording_id: str) -> None:
        """What ingest does when the last chunk is in."""
        audio = make_audio()
        key = store_audio(self.objects, audio, self.objects.folder)
        stored = {"state": "stored", "object_key": key, "stored_utc": to_text(datetime.now(UTC))}
        with write(self.engine) as connection:
            connection.execute(recordings.update().where(recordings.c.id == recording_id).values(stored))

    def plays(self) -> int:
        """Lines of the access log that are plays."""
        with read(self.engine) as connection:
            statement = select(func.count()).where(
                access_log.c.action == "play", access_log.c.result == "done"
            )
            return connection.execute(statement).scalar_one()


def make_audio() -> bytes:
    """Six seconds of a 440 Hz tone as FLAC."""
    samples = 0.2 * np.sin(2 * math.pi * 440 * np.arange(LENGTH_S * RATE_HZ) / RATE_HZ)
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.float32), RATE_HZ, format="FLAC")
    return file.getvalue()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A head office with one user, wang, served by `python -m cloud web`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "ho.toml"
    pki = tmp_path / "pki"
    config.write_text(
        f'data = "{tmp_path}"\n[broker]\nca = "{pki}/ca.pem"\ncert = "{pki}/head-office.pem"\n'
        f'key = "{pki}/head-office-key.pem"\n[web]\nport = {port}\n'
    )
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    user = ["admin", "user", "add", "wang", "--role", "manager", "--password-file", str(password)]
    assert main(["--config", str(config), *user]) == 0
    command = [sys.executable, "-m", "cloud", "--config", str(config), "web"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            assert any("listening" in line for line in server.stderr), "the page did not start"
            engine = open_engine(f"sqlite:///{tmp_path / 'head-office.db'}")
            yield Office(f"http://127.0.0.1:{port}", engine, FolderObjects(tmp_path / "recordings"))
        finally:
            server.terminate()
            server.stderr.read()
    assert server.returncode in (0, -15)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def log_in(page: Page, office: Office) -> None:
    page.goto(f"{office.address}/calls")
    page.fill("[name=name]", "wang")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/calls")


def test_a_call_appears_by_itself_opens_and_plays(office: Office, browser: Browser) -> None:
    page = browser.new_page(locale="zh-CN")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    log_in(page, office)
    expect(page.locator("#list")).to_contain_text("暂无通话记录")

    call_id = office.receive_call()
    row = page.locator(f"tr:has(#call-{call_id})")
    expect(row).to_be_visible()
    expect(row).to_contain_text("138****8000")
    expect(row.locator("bdi")).to_have_text("<**")

    row.click(position={"x": 300, "y": 10})  # anywhere in the row
    page.locator("#drawer").get_by_text("查看详情").click()
    page.wait_for_url(f"**/calls/{call_id}")
    recording_id = office.receive_recording(call_id)
    expect(page.locator("#recordings")).to_contain_text("录音正在从网点传输")
    office.receive_audio(recording_id)
    audio = page.locator("audio")
    expect(audio).to_be_visible()

    audio.click(position={"x": 20, "y": 20})
    audio.evaluate(PLAYED_UP_TO, 0.3)
    bar = page.locator("svg.bar")
    width = bar.bounding_box()["width"]  # type: ignore[index]
    bar.click(position={"x": width * 0.75, "y": 10})
    audio.evaluate(PLAYED_UP_TO, 4)
    assert float(bar.locator(".playhead").get_attribute("x1") or 0) > 600
    assert office.plays() == 1
    assert complaints == []
    page.close()


def test_both_languages_at_both_widths_fit_the_screen(office: Office, browser: Browser) -> None:
    call_id = office.receive_call()
    office.receive_audio(office.receive_recording(call_id))
    for width in (1280, 390):
        page = browser.new_page(viewport={"width": width, "height": 800})
        log_in(page, office)
        for language in ("en", "zh"):
            if page.locator(f"button[value={language}]").count():
                page.click(f"button[value={language}]")
            for path in ("/calls", f"/calls/{call_id}", "/branches", "/api", "/calls?from=x"):
                page.goto(office.address + path)
                assert page.evaluate("document.documentElement.lang")[:2] == language
                beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert beyond <= 0, (width, language, path)
        page.close()
