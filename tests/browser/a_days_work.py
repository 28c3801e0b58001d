"""A branch in the middle of a day's work, for pictures and for looking at every state a page can be in."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import soundfile

from edge.store.communications import Told, add_communication
from edge.store.customers import add_customer
from edge.store.line_settings import LineSettings, change, note_file
from edge.store.operations import Operation
from edge.store.popup_settings import number_rules
from edge.store.rights import RIGHTS
from edge.store.scope import Author
from edge.store.seals import seal_recording
from sync.db import write
from sync.moment import to_text
from sync.particulars import Contact, Particulars
from tests.edge.web.conftest import Branch

RATE_HZ, SECONDS = 8000, 6
LONG_NAME = "昆明市官渡区东风东路云岭通信设备销售服务有限责任公司第三营业部"
LINES = {1: "前台", 2: "客服一", 3: LONG_NAME[:24], 4: "传真"}
# Where it is two in the afternoon now: what happened in the last hours happened today.
AFTERNOON = f"Etc/GMT{datetime.now(UTC).hour - 14:+d}"
BY = Operation("test", "done", "192.0.2.1", "root")


def ago(**time: float) -> str:
    return to_text(datetime.now(UTC) - timedelta(**time))


def staff(branch: Branch) -> None:
    """One of each level in a group; root may everything, and new has a password for one log-in."""
    branch.insert("groups", id="g1", name="前台")
    branch.insert("groups", id="g2", name="售后服务与客户关怀")
    branch.user("root", "super", rights=frozenset(RIGHTS), employee_number="001")
    branch.user("王丽", "leader", group_id="g1", employee_number="017")
    branch.user("zhao", "ordinary", group_id="g1", lines=frozenset({1, 2}))
    branch.db.execute("UPDATE users SET must_change_password = 1 WHERE name = 'zhao'")
    branch.user("former", "ordinary")
    branch.db.execute("UPDATE users SET disabled = 1 WHERE name = 'former'")


def speech() -> np.ndarray:
    """Something with the shape of talking: bursts of tone between pauses."""
    at_s = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    loudness = np.abs(np.sin(at_s * 2.3)) * np.abs(np.sin(at_s * 9.7)) * (np.sin(at_s * 1.1) > -0.4)
    sound: np.ndarray = 0.5 * loudness * np.sin(2 * math.pi * 330 * at_s)
    return sound


def recorded(branch: Branch, recording_id: str, call_id: str) -> None:
    """A finished recording of that call, sealed, with one gap."""
    file = branch.recordings / f"{recording_id}.flac"
    soundfile.write(file, speech(), RATE_HZ, format="FLAC")
    with write(branch.db):
        branch.recording(recording_id, call_id, file.read_bytes(), samples=SECONDS * RATE_HZ)
        (started,) = branch.db.execute("SELECT started_utc FROM calls WHERE id = ?", (call_id,)).fetchone()
        branch.db.execute("UPDATE recordings SET started_utc = ?, sha256 = ?", (started, "5e0d" * 16))
        branch.insert(
            "gaps", recording_id=recording_id, start_sample=30_000, length_samples=1600, reason="overrun"
        )
        seal_recording(branch.db, recording_id, ago(minutes=1))


def marked(branch: Branch, call_id: str) -> None:
    """Keys, a second caller and a fax tone in the call."""
    marks = [
        (400, "key", "1"), (600, "key", "0"), (800, "key", "2"), (1600, "waiting", "alert"),
        (2500, "waiting", "01062345678"), (3900, "flash", ""), (4800, "fax", "cng"), (5600, "tone", "busy"),
    ]  # fmt: skip
    for at_ms, kind, detail in marks:
        branch.insert("call_marks", call_id=call_id, at_ms=at_ms, kind=kind, detail=detail)
    branch.db.execute(
        "UPDATE calls SET is_fax = 1, second_number = '01062345678', second_name = '李强',"
        " second_presentation = 'available' WHERE id = ?",
        (call_id,),
    )


def calls(branch: Branch) -> None:
    """A morning of calls, two that go on, and all that people added to one of them."""
    begun = ago(minutes=30)
    ended = to_text(datetime.fromisoformat(begun) + timedelta(seconds=SECONDS))
    branch.call("call-1", started_utc=begun, ended_utc=ended, line_name=LINES[1], caller_name="王小明",
                duration_ms=SECONDS * 1000)  # fmt: skip
    recorded(branch, "rec-1", "call-1")
    marked(branch, "call-1")
    several = [
        ("missed", "01062345678", ""), ("answered", "13912345678", LONG_NAME), ("voicemail", "4008001", ""),
        ("busy", "", "李强"), ("no_answer", "87165123456", ""), ("missed", "13700137000", "陈静"),
    ]  # fmt: skip
    for at, (outcome, number, name) in enumerate(several):
        out = outcome in ("busy", "no_answer")
        branch.call(
            f"call-1{at}", started_utc=ago(minutes=40 + 47 * at), line=1 + at % 3,
            line_name=LINES[1 + at % 3], direction="out" if out else "in", outcome=outcome,
            caller_number=number or None, caller_name=name, dialled="95588" if out else None,
            duration_ms=0 if outcome in ("missed", "busy") else 61_000 * at,
            caller_presentation="available" if number else "withheld",
        )  # fmt: skip
    branch.call("call-2", state="open", outcome="open", started_utc=ago(seconds=75), line=2,
                line_name=LINES[2], caller_name="赵敏", caller_number="13888888888")  # fmt: skip
    branch.recording("rec-2", "call-2", state="recording")
    branch.call("call-3", state="open", outcome="open", started_utc=ago(seconds=4), line=3,
                line_name=LINES[3], caller_number=None, caller_presentation="withheld")  # fmt: skip
    for call_id, text in (("call-1", "客户询问宽带提速，\n下午三点前回电。"), ("call-2", "要换套餐")):
        branch.insert("call_notes", id=f"n-{call_id}", call_id=call_id, user_id="x", user_name="王丽",
                      at_utc=ago(minutes=1), text=text)  # fmt: skip
    branch.insert("call_tags", tag="投诉", call_id="call-1")
    branch.insert("call_tags", tag="回电", call_id="call-1")
    branch.insert("call_stars", call_id="call-1")


def people(branch: Branch) -> list[str]:
    """Customers, one of them with much to say; their ids."""
    now, author = datetime.now(UTC), Author("root", "001", "g1")
    contacts = (Contact("刘洋", "采购经理", ("13800138000",)), Contact("周敏", "财务", ()))
    given = [
        Particulars("王小明", numbers=("13800138000",), address="盘龙区北京路 1 号", tags=("VIP", "宽带")),
        Particulars(LONG_NAME, "enterprise", ("0871-65123456", "4008001234", "13912345678"), contacts,
                    LONG_NAME, "通信", ("大客户",), "每月十五日对账，节假日不要打电话。"),
        Particulars("陈静", numbers=("13700137000",)),
    ]  # fmt: skip
    ids = [add_customer(branch.db, one, author, number_rules(branch.db), BY, now).id for one in given]
    said = Told("call", to_text(now), "要装宽带，约周六上门", customer_id=ids[0], customer_name="王小明",
                number="13800138000", call_id="call-1", from_popup=True, feedback="已派单")  # fmt: skip
    for one in (
        said,
        replace(said, call_id=None, from_popup=False, kind="visit", subject="回访", content="满意"),
    ):
        add_communication(branch.db, one, author, BY, now)
    return ids


def fill(branch: Branch) -> list[str]:
    """All of it; the ids of the customers."""
    staff(branch)
    calls(branch)
    for line, name in LINES.items():
        branch.line(line, name=name, since_utc=ago(seconds=75))
    for line, state in ((2, "talking"), (3, "dialling")):
        branch.db.execute(
            "UPDATE lines SET state = ?, call_id = ? WHERE line = ?", (state, f"call-{line}", line)
        )
    branch.db.execute("UPDATE lines SET state = 'line_lost' WHERE line = 4")
    with write(branch.db):
        note_file(branch.db, [LineSettings(line=line, name=name) for line, name in LINES.items()], 60.0)
        change(branch.db, 1, {"hold_s": 7, "never_record": "95555 银行"}, "root", ago(minutes=1))
    branch.insert("health", part="readings:hat1", state="lost", since_utc=ago(minutes=9), detail="")
    branch.insert("health", part="head_office", state="lost", since_utc=ago(minutes=3), detail="")
    return people(branch)


def ring(branch: Branch, call_id: str, number: str, line: int = 1) -> None:
    """That line rings now."""
    with write(branch.db):
        branch.call(call_id, started_utc=ago(seconds=3), state="open", outcome="open", caller_number=number,
                    caller_name="", line=line, line_name=LINES[line], duration_ms=0)  # fmt: skip
        branch.db.execute("UPDATE lines SET state = 'ringing', call_id = ? WHERE line = ?", (call_id, line))
