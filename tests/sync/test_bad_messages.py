"""Every field of every message, each way, replaced by every kind of nonsense: nothing stops, much is refused.

What a box says meets head office's real desks; what head office says meets the box's real ends, which must
go on all the same, believe no untrue word about their entries, and ask again when their patience ends.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.entries import EntriesDesk
from cloud.objects import FolderObjects
from cloud.reconcile import Reconciler
from edge.syncer import SyncSettings
from edge.syncer.allowance import Allowance
from edge.syncer.files import FilesEnd
from sync import db as sqlite_db
from sync import manifest, messages, outbox, presence
from sync.budget import Month, Share
from sync.chunks import Chunk, pack_chunk, unpack_chunk
from sync.envelope import canonical
from sync.ids import new_id
from sync.keys import DeviceKey
from sync.manifest import BOX_KEY, GENESIS, WITNESS, Chain, Files, Part, Statement, digest, root_of, sign
from sync.messages import At, Declined, Open, Refused, Stored, pack
from sync.topics import Topic
from sync.transport import Arrived
from tests.sync.station import AT, BOX, call_ended
from tests.sync.test_bad_input import ACCEPTABLE, EPOCH, NONSENSE, Desk, as_json, bombs, desk
from tests.sync.weather import WITNESS_KEY, MadeUpLink, World

__all__ = ["desk"]  # the fixture
ALL_CODES = ACCEPTABLE | {"not_a_manifest", "not_presence"}
KEY = DeviceKey.new()
LONG = [["0" * 16, 1]] * 2000
AT_ONCE = 10  # messages in a transaction, as they come when many boxes talk
RID, SHA = new_id(), hashlib.sha256(b"abc").hexdigest()


def statement(**changes: Any) -> bytes:
    """A manifest of a box, rightly signed whatever it says."""
    parts = (Part("evt", 1, 1, 10, root_of([])),)
    good = Statement(box=BOX, epoch=EPOCH, n=1, prev=GENESIS, span="2026-11-22T04", made=AT, parts=parts,
                     files=Files(0, 0, root_of([])), chain=Chain(0, GENESIS), key=KEY.public)  # fmt: skip
    body = as_json(json.loads(canonical(good)) | changes)
    return b'{"body":' + body + b',"sig":"' + sign(KEY, BOX_KEY, digest(body)).encode() + b'","t":"manifest"}'


BIRTH = presence.Birth(nonce="0" * 16, boot="1-2", epoch=EPOCH, at=AT, heads={})
HASHES = manifest.Hashes(epoch=EPOCH, n=1, stream="evt", hashes=((1, 1, GENESIS),))
FROM_BOX: dict[str, tuple[str, bytes, bool]] = {  # channel, as JSON, deflated
    "hello": ("p", pack(messages.Hello(nonce="0" * 16, epoch=EPOCH, heads={"evt": 1})), False),
    "birth": ("b", presence.pack(BIRTH), False),
    "death": ("b", presence.pack(presence.Death(nonce="0" * 16)), False),
    "standing": ("m", canonical(manifest.Standing(epoch=EPOCH, top=1)), True),
    "manifest": ("m", statement(), True),
    "hashes": ("m", canonical(HASHES), True),
    "want": ("m", canonical(manifest.Want(epoch=EPOCH, stream="evt", seqs=(1,))), True),
}  # fmt: skip
BULK_FROM_BOX = {
    "open": pack(Open(rid=RID, size=3, sha256=SHA)),
    "grow": pack(messages.Grow(rid=RID)),
    "fin": pack(messages.Fin(rid=RID)),
    "sums": pack(messages.Sums(rid=RID, start=0, end=3, step=3, sums=(SHA,))),
}


@pytest.fixture
def judge(desk: Desk, tmp_path: Path) -> Desk:
    """Head office's desks, manifests included."""
    inbox = desk.entries.inbox
    reconciler = Reconciler(inbox, FolderObjects(tmp_path / "objects"))
    desk.entries = EntriesDesk(desk.engine, inbox, reconciler)
    return desk


def altered(good: bytes) -> Iterator[bytes]:
    """Each field of a message replaced, left out, or one more of its name."""
    fields = json.loads(good)
    for name in fields:
        for value in [*NONSENSE, LONG, [[1, 2**53], [-1, 0]], [["a", "b", "c"]]]:
            yield as_json(fields | {name: value})
        yield as_json({one: value for one, value in fields.items() if one != name})
    yield as_json(fields | {"later": "field"})
    yield good[:-1] + b',"t":"welcome"}'
    yield b"[" * 10_000
    yield good + b" " * 400_000


def takes_all(judge: Desk, channel: str, payloads: Iterator[bytes], deflated: bool) -> None:
    topic = Topic(BOX, False, "up", channel)
    said = [(topic, zlib.compress(payload, 1) if deflated else payload) for payload in payloads]
    for at in range(0, len(said), AT_ONCE):
        for _, answer in judge.entries.handle(said[at : at + AT_ONCE], AT):
            refused = answer if answer[:1] == b"{" else zlib.decompress(answer)
            fields = json.loads(refused)
            if fields["t"] == "refused":
                assert fields["code"] in ALL_CODES, fields
    judge.goes_on()
    assert judge.codes() <= ALL_CODES


@pytest.mark.parametrize("name", FROM_BOX)
def test_every_field_of_what_a_box_says(judge: Desk, name: str) -> None:
    channel, good, deflated = FROM_BOX[name]
    takes_all(judge, channel, altered(good), deflated)


def test_every_field_of_a_statement_that_is_rightly_signed(judge: Desk) -> None:
    fields = json.loads(json.dumps(json.loads(statement())["body"]))
    takes_all(judge, "m", (statement(**{name: value}) for name in fields for value in NONSENSE), True)


@pytest.mark.parametrize("field", ["stream", "first", "last", "bytes", "root"])
def test_every_field_of_a_part_that_is_rightly_signed(judge: Desk, field: str) -> None:
    good = {"stream": "evt", "first": 1, "last": 2, "bytes": 10, "root": GENESIS}
    takes_all(judge, "m", (statement(parts=[good | {field: value}]) for value in NONSENSE), True)


@pytest.mark.parametrize("bomb", ["50 MB of zeros", "brackets", "many entries", "in a bomb"])
def test_a_bomb_among_manifests(judge: Desk, bomb: str) -> None:
    takes_all(judge, "m", iter([bombs()[bomb]]), False)


@pytest.mark.parametrize("name", BULK_FROM_BOX)
def test_every_field_of_what_a_box_says_of_a_recording(judge: Desk, name: str) -> None:
    """The desk answers or not, and takes a good recording after all of it."""
    for before in (b"", BULK_FROM_BOX["grow"], BULK_FROM_BOX["open"]):
        if before:
            judge.file("f", before)
        for payload in altered(BULK_FROM_BOX[name]):
            judge.file("f", payload)
    takes_a_recording(judge)


def test_every_part_of_a_chunk(judge: Desk) -> None:
    good = pack_chunk(Chunk(RID, 0, b"abc"))
    judge.file("f", BULK_FROM_BOX["open"])
    for at in range(len(good)):
        for byte in (0, 0x7F, 0xFF):
            judge.file("c", good[:at] + bytes([byte]) + good[at + 1 :])
        judge.file("c", good[:at])
    judge.file("c", good + b"x" * 500_000)
    judge.file("c", pack_chunk(Chunk(RID, 2**40, b"abc")))
    takes_a_recording(judge)


def takes_a_recording(judge: Desk) -> None:
    rid = new_id()
    assert isinstance(judge.file("f", pack(Open(rid=rid, size=3, sha256=SHA)))[0], At)
    judge.file("c", pack_chunk(Chunk(rid, 0, b"abc")))
    assert judge.file("f", pack(messages.Fin(rid=rid))) == [Stored(rid=rid, sha256=SHA)]


# -- what head office says, and the box


@pytest.fixture
def world() -> Iterator[World]:
    """Both ends in good weather, with an hour that is over and some calls on their way."""
    world = World()
    world.put(*(call_ended() for _ in range(5)))
    world.clear_up()
    yield world
    world.close()


def goes_on(world: World) -> None:
    """New calls get there and their hour is closed."""
    calls = [call_ended() for _ in range(3)]
    world.put(*calls)
    world.clear_up()
    assert {call.call_id for call in calls} <= set(world.facts())


def from_office(world: World) -> dict[str, tuple[str, bytes, bool]]:
    epoch, stream = outbox.epoch_of(world.db), "evt"
    ranges = ((1, 5),)
    return {
        "welcome": ("a", pack(messages.Welcome(nonce="0" * 16, streams={}, credit=8, hq_utc=AT)), False),
        "ack": ("a", pack(messages.Ack(epoch=epoch, stream=stream, upto=5, credit=8, hq_utc=AT)), False),
        "refused": ("a", pack(Refused(ref="0" * 64, code="failed")), False),
        "standing": ("m", canonical(manifest.Standing(epoch=epoch, top=1)), True),
        "verdict": ("m", canonical(manifest.Verdict(epoch=epoch, n=1, state="closed", h=GENESIS)), True),
        "ask": ("m", canonical(manifest.Ask(epoch=epoch, n=1, stream=stream, ranges=ranges)), True),
        "resend": ("m", canonical(manifest.Resend(epoch=epoch, n=1, stream=stream, ranges=ranges)), True),
    }


@pytest.mark.parametrize(
    "name", ["welcome", "ack", "refused", "standing", "verdict", "ask", "resend"]
)  # fmt: skip
def test_every_field_of_what_head_office_says(world: World, name: str) -> None:
    channel, good, deflated = from_office(world)[name]
    unsent = call_ended()
    world.cut()
    world.put(unsent)
    for payload in altered(good):
        world.up = True
        world.down.append((f"x/1/1/{BOX}/dn/{channel}", zlib.compress(payload) if deflated else payload))
        world.deliver_down()
        world.step()
        world.link.sent.clear()
        assert outbox.waiting(world.db).entries >= 1, "what was never sent is not ticked off"
    assert unsent.call_id not in world.facts()
    goes_on(world)
    assert unsent.call_id in world.facts()


def test_only_what_head_office_signed_closes_an_hour(world: World) -> None:
    """Of this very manifest, with the key the verdict names."""
    world.cut()
    world.put(call_ended())
    world.now_s += 3700.0
    world.step()
    epoch, n, h = world.db.execute("SELECT epoch, n, h FROM manifests WHERE state != 'closed'").fetchone()
    told = {"epoch": epoch, "n": n, "state": "closed", "h": h, "key": WITNESS_KEY.public}
    signed = sign(WITNESS_KEY, WITNESS, h)
    for changes in (
        {"sig": ""},
        {"sig": sign(KEY, WITNESS, h)},
        {"sig": sign(WITNESS_KEY, BOX_KEY, h)},
        {"sig": sign(WITNESS_KEY, WITNESS, "f" * 64)},
        {"sig": signed, "key": KEY.public},
        {"sig": signed, "h": "f" * 64},
        {"sig": signed, "n": n + 1},
    ):
        world.up = True
        verdict = manifest.Verdict(**(told | changes))
        world.down.append((f"x/1/1/{BOX}/dn/m", zlib.compress(canonical(verdict))))
        world.deliver_down()
        world.manifests.step(True, world.now_s, world.now_utc)
        state = world.db.execute(
            "SELECT state FROM manifests WHERE epoch = ? AND n = ?", (epoch, n)
        ).fetchone()[0]
        assert state != "closed", changes
    goes_on(world)
    assert world.db.execute("SELECT count(*) FROM manifests WHERE state != 'closed'").fetchone()[0] == 0


def test_a_batch_from_head_office_that_is_none(world: World) -> None:
    """Only an entry that the box's own chain vouches for is put back."""
    before = world.db.execute("SELECT eid, body, h FROM outbox ORDER BY seq").fetchall()
    world.up = True
    for payload in [*bombs().values(), b"", b"x" * 500_000, zlib.compress(b"{}")]:
        world.down.append((f"x/1/1/{BOX}/dn/e", payload))
        world.deliver_down()
        world.step()
    assert world.db.execute("SELECT eid, body, h FROM outbox ORDER BY seq").fetchall() == before
    goes_on(world)


BULK_FROM_OFFICE: dict[str, Callable[[str], bytes]] = {
    "at": lambda rid: pack(At(rid=rid, offset=1, spans=((2, 3),), asked=True)),
    "stored": lambda rid: pack(Stored(rid=rid, sha256="f" * 64)),
    "declined": lambda rid: pack(Declined(rid=rid, code="failed")),
}


@pytest.mark.parametrize("name", BULK_FROM_OFFICE)
def test_every_field_of_what_head_office_says_of_a_recording(world: World, name: str, tmp_path: Path) -> None:
    """Nothing but `stored` with its own hash ticks a recording off; a `declined` keeps it here."""
    data, rid = b"abc" * 5000, new_id()
    (tmp_path / "a.flac").write_bytes(data)
    with sqlite_db.write(world.db):
        outbox.put_file(world.db, rid, "a.flac", len(data), hashlib.sha256(data).hexdigest())
    end, link = _files_end(world, tmp_path)
    now_s = 1000.0
    for payload in altered(BULK_FROM_OFFICE[name](rid)):
        end.take(Arrived("", payload, 0), now_s)
        end.step(True, now_s)
        assert len(link.sent) < 500
        link.sent.clear()
        now_s += 1.0
    state = "SELECT state FROM outbox_files"
    assert world.db.execute(state).fetchone()[0] in (("new", "refused") if name == "declined" else ("new",))
    end.step(False, now_s)
    assert (tmp_path / "a.flac").read_bytes() == data
    if name != "declined":
        now_s += 120.0
        assert _sent_whole(end, link, rid, len(data), now_s) == data


def _files_end(world: World, folder: Path) -> tuple[FilesEnd, MadeUpLink]:
    no_file = Path("/nonexistent")
    told = SyncSettings(BOX, world.branch, folder, "x", 1, no_file, no_file, no_file, no_file, no_file)
    link = MadeUpLink()
    allowance = Allowance(world.db, told.zone, told.cap_at, Month(0))
    end = FilesEnd(told, world.db, link, allowance, None, Share(0.3))  # type: ignore[arg-type]
    end.woken()
    return end, link


def _sent_whole(end: FilesEnd, link: MadeUpLink, rid: str, size: int, now_s: float) -> bytes:
    """Let the box send all of a recording to a head office that has nothing of it."""
    got = bytearray(size)
    for _ in range(200):
        end.step(True, now_s)
        now_s += 0.2
        for topic, payload in [*link.sent]:
            if topic.endswith("/c"):
                chunk = unpack_chunk(payload)
                got[chunk.offset : chunk.offset + len(chunk.data)] = chunk.data
                end.take(Arrived("", pack(At(rid=rid, offset=chunk.offset + len(chunk.data))), 0), now_s)
            elif msgspec.json.decode(payload)["t"] == "open":
                end.take(Arrived("", pack(At(rid=rid, offset=0, asked=True)), 0), now_s)
            elif msgspec.json.decode(payload)["t"] == "fin":
                return bytes(got)
        link.sent.clear()
    raise AssertionError("the recording was not sent")
