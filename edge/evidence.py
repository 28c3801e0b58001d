"""`edge evidence`: one call as a zip that proves itself: audio, record, chain, key, sheet and verifier.

It only reads, and checks what it made with the very verifier it packs before the file gets its name. What is
in a pack, and how it is checked, is drawn in `edge/evidence_verifier.py`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edge.config import Config
from edge.evidence_verifier import check_pack
from edge.seal import Link, read_object
from edge.store.erasures import erasure_of
from edge.store.seals import UNFINISHED, Head, head_of, links_from, links_of, read_key
from edge.verify.bench import open_to_read
from sync.envelope import canonical
from sync.keys import DeviceKey
from sync.moment import from_text, to_text

HERE = Path(__file__).parent
VERIFIER = HERE / "evidence_verifier.py"
SHEET = "evidence_sheet.html"
BLOCK_BYTES = 1 << 20

# What a column is called on the sheet; a column that is not here shows its own name.
COLUMNS = {
    "line": ("线路", "line"),
    "line_name": ("线路名称", "line name"),
    "direction": ("呼叫方向", "direction"),
    "outcome": ("结果", "outcome"),
    "started_utc": ("开始时间", "started"),
    "answered_utc": ("接听时间", "answered"),
    "ended_utc": ("结束时间", "ended"),
    "duration_ms": ("通话时长", "talking time"),
    "ring_count": ("振铃次数", "rings"),
    "caller_number": ("主叫号码", "caller's number"),
    "caller_name": ("主叫姓名", "caller's name"),
    "caller_presentation": ("主叫显示", "caller ID"),
    "dialled": ("拨出号码", "digits dialled"),
    "keys": ("通话中按键", "keys pressed"),
    "end_reason": ("结束原因", "why it ended"),
    "hook_known": ("线路电压可测", "line voltage seen"),
    "clock_quality": ("时钟状态", "clock"),
    "rate_hz": ("采样率 (Hz)", "samples per second"),
    "samples": ("采样数", "samples"),
    "size_bytes": ("文件大小 (字节)", "size in bytes"),
    "sha256": ("文件指纹", "SHA-256 of the file"),
    "file": ("文件", "file"),
    "codec": ("编码", "codec"),
    "state": ("状态", "state"),
    "id": ("编号", "id"),
    "call_id": ("通话编号", "call"),
}


WORDED = {"direction", "outcome", "caller_presentation", "end_reason", "state", "clock_quality"}
# What a value is called on the sheet, beside itself.
VALUES = {
    "in": "呼入",
    "out": "呼出",
    "answered": "已接",
    "missed": "未接",
    "voicemail": "留言",
    "busy": "忙",
    "no_answer": "无人接听",
    "unknown": "未知",
    "available": "有号码",
    "withheld": "对方隐藏号码",
    "unavailable": "无法提供号码",
    "failed": "未能解码",
    "hung_up": "挂机",
    "not_answered": "未接听",
    "line_lost": "线路中断",
    "recorder_restarted": "录音机重启",
    "ended": "已结束",
    "ready": "完好",
    "lost": "无录音",
    "deleted": "已删除",
    "ntp": "已同步",
    "rtc": "时钟芯片",
    "unsynced": "未同步",
    "stepped": "通话中被校准",
}


class EvidenceError(ValueError):
    """A call of which no pack can be made."""


@dataclass(slots=True)
class Case:
    """One call and what belongs to it, from one snapshot of the database."""

    call: dict[str, Any]
    recordings: list[dict[str, Any]]
    parts: dict[str, Any]  # id -> the rows beside its row, as sealed
    links: list[Link]  # of the call and its recordings, in chain order
    head: Head


@dataclass(slots=True)
class Pack:
    """The zip being written; every file's hash is kept for the manifest."""

    zip: zipfile.ZipFile
    made: datetime
    files: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, blocks: Iterator[bytes], stored: bool = False) -> None:
        """One file, written block by block."""
        entry = zipfile.ZipInfo(name, self.made.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        digest = hashlib.sha256()
        with self.zip.open(entry, "w", force_zip64=True) as file:
            for block in blocks:
                digest.update(block)
                file.write(block)
        self.files[name] = digest.hexdigest()

    def add_bytes(self, name: str, raw: bytes) -> None:
        """One small file."""
        self.add(name, iter((raw,)))


def make_pack(config: Config, call_id: str, out: Path, made: datetime) -> Head:
    """Write the pack of one call to `out` and return the chain head it ends at.

    EvidenceError if the call is unknown, not finished, or no longer what was sealed; `out` must not exist.
    """
    if out.exists():
        raise EvidenceError(f"{out} exists already")
    draft = out.with_name(out.name + ".part")
    with closing(open_to_read(config.database)) as db:
        db.execute("BEGIN")
        key = read_key(db)
        if key is None:
            raise EvidenceError("the box's key cannot be read, so nothing can be signed")
        case = read_case(db, call_id)
        try:
            with draft.open("xb") as file, zipfile.ZipFile(file, "w") as archive:
                _fill(Pack(archive, made), db, config, case, key)
            faults = list(check_pack(draft, key.public))
            if faults:
                raise EvidenceError(f"call {call_id} is not what was sealed: {'; '.join(faults)}")
            draft.rename(out)
        finally:
            draft.unlink(missing_ok=True)
    return case.head


def read_case(db: sqlite3.Connection, call_id: str) -> Case:
    """The call with its recordings and links; EvidenceError if there is nothing sealed to show."""
    call = db.execute("SELECT * FROM calls WHERE id = ?", (call_id,)).fetchone()
    if call is None:
        raise EvidenceError(f"there is no call {call_id!r}")
    rows = db.execute("SELECT * FROM recordings WHERE call_id = ? ORDER BY id", (call_id,)).fetchall()
    recordings = [dict(row) for row in rows]
    if erasure := erasure_of(db, call_id):
        raise EvidenceError(f"call {call_id} was deleted on {erasure.at_utc} by {erasure.user_name}")
    if call["state"] in UNFINISHED["calls"]:
        raise EvidenceError(f"call {call_id} is still going on")
    if any(row["state"] in UNFINISHED["recordings"] for row in recordings):
        raise EvidenceError(f"a recording of call {call_id} is still being written; try again in a minute")
    subjects = [call_id, *(row["id"] for row in rows)]
    links = sorted((link for one in subjects for link in links_of(db, one)), key=lambda link: link.seq)
    parts = {link.subject: (read_object(link.data) or {}).get("parts") for link in links}
    if not links:
        raise EvidenceError(f"call {call_id} was never sealed")
    return Case(dict(call), recordings, parts, links, head_of(db))


def _fill(pack: Pack, db: sqlite3.Connection, config: Config, case: Case, key: DeviceKey) -> None:
    folder = config.recordings_dir
    for row in case.recordings:
        if row["state"] == "ready":
            pack.add(f"audio/{row['file']}", _blocks(folder / row["file"]), stored=True)
    record = {"call": case.call, "recordings": case.recordings, "parts": case.parts}
    pack.add_bytes("record.json", json.dumps(record, ensure_ascii=False, indent=2).encode())
    pack.add("proof.jsonl", _proof(db, case))
    pack.add_bytes("key.pem", key.public_pem)
    pack.add_bytes("verify.py", VERIFIER.read_bytes())
    pack.add_bytes("sheet.html", render_sheet(config, case, key.public, pack.made).encode())
    manifest = canonical(
        {
            "v": 1,
            "box": config.box.id,
            "call_id": case.call["id"],
            "files": pack.files,
            "head": {"seq": case.head.seq, "h": case.head.h},
            "key": key.public,
            "made_utc": to_text(pack.made),
        }
    )
    pack.add_bytes("manifest.json", manifest)
    pack.add_bytes("manifest.sig", key.sign(manifest))


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            yield block


def _proof(db: sqlite3.Connection, case: Case) -> Iterator[bytes]:
    """The chain from the call's first link to the head; of others only headers, which name nobody."""
    own = {link.seq for link in case.links}
    for link in links_from(db, min(own)):
        shown = {"header": _text(link.header)}
        if link.seq in own:
            shown["data"] = _text(link.data)
        if link.sig and (link.seq in own or link.seq == case.head.seq):
            shown["sig"] = link.sig.hex()
        yield canonical(shown) + b"\n"


def _text(raw: object) -> str:
    """As sealed; damaged bytes become another text, which the verifier then finds."""
    return raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else str(raw)


def render_sheet(config: Config, case: Case, public: str, made: datetime) -> str:
    """The page for people, Chinese and English, with nothing to load from elsewhere."""
    zone = ZoneInfo(config.box.time_zone)
    pages = Environment(autoescape=True, loader=FileSystemLoader(HERE), undefined=StrictUndefined)
    pages.filters["facts"] = lambda row: _facts(row, zone)
    tombstones = [read_object(link.data) or {} for link in case.links]
    return pages.get_template(SHEET).render(
        box=config.box.name or config.box.id,
        made=_local(to_text(made), zone),
        call=case.call,
        recordings=case.recordings,
        gaps={one: (parts or {}).get("gaps", []) for one, parts in case.parts.items()},
        deleted={one["subject"]: one for one in tombstones if one.get("how") == "deleted"},
        links=[(link.seq, (read_object(link.header) or {}), link.h) for link in case.links],
        found=any((read_object(link.data) or {}).get("how") == "found" for link in case.links),
        head=case.head,
        key=public,
    )


def _facts(row: dict[str, Any], zone: ZoneInfo) -> list[tuple[str, str, str]]:
    """(Chinese, English, value) of every column that says something."""
    facts = []
    for column, value in row.items():
        if value in (None, ""):
            continue
        chinese, english = COLUMNS.get(column, ("", column))
        shown = str(value)
        if column.endswith("_utc"):
            shown = _local(shown, zone)
        elif column == "duration_ms":
            shown = f"{value / 1000:.1f} s"
        elif column in WORDED:
            shown = f"{VALUES[shown]} {shown}" if shown in VALUES else shown
        facts.append((chinese, english, shown))
    return facts


def _local(text_utc: str, zone: ZoneInfo) -> str:
    local = from_text(text_utc).astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {zone.key} ({text_utc})"


def run_evidence(config: Config, call_id: str, out: Path) -> str:
    """Make the pack and say what was made."""
    head = make_pack(config, call_id, out, datetime.now(UTC))
    return f"{out}: call {call_id}, chain head {head.seq}:{head.h}"
