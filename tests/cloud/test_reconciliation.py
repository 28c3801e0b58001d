"""The pages and commands about completeness and quarantine."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from cloud import quarantine
from cloud.__main__ import main
from cloud.access.log import Actor
from cloud.apply import APPLY
from cloud.quarantine import QuarantineError, Who
from cloud.store import completeness, people, troubles
from cloud.store.completeness import Branch
from cloud.store.database import read, write
from cloud.store.schema import inbox_tables, manifests, presence, users
from sync.arriving import Origin
from sync.envelope import canonical, chained, entry_bytes, genesis, pack_batch, unpack_batch
from sync.ids import new_id
from sync.inbox import Inbox
from sync.manifest import GENESIS, Chain, Files, Part, Statement, digest, entry_leaf, root_of
from sync.moment import to_text
from tests.cloud.house import NOON, House
from tests.cloud.test_trail import rows as trail_rows
from tests.sync.station import AT, call_ended

NOON_UTC = to_text(NOON)  # 2026-03-02T04:00, noon in Shanghai
WHO = Who(Actor(name="wang"), NOON_UTC)


def add_manifest(house: House, n: int, span: str, state: str, items: int = 0, box: str = "box-01") -> None:
    row = {"box_id": box, "epoch": "e", "n": n, "span": span, "h": "", "body": b"", "sig": "", "state": state}
    with write(house.parts.engine) as db:
        db.execute(manifests.insert().values(row | {"items": items, "received_utc": NOON_UTC}))


def add_stream(house: House, upto: int, ranges: str, box: str = "box-01") -> None:
    row = {"box_id": box, "epoch": "e", "stream": "evt", "upto": upto, "head": "", "ranges": ranges}
    with write(house.parts.engine) as db:
        db.execute(inbox_tables.streams.insert().values(row | {"updated_utc": NOON_UTC}))


def add_birth(house: House, head: int, online: bool = True, box: str = "box-01") -> None:
    born = json.dumps({"epoch": "e", "heads": {"evt": head}})
    row = {
        "box_id": box,
        "online": online,
        "since_utc": NOON_UTC,
        "nonce": "",
        "boot": "",
        "boots_before": "{}",
    }
    with write(house.parts.engine) as db:
        db.execute(presence.insert().values(row | {"born": born}))


def branch(house: House) -> Branch:
    with read(house.parts.engine) as db:
        (found,) = completeness.branches(db, "2026-03-01T00")
    return found


@pytest.fixture
def dali(house: House) -> House:
    house.add_box("box-01", "大理店")
    return house


def test_a_branch_that_agrees_has_the_number_0(dali: House) -> None:
    add_stream(dali, 9, "[]")
    add_birth(dali, 9)
    add_manifest(dali, 1, "2026-03-02T03", "closed")
    found = branch(dali)
    assert (found.unreconciled, found.last_closed, found.online) == (0, "2026-03-02T03", True)


def test_the_number_counts_what_is_behind_missing_between_and_without_audio(dali: House) -> None:
    add_stream(dali, 9, "[[12, 13], [20, 20]]")
    add_birth(dali, 25)
    add_manifest(dali, 1, "2026-03-02T03", "open", items=7)
    add_manifest(dali, 2, "2026-03-02T03", "waiting")
    dali.add_recording(dali.add_call())
    dali.set_aside()
    found = branch(dali)
    assert (found.behind, found.missing, found.holes, found.audio) == (5, 7, 8, 1)
    assert (found.unreconciled, found.set_aside) == (21, 1)


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (("closed", "closed"), "closed"),
        (("closed", "waiting"), "waiting"),
        (("open", "closed"), "open"),
        (("waiting", "open"), "open"),
    ],
)
def test_an_hour_is_as_its_worst_manifest(dali: House, states: tuple[str, ...], shown: str) -> None:
    for n, state in enumerate(states, start=1):
        add_manifest(dali, n, "2026-03-02T03", state)
    assert branch(dali).hours == {"2026-03-02T03": shown}


@pytest.mark.parametrize(("language", "said"), [("zh", "项尚未对账"), ("en", "items not yet reconciled")])
def test_the_page_shows_each_branch_and_its_hours(dali: House, language: str, said: str) -> None:
    add_manifest(dali, 1, "2026-03-02T03", "open", items=2)
    add_birth(dali, 0)
    with write(dali.parts.engine) as db:
        troubles.begin(db, "box-01", "two_boxes", "<b>x</b>", NOON_UTC)
    client = dali.visitor("manager")
    client.cookies.set("language", language)
    text = client.get("/completeness").text
    assert "<strong>2</strong>" in text and said in text
    assert '<li class="open"' in text and '<li class="quiet"' in text
    assert "&lt;b&gt;x" in text and "<b>x" not in text


def test_what_is_set_aside_is_listed_and_its_bytes_are_not(dali: House) -> None:
    dali.set_aside(detail="<script>alert(1)</script>", body=b"secret number 13800138000")
    text = dali.visitor("manager").get("/quarantine").text
    assert "&lt;script&gt;" in text and "<script>alert" not in text and "13800138000" not in text
    assert "/retry" not in text, "a manager may look"
    assert "/retry" in dali.visitor("maintainer").get("/quarantine").text


def settle(house: House, role: str, path: str, **form: str) -> int:
    client = house.visitor(role)
    return client.post(path, data=form | {"csrf_token": house.csrf_token(client)}).status_code


def state_of(house: House, item_id: str) -> tuple[str, str | None, str | None]:
    with read(house.parts.engine) as db:
        (row,) = [row for row in quarantine.items(db, all_states=True) if row["id"] == item_id]
    return row["state"], row["settled_by"], row["reason"]


def test_dismissing_takes_a_reason_and_is_logged(dali: House) -> None:
    item = dali.set_aside()
    assert settle(dali, "maintainer", f"/quarantine/{item}/dismiss", reason=" ") == 422
    assert state_of(dali, item)[0] == "waiting"
    assert settle(dali, "maintainer", f"/quarantine/{item}/dismiss", reason="a test box") == 303
    state, by, reason = state_of(dali, item)
    assert (state, reason) == ("dismissed", "a test box")
    assert by is not None and by.startswith("maintainer")
    with read(dali.parts.engine) as db:
        actions = [row[0] for row in db.exec_driver_sql("SELECT action FROM access_log")]
    assert sorted(actions) == ["quarantine_dismiss", "view"]  # without a reason the list came again
    assert settle(dali, "maintainer", f"/quarantine/{item}/dismiss", reason="again") == 404


def test_what_still_cannot_be_used_goes_on_waiting(dali: House) -> None:
    item = dali.set_aside()
    assert settle(dali, "admin", f"/quarantine/{item}/retry") == 409
    assert state_of(dali, item)[0] == "waiting"


def test_what_a_later_version_understands_is_applied_when_tried_again(dali: House) -> None:
    event, epoch = call_ended(), "0123456789abcdef"
    body = entry_bytes(event, new_id(), AT, 1)
    prev = genesis(epoch, "evt")
    batch = unpack_batch(pack_batch("box-01", epoch, "evt", 1, prev, chained(prev, body), [body]))
    engine = dali.parts.engine
    with write(engine) as db:
        accepted = Inbox(inbox_tables, {}).accept(db, Origin("box-01", NOON_UTC), batch)
        assert accepted.nacks == ((1, "unknown_kind"),)
        (item,) = [row["id"] for row in quarantine.items(db)]
        assert quarantine.retry(db, Inbox(inbox_tables, APPLY), item, WHO) is None
        again = Inbox(inbox_tables, APPLY).accept(db, Origin("box-01", NOON_UTC), batch)
        assert (again.nacks, again.fresh) == ((), 0)
        assert db.exec_driver_sql("SELECT id FROM calls").scalars().all() == [event.call_id]
    assert state_of(dali, item) == ("released", "wang", None)


def test_only_an_entry_can_be_tried_again(dali: House) -> None:
    item = dali.set_aside(topic="e")
    with write(dali.parts.engine) as db, pytest.raises(QuarantineError, match="only an entry"):
        quarantine.retry(db, Inbox(inbox_tables, {}), item, WHO)


# -- commands


@pytest.fixture
def config(dali: House, tmp_path: Path) -> list[str]:
    file, pki = tmp_path / "ho.toml", tmp_path / "pki"
    file.write_text(
        f'data = "{dali.parts.settings.data}"\ndatabase_url = "{dali.parts.settings.database_url}"\n'
        f'[broker]\nca = "{pki}/ca.pem"\ncert = "{pki}/h.pem"\nkey = "{pki}/k.pem"\n[web]\n'
    )
    return ["--config", str(file), "admin"]


def test_the_commands(dali: House, config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    item, other = dali.set_aside(), dali.set_aside(kind="x")

    def said(*words: str, code: int = 0) -> str:
        assert main([*config, *words]) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    assert f"{item}  {NOON_UTC}  box-01  later_kind" in said("quarantine", "list")
    assert "still waits" in said("quarantine", "retry", item)
    assert "0 applied now, 2 still wait" in said("quarantine", "retry", "all")
    assert "dismissed" in said("quarantine", "dismiss", item, "--reason", "old")
    assert "nothing waits under" in said("quarantine", "dismiss", item, "--reason", "old", code=2)
    assert said("quarantine", "list").splitlines()[-1] == "1 items"
    assert "dismissed by" in said("quarantine", "list", "--all")
    assert other in said("quarantine", "list", "--box", "box-01")
    assert "     0  大理店 (box-01): nothing closed yet, 1 set aside" in said("completeness")
    assert "no quota was set" in said("quota")
    assert "*: 5000 bytes" in said("quota", "--bytes-a-day", "5000")
    assert "box-01: 5000 bytes and 7 entries" in said("quota", "--box", "box-01", "--entries-a-day", "7")
    assert "0 or more" in said("quota", "--entries-a-day", "-1", code=2)
    assert "not held back" in said("box", "release", "box-01", code=2)


def test_the_grid_ends_with_the_hour_that_runs(dali: House) -> None:
    dali.clock.set_utc(NOON + timedelta(minutes=20))
    client = dali.visitor("manager")
    text = client.get("/completeness/box-01").text
    assert text.count('<li class="unknown"') == 13 * 24 + 12, "never heard of"
    assert (text.count('<li class="running"'), text.count('<li class="later"')) == (1, 11)
    add_birth(dali, 0)
    add_manifest(dali, 1, "2026-03-02T03", "open", items=2)
    text = client.get("/completeness/box-01").text
    assert text.count('<li class="quiet"') == 13 * 24 + 11 and text.count('<li class="open"') == 1
    assert '<span aria-hidden="true">≠</span>' in text and "03-02 11:00 有缺漏" in text
    before = client.get("/completeness/box-01?until=2026-03-01").text
    assert before.count('<li class="quiet"') == 14 * 24 and 'class="open"' not in before.split("key")[0]
    assert "until=2026-02-15" in before and "until=2026-03-02" in before


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/completeness?show=most", 422),
        ("/completeness/box-01?until=yesterday", 422),
        ("/completeness/box-01?until=0001-01-01", 422),
        ("/completeness/box-99", 404),
        ("/completeness/box-99/hours/2026-03-02T03", 404),
        ("/completeness/box-01/hours/2026-03-02", 404),
        ("/completeness/box-01/hours/2026-02-30T03", 404),
        ("/completeness/box-01/hours/2026-03-02T03", 200),
    ],
)
def test_what_there_is_no_grid_or_hour_of(dali: House, path: str, status: int) -> None:
    assert dali.visitor("manager").get(path).status_code == status


def test_the_overview_can_be_narrowed(dali: House) -> None:
    dali.add_box("box-02", "昆明店")
    add_birth(dali, 0)
    add_manifest(dali, 1, "2026-03-02T03", "open", items=2)
    client = dali.visitor("manager")
    for show, names in (("all", {"大理店", "昆明店"}), ("late", {"大理店"}), ("silent", {"昆明店"})):
        text = client.get(f"/completeness?show={show}").text
        assert {name for name in ("大理店", "昆明店") if f">{name}</a>" in text} == names, show


def add_entry(house: House, seq: int, received_utc: str = NOON_UTC, stream: str = "evt") -> bytes:
    """An entry kept as it came, that of `meta` damaged since; its leaf, as the box has it."""
    body = b"as it came %d" % seq
    row = {"eid": f"h{seq}", "box_id": "box-01", "epoch": "e", "stream": stream, "seq": seq, "kind": "k",
           "at_utc": NOON_UTC, "received_utc": received_utc, "h": f"h{seq}" if stream == "evt" else "other",
           "code": "poison", "body": body}  # fmt: skip
    with write(house.parts.engine) as db:
        db.execute(inbox_tables.inbox.insert().values(row))
    return entry_leaf(seq, digest(body))


def test_an_hour_tells_what_differs_and_what_was_mended(dali: House) -> None:
    later = to_text(NOON + timedelta(minutes=5))
    leaves = [add_entry(dali, 1), add_entry(dali, 2, later), add_entry(dali, 5, stream="meta")]
    files = Files(0, 0, root_of([]))
    said = Statement(box="box-01", epoch="0123456789abcdef", n=1, prev=GENESIS, span="2026-03-02T03",
                     made=NOON_UTC, parts=(Part("evt", 1, 2, 9, root_of(leaves[:2])),
                                           Part("meta", 3, 5, 9, root_of(leaves))),
                     files=files, chain=Chain(1, GENESIS), key=GENESIS)  # fmt: skip
    body = canonical(msgspec.to_builtins(said))
    row = {"box_id": "box-01", "epoch": "e", "n": 1, "span": said.span, "h": "", "body": body, "sig": ""}
    with write(dali.parts.engine) as db:
        db.execute(manifests.insert().values(**row, state="open", items=3, received_utc=NOON_UTC))
    dali.set_aside(received_utc="2026-03-02T03:30:00.000Z", detail="13800138000")
    client = dali.visitor("maintainer")
    text = client.get("/completeness/box-01/hours/2026-03-02T03", headers={"HX-Request": "true"}).text
    assert "<html" not in text and "大理店" in text and "2026-03-02 11:00:00 – 11:59:59" in text
    assert "2 条，编号 1 至 2" in text and ">一致<" in text and "曾缺少 1 条，已补发" in text
    assert "缺少 3 条：" in text and "3–5" in text and "总部有 1 条损坏" in text
    assert "该小时隔离 1 条" in text and "13800138000" not in text
    row = trail_rows(dali.parts.engine)[-1]
    assert (row["kind"], row["object_id"], row["query"]) == ("branches", "box-01", '{"hour":"2026-03-02T03"}')


def test_another_branchs_hours_are_refused(dali: House) -> None:
    client = dali.visitor("manager")
    with write(dali.parts.engine) as db:
        found = people.find_session(db, client.cookies["session"])
        assert found is not None
        db.execute(users.update().where(users.c.id == found["user_id"]).values(unit_id="nowhere"))
    for path in ("/completeness/box-01", "/completeness/box-01/hours/2026-03-02T03"):
        assert client.get(path).status_code == 403
    assert "大理店" not in client.get("/completeness").text
