"""From ring to head office with everything real: ALSA, serial port, SQLite, mosquitto with TLS, both pages.

The programs run as they do in a branch; each in turn is killed in mid call, the card is pulled, head office
goes away. What must hold: what ended is at head office, once, with the same bytes.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from cloud.access.log import Actor
from cloud.store import orders
from cloud.store.database import open_engine, write
from cloud.store.orders import Wanted
from cloud.webhooks.signing import SIGNATURE, SignatureRefused, check_signature
from edge.part import read_blocks
from hw.virtual.ring import Ring
from sync.mask import mask_number
from sync.moment import from_text, to_text
from sync.orders import DELETE
from sync.transport import utc_now
from tests.cloud.webhooks.receiver import Receiver, receiving
from tests.fakes import wait_for
from tests.world import USER, World

pytestmark = pytest.mark.xdist_group("story")

# Short calls for ever on two lines, so that there is one in progress whenever a test looks.
SCRIPT = """
loop = true
[callers.wang]
number = "02155500147"
name = "王芳"
[callers.mobile]
number = "13955500126"
sends = "dtmf"
[[lines]]
steps = [
  { do = "wait", s = 1.5 },
  { do = "ring", bursts = 1, caller = "wang" },
  { do = "pick_up", after_s = 3 },
  { do = "say", who = "far", s = 6 },
  { do = "hang_up", who = "staff" },
  { do = "wait", s = 1.5 },
]
[[lines]]
steps = [
  { do = "wait", s = 4 },
  { do = "ring", bursts = 1, caller = "mobile" },
  { do = "pick_up", after_s = 1 },
  { do = "say", who = "staff", s = 5 },
  { do = "hang_up", who = "staff" },
  { do = "wait", s = 2 },
]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    (folder / "script.toml").write_text(SCRIPT, encoding="utf-8")
    world = World(folder, folder / "script.toml", lines=2, hook_networks="127.0.0.0/8")
    world.prepare()
    try:
        world.start()
        yield world
    finally:
        world.stop()


@dataclass(frozen=True, slots=True)
class Told:
    """A receiver that head office's webhook tells of calls, and the secret it knows."""

    receiver: Receiver
    secret: str


@pytest.fixture(scope="module")
def told(world: World) -> Iterator[Told]:
    """The administrator has head office tell a receiver of each call, over the API."""
    with receiving() as receiver, closing(log_in(world.head_office_page, world)) as client:
        (token, *_) = re.findall(r'name="csrf_token" value="([^"]+)"', client.get("/").text)
        origin = world.head_office_page.rstrip("/")
        made = client.post(
            "/api/v1/webhooks",
            json={"url": receiver.url, "kinds": ["call_ended"]},
            headers={"X-CSRF-Token": token, "Origin": origin},
        )
        assert made.status_code == 201, made.text
        yield Told(receiver, made.json()["secret"])


def branch(world: World, query: str, *values: object) -> list[sqlite3.Row]:
    return rows(world.config.database, query, *values)


def head_office(world: World, query: str, *values: object) -> list[sqlite3.Row]:
    return rows(world.folder / "head-office" / "head-office.db", query, *values)


def rows(path: Path, query: str, *values: object) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(query, values).fetchall()


def in_mid_call(world: World) -> sqlite3.Row:
    """Wait for a call that is being recorded for over a second, and return its row."""

    def talking() -> sqlite3.Row | None:
        found = branch(
            world,
            "SELECT c.*, r.file FROM calls c JOIN recordings r ON r.call_id = c.id"
            " WHERE c.state = 'open' AND r.state = 'recording' AND r.about = 'call'",
        )
        parts = [(row, world.config.recordings_dir / row["file"]) for row in found]
        return next((row for row, part in parts if part.exists() and part.stat().st_size > 7 * 16_000), None)

    return wait_for(talking, timeout_s=30, what="a call in progress")


def ended(world: World) -> int:
    return branch(world, "SELECT count(*) n FROM calls WHERE state = 'ended'")[0]["n"]


def another_call_ends(world: World) -> None:
    before = ended(world)
    wait_for(lambda: ended(world) > before, timeout_s=40, what="another call")


def all_at_head_office(world: World) -> None:
    """Wait until what has ended here by now is there, then compare the two, bytes included."""
    calls = {row["id"] for row in branch(world, "SELECT id FROM calls WHERE state = 'ended'")}
    ready = branch(world, "SELECT * FROM recordings WHERE state = 'ready' AND about = 'call'")

    def there() -> bool:
        known = {row["id"] for row in head_office(world, "SELECT id FROM calls")}
        stored = {row["id"] for row in head_office(world, "SELECT id FROM recordings WHERE state = 'stored'")}
        return calls <= known and {row["id"] for row in ready} <= stored

    wait_for(there, timeout_s=40, what="head office having everything")
    for row in ready:
        (copy,) = head_office(world, "SELECT * FROM recordings WHERE id = ?", row["id"])
        assert (copy["sha256"], copy["samples"], copy["call_id"]) == (
            row["sha256"],
            row["samples"],
            row["call_id"],
        )
        (file,) = (world.folder / "head-office" / "recordings").rglob(f"*{copy['object_key']}*")
        data = (world.config.recordings_dir / row["file"]).read_bytes()
        assert file.read_bytes() == data and sha256(data).hexdigest() == row["sha256"]


def log_in(address: str, world: World) -> httpx.Client:
    client = httpx.Client(base_url=address, follow_redirects=True, timeout=10)
    answer = client.post(
        "/log-in", data={"name": USER, "password": world.password}, headers={"Origin": address.rstrip("/")}
    )
    assert answer.status_code == 200, answer.text[:500]
    return client


# -- the plain story


def test_a_call_is_heard_named_kept_and_sent(world: World, told: Told) -> None:
    wait_for(lambda: ended(world) >= 2, timeout_s=40, what="two calls")
    (wang, *_) = branch(world, "SELECT * FROM calls WHERE line = 1 AND state = 'ended' ORDER BY started_utc")
    assert (wang["caller_number"], wang["caller_name"], wang["outcome"]) == (
        "02155500147",
        "王芳",
        "answered",
    )
    (mobile, *_) = branch(
        world, "SELECT * FROM calls WHERE line = 2 AND state = 'ended' ORDER BY started_utc"
    )
    assert (mobile["caller_number"], mobile["caller_standard"]) == ("13955500126", "dtmf")
    all_at_head_office(world)


def test_the_recorder_tells_the_truth_about_times(world: World) -> None:
    wait_for(
        lambda: (world.folder / "story.jsonl").read_text().count("\n") >= 2, timeout_s=40, what="a story"
    )
    truth = [json.loads(line) for line in (world.folder / "story.jsonl").read_text().splitlines()]
    whole = [call for call in truth if call["line"] == 1 and call["answered"]]
    row = branch(world, "SELECT * FROM calls WHERE line = 1 AND state = 'ended' ORDER BY started_utc")[0]
    said_ms = row["duration_ms"]
    true_ms = (whole[0]["end"] - whole[0]["answered"]) / 8
    assert said_ms == pytest.approx(true_ms, abs=120)


def test_branch_page_lists_and_plays_with_seek(world: World) -> None:
    with closing(log_in(world.branch_page, world)) as client:
        page = client.get("/calls")
        assert "王芳" in page.text and "02155500147" in page.text
        (recording, *_) = branch(world, "SELECT * FROM recordings WHERE state = 'ready' AND about = 'call'")
        part = client.get(f"/recordings/{recording['id']}/audio", headers={"Range": "bytes=100-299"})
        whole = (world.config.recordings_dir / recording["file"]).read_bytes()
        assert (part.status_code, part.content) == (206, whole[100:300])


def test_head_office_page_and_api_have_the_call(world: World) -> None:
    all_at_head_office(world)
    with closing(log_in(world.head_office_page, world)) as client:
        page = client.get("/calls").text
        assert "王**" in page and "王芳" not in page  # private until somebody has a grant for it
        listed = client.get("/api/v1/calls").json()
        assert any(call["caller_name"] == "王**" for call in listed["calls"])
        (recording, *_) = head_office(world, "SELECT * FROM recordings WHERE state = 'stored'")
        audio = client.get(f"/api/v1/recordings/{recording['id']}/audio")
        assert sha256(audio.content).hexdigest() == recording["sha256"]


def test_pages_are_closed_to_strangers(world: World) -> None:
    for address, path in ((world.branch_page, "/calls"), (world.head_office_page, "/api/v1/calls")):
        answer = httpx.get(address + path.lstrip("/"), follow_redirects=False)
        assert answer.status_code in (302, 303, 401)


def test_an_order_of_head_office_reaches_the_branch_and_comes_back_signed(world: World) -> None:
    """Deleted there and here: rows, files, the box's chain, head office's own copy."""
    stored = "SELECT * FROM recordings WHERE state = 'stored' ORDER BY id"
    (row, *_) = wait_for(lambda: head_office(world, stored), timeout_s=40, what="a recording at head office")
    engine = open_engine(f"sqlite:///{world.folder / 'head-office' / 'head-office.db'}")
    now_utc, by = to_text(utc_now()), Actor(user_id="w", name="wang")
    with write(engine) as db:
        made = orders.make(db, Wanted(DELETE, row["box_id"], "law", row["call_id"]), by, now_utc)
        waiting = orders.find(db, made)
        assert waiting is not None
        orders.decide(db, waiting, "approve", "", Actor(user_id="l", name="li"), now_utc)
    engine.dispose()
    query = "SELECT * FROM orders WHERE id = ? AND state = 'done'"
    (done,) = wait_for(lambda: head_office(world, query, made), timeout_s=20, what="the receipt")
    assert (done["code"], done["signed"]) == ("done", "good")
    (there,) = branch(world, "SELECT * FROM recordings WHERE id = ?", row["id"])
    assert there["state"] == "deleted"
    assert not (world.config.recordings_dir / there["file"]).exists()
    store = world.folder / "head-office" / "recordings"
    wait_for(lambda: not list(store.rglob(row["sha256"])), timeout_s=30, what="our own copy to go")


def test_a_call_at_the_branch_is_told_to_a_webhook_signed_and_masked(world: World, told: Told) -> None:
    """From the line to a receiver outside: what it is told is what the hook's owner may see."""
    heard = "SELECT * FROM calls WHERE state = 'ended' AND caller_number IS NOT NULL"
    branchs = {row["id"]: row for row in branch(world, heard)}

    def letters() -> list[tuple[dict[str, str], bytes]]:
        return [one for one in told.receiver.came if json.loads(one[1])["data"]["id"] in branchs]

    wait_for(lambda: len(letters()) >= 2, timeout_s=20, what="two calls being told")
    for headers, body in letters():
        signed_s = int(headers[SIGNATURE].split(",")[0].removeprefix("t="))
        check_signature(told.secret, body, headers[SIGNATURE], signed_s)
        assert abs(signed_s - time.time()) < 300
        with pytest.raises(SignatureRefused):
            check_signature(told.secret, body + b" ", headers[SIGNATURE], signed_s)
        call = json.loads(body)["data"]
        row = branchs[call["id"]]
        assert call["caller_number"] == mask_number(row["caller_number"]) != row["caller_number"]
        assert row["caller_number"].encode() not in body and "王芳".encode() not in body
        assert (call["started_utc"], call["outcome"]) == (row["started_utc"], row["outcome"])


# -- kills


def test_kill_of_the_recorder_costs_at_most_the_last_second(world: World) -> None:
    call = in_mid_call(world)
    part = world.config.recordings_dir / call["file"]
    query = "SELECT * FROM recordings WHERE call_id = ? AND about = 'call'"
    (recording,) = branch(world, query, call["id"])
    world.kill("record")
    kept = np.concatenate(list(read_blocks(part)))
    with closing(Ring.open(world.ring)) as card:
        died = card.position()
    world.start("record")
    row = wait_for(
        lambda: branch(world, "SELECT * FROM recordings WHERE id = ? AND state = 'ready'", recording["id"]),
        what="the adopted recording",
    )[0]
    audio, _ = soundfile.read(world.config.recordings_dir / row["file"], dtype="int16")
    np.testing.assert_array_equal(audio, kept)
    started_s = (from_text(call["answered_utc"]) - from_text(recording["started_utc"])).total_seconds()
    assert len(audio) / 8000 > started_s, "reaches into the talking"
    (after,) = branch(world, "SELECT * FROM calls WHERE id = ?", call["id"])
    assert (after["state"], after["end_reason"]) == ("ended", "recorder_restarted")
    lost_s = wall_s_between(after["ended_utc"], died, world)
    assert -0.2 < lost_s <= 1.0, f"{lost_s:.2f} s lost"
    another_call_ends(world)
    all_at_head_office(world)


def wall_s_between(ended_utc: str, position: int, world: World) -> float:
    """Seconds from a row's time to the moment the card was at `position`."""
    with closing(Ring.open(world.ring)) as card:
        ago_s = (card.position() - position) / card.rate_hz
    died_utc = datetime.now(UTC) - timedelta(seconds=ago_s)
    return (died_utc - from_text(ended_utc)).total_seconds()


@pytest.mark.parametrize("program", ["sync", "ingest", "broker", "web", "hq-web"])
def test_kill_of_anything_else_loses_nothing(world: World, program: str) -> None:
    in_mid_call(world)
    world.kill(program)
    another_call_ends(world)
    world.start(program)
    all_at_head_office(world)


def test_no_call_is_there_twice(world: World) -> None:
    all_at_head_office(world)
    here = branch(world, "SELECT line, started_utc FROM calls WHERE state = 'ended'")
    assert len(here) == len({tuple(row) for row in here})
    counts = head_office(world, "SELECT count(*) n, count(DISTINCT id) d FROM calls")[0]
    assert counts["n"] == counts["d"]


# -- what is missing is a state


def test_without_head_office_the_box_works_and_says_what_waits(world: World) -> None:
    world.stop("broker")
    wait_for(lambda: open_trouble(world, "head_office"), timeout_s=30, what="trouble")
    another_call_ends(world)
    with closing(log_in(world.branch_page, world)) as client:
        english = client.get("/calls", headers={"Accept-Language": "en"}).text
        assert branch(world, "SELECT count(*) n FROM outbox WHERE state = 'new'")[0]["n"] >= 1
        assert 'class="strip' in english or "strip" in english
    world.start("broker")
    wait_for(lambda: not open_trouble(world, "head_office"), timeout_s=40, what="the end of trouble")
    all_at_head_office(world)


def test_pulled_card_is_a_state_and_calls_go_on_after_it(world: World) -> None:
    with closing(Ring.open(world.ring)) as card:
        card.set_gone(True)
        wait_for(lambda: open_trouble(world, "audio:hat0"), what="trouble")
        card.set_gone(False)
    wait_for(lambda: not open_trouble(world, "audio:hat0"), what="the end of trouble")
    another_call_ends(world)


def test_silent_hat_is_a_state(world: World) -> None:
    world.stop("hat")
    wait_for(lambda: open_trouble(world, "readings:hat0"), what="trouble")
    world.start("hat")
    wait_for(lambda: not open_trouble(world, "readings:hat0"), what="the end of trouble")
    wait_for(lambda: not open_trouble(world, "audio:hat0"), what="the end of trouble")
    another_call_ends(world)
    all_at_head_office(world)


def open_trouble(world: World, part: str) -> list[sqlite3.Row]:
    return branch(world, "SELECT * FROM health WHERE part = ? AND until_utc IS NULL", part)
