"""`edge evidence`: a pack that checks itself on its own, says what was sealed, and notices any change."""

from __future__ import annotations

import html
import io
import json
import random
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import evidence_verifier
from edge.config import BoxSettings, Config, HatSettings
from edge.evidence import EvidenceError, make_pack
from edge.evidence_verifier import check_pack, signature_holds
from edge.seal import sha256
from edge.store import seals
from sync.keys import DeviceKey
from tests.edge.sealed_box import SealedBox, copy_of, furnish

ROOT = Path(__file__).parents[2]
FILES = ["audio/rec-a.flac", "key.pem", "manifest.json", "manifest.sig",
         "proof.jsonl", "record.json", "sheet.html", "verify.py"]  # fmt: skip
MADE = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    furnish(folder)
    return folder


@pytest.fixture
def box(template: Path, tmp_path: Path) -> SealedBox:
    return copy_of(template, tmp_path / "box")


def config(box: SealedBox) -> Config:
    return Config(
        box=BoxSettings(id="b-17", name="城东网点", data_dir=box.folder),
        hats=(HatSettings(name="h", alsa_device="x", lines=2),),
    )


def packed(box: SealedBox, call: str = "call-a") -> Path:
    out = box.folder.parent / f"{call}.zip"
    make_pack(config(box), call, out, MADE)
    return out


def rebuilt(pack: Path, change: dict[str, bytes | None], add: dict[str, bytes] | None = None) -> Path:
    """The pack with some files exchanged, left out or put in, as somebody would who lacks the key."""
    out = pack.with_name("rebuilt.zip")
    with zipfile.ZipFile(pack) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            raw = change.get(name, old.read(name))
            if raw is not None:
                new.writestr(name, raw)
        for name, raw in (add or {}).items():
            new.writestr(name, raw)
    return out


def read(pack: Path, name: str) -> bytes:
    with zipfile.ZipFile(pack) as archive:
        return archive.read(name)


def alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier of a pack as its receiver does: nothing but Python."""
    return subprocess.run([sys.executable, "-I", "-S", "verify.py", *arguments], cwd=folder,
                          capture_output=True, encoding="utf-8", env={}, timeout=60, check=False)  # fmt: skip


# -- the pack


def test_a_pack_holds_what_it_promises(box: SealedBox) -> None:
    pack = packed(box)
    with zipfile.ZipFile(pack) as archive:
        assert sorted(archive.namelist()) == FILES
        assert archive.testzip() is None
    assert read(pack, "audio/rec-a.flac") == (box.audio / "rec-a.flac").read_bytes()
    record = json.loads(read(pack, "record.json"))
    assert record["call"] == dict(box.db.execute("SELECT * FROM calls WHERE id = 'call-a'").fetchone())
    assert [one["id"] for one in record["recordings"]] == ["rec-a"]
    assert record["parts"]["rec-a"] == {"gaps": [[10, 20, "overrun"]]}
    manifest = json.loads(read(pack, "manifest.json"))
    assert (manifest["box"], manifest["call_id"]) == ("b-17", "call-a")
    assert manifest["made_utc"] == "2026-03-03T10:00:00.000Z"
    assert manifest["head"]["seq"] == 6 and manifest["head"]["h"] == seals.head_of(box.db).h
    assert list(check_pack(pack)) == []


def test_the_verifier_in_the_pack_runs_on_its_own(box: SealedBox, tmp_path: Path) -> None:
    pack = packed(box)
    empty = tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(pack) as archive:
        archive.extract("verify.py", empty)
    shutil.copy(pack, empty / "pack.zip")
    done = alone(empty, "pack.zip")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "WHOLE" in done.stdout and "完整" in done.stdout and "call call-a of box b-17" in done.stdout
    key = json.loads(read(pack, "manifest.json"))["key"]
    assert key in done.stdout
    assert alone(empty, "pack.zip", "--key", key).returncode == 0
    other = alone(empty, "pack.zip", "--key", "00" * 32)
    assert other.returncode == 1 and "not with 0000" in other.stdout


def test_a_pack_that_was_taken_out_of_its_zip_is_checked_in_place(box: SealedBox, tmp_path: Path) -> None:
    folder = tmp_path / "taken out"
    with zipfile.ZipFile(packed(box)) as archive:
        archive.extractall(folder)
    assert alone(folder).returncode == 0
    (folder / "audio" / "rec-a.flac").write_bytes(b"other")
    (folder / "sheet.html").unlink()
    done = alone(folder)
    assert done.returncode == 1 and "NOT WHOLE" in done.stdout and "证据不完整" in done.stdout
    for says in ("flac was changed", "audio/rec-a.flac is not the audio", "sheet.html is missing"):
        assert says in done.stdout


@pytest.mark.parametrize("arguments", [("nothing.zip",), ("verify.py",), ("--key",)])
def test_what_is_no_pack_is_a_sentence(box: SealedBox, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "bare").mkdir()
    shutil.copy(ROOT / "edge" / "evidence_verifier.py", tmp_path / "bare" / "verify.py")
    done = alone(tmp_path / "bare", *arguments)
    assert done.returncode == 1 and "cannot be read to its end" in done.stdout and done.stderr == ""


def test_openssl_says_the_same(box: SealedBox, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "taken out"
    with zipfile.ZipFile(packed(box)) as archive:
        archive.extractall(folder)
    sheet = (folder / "sheet.html").read_text(encoding="utf-8")
    (command,) = re.findall(r"<code>(openssl .*?)</code>", sheet)
    assert command in (folder / "verify.py").read_text(encoding="utf-8")
    assert subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode == 0
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"call-a", b"call-b"))
    assert subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode != 0


def test_the_proof_of_one_call_gives_away_no_other(box: SealedBox) -> None:
    box.call("call-e", "13900001111")
    pack = packed(box)
    everything = b"".join(read(pack, name) for name in ("proof.jsonl", "record.json", "sheet.html"))
    assert b"13900001111" not in everything and b"call-e" not in everything and b"call-b" not in everything
    assert b"02155501234" in everything


def test_a_deleted_recording_leaves_a_pack_with_its_tombstone(box: SealedBox) -> None:
    seals.delete_recording(box.db, "rec-a", "the caller asked <for> it", "李经理", "2026-03-02T12:00:00.000Z")
    pack = packed(box)
    assert list(check_pack(pack)) == []
    assert not [name for name in zipfile.ZipFile(pack).namelist() if name.startswith("audio/")]
    sheet = read(pack, "sheet.html").decode()
    assert "录音已由 李经理 删除" in sheet and "the caller asked &lt;for&gt; it" in sheet


def test_a_call_without_audio_and_one_whose_audio_was_lost_have_packs(box: SealedBox) -> None:
    box.call("call-e")
    for call in ("call-c", "call-e"):
        assert list(check_pack(packed(box, call))) == []


# -- the sheet


def test_the_sheet_is_for_people_and_loads_nothing(box: SealedBox) -> None:
    sheet = read(packed(box), "sheet.html").decode()
    for part in ("通话证据", "城东网点", "王芳", "02155501234", "呼入 in", "已接 answered", "柜台",
                 "2026-03-02 17:00:30 Asia/Shanghai", "0.001 s + 0.003 s: overrun",
                 "Call evidence", "第 1 环", "第 4 环"):  # fmt: skip
        assert part in sheet, part
    assert not re.findall(r"https?:|//|<script|@import|url\(", sheet)
    assert re.findall(r'src="([^"]*)"', sheet) == ["audio/rec-a.flac"]


@settings(max_examples=30, deadline=None)
@given(name=st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text))
def test_what_a_caller_sends_is_only_ever_text(name: str) -> None:
    from edge.evidence import Case, render_sheet

    call = {"id": "c", "caller_name": f"<b>{name}</b>", "started_utc": "2026-03-02T09:00:30.000Z"}
    case = Case(call, [], {}, [], seals.Head(1, "00" * 32))
    whole = Config(box=BoxSettings(id="b", data_dir=ROOT), hats=())
    sheet = render_sheet(whole, case, "00" * 32, MADE)
    assert "<b>" not in sheet
    assert f"<b>{name}</b>".replace("\r", "") in html.unescape(sheet).replace("\r", "")


# -- changes


@pytest.mark.parametrize("name", FILES)
def test_any_bit_of_any_file_counts(box: SealedBox, name: str) -> None:
    pack = packed(box)
    raw = read(pack, name)
    chance = random.Random(name)
    for _ in range(12):
        changed = bytearray(raw)
        changed[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        faults = list(check_pack(rebuilt(pack, {name: bytes(changed)})))
        assert faults, f"{name} was changed unseen"


@pytest.mark.parametrize("name", ["audio/rec-a.flac", "key.pem", "manifest.sig", "record.json", "verify.py"])
def test_a_missing_file_is_named(box: SealedBox, name: str) -> None:
    faults = list(check_pack(rebuilt(packed(box), {name: None})))
    assert any(name in says for says in faults)


def test_a_file_put_in_or_given_twice_is_named(box: SealedBox) -> None:
    pack = packed(box)
    assert "note.txt does not belong to the pack" in list(check_pack(rebuilt(pack, {}, {"note.txt": b""})))
    with pytest.warns(UserWarning):
        twice = rebuilt(pack, {}, {"record.json": read(pack, "record.json")})
    assert "record.json is in the pack twice" in list(check_pack(twice))


def resigned(pack: Path, key: DeviceKey, change: dict[str, bytes]) -> Path:
    """The pack as somebody could make it who has a key: everything outside the chain is signed anew."""
    manifest = json.loads(read(pack, "manifest.json"))
    change = change | {"key.pem": key.public_pem}
    manifest["files"] |= {name: sha256(raw) for name, raw in change.items()}
    manifest["key"] = key.public
    raw = json.dumps(manifest).encode()
    return rebuilt(pack, {**change, "manifest.json": raw, "manifest.sig": key.sign(raw)})


def test_another_box_cannot_sign_for_this_one(box: SealedBox) -> None:
    pack = packed(box)
    own = json.loads(read(pack, "manifest.json"))["key"]
    forged = resigned(pack, DeviceKey.new(), {})
    assert any("link 1 is signed with another key" in says for says in check_pack(forged))
    assert any(f"not with {own}" in says for says in check_pack(forged, own))


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("record.json", '"caller_name": "王芳"', '"caller_name": "李四"', "shows another caller_name"),
        ("record.json", '"overrun"', '"none"', "shows other gaps than were sealed"),
        ("record.json", '"id": "rec-a"', '"id": "rec-x"', "is only in one of record.json"),
        ("proof.jsonl", "王芳", "李四", "link 1: what it sealed was changed"),
        ("proof.jsonl", r"\"seq\":2", r"\"seq\":3", "does not follow link"),
        ("proof.jsonl", '"sig":"', '"sog":"', "link 1: its signature does not hold"),
    ],
)  # fmt: skip
def test_even_with_the_key_the_chain_holds_the_record(
    box: SealedBox, name: str, old: str, new: str, says: str
) -> None:
    pack = packed(box)
    key = DeviceKey.from_pem((box.folder / "seal.key").read_bytes())
    assert list(check_pack(resigned(pack, key, {}))) == []
    text = read(pack, name).decode()
    assert old in text
    faults = list(check_pack(resigned(pack, key, {name: text.replace(old, new).encode()})))
    assert any(says in fault for fault in faults), faults


def test_a_link_left_out_of_the_proof_is_named(box: SealedBox) -> None:
    pack = packed(box)
    key = DeviceKey.from_pem((box.folder / "seal.key").read_bytes())
    lines = read(pack, "proof.jsonl").splitlines(keepends=True)
    faults = list(check_pack(resigned(pack, key, {"proof.jsonl": b"".join(lines[:2] + lines[3:])})))
    assert "link 4 does not follow link 2" in faults
    faults = list(check_pack(resigned(pack, key, {"proof.jsonl": b"".join(lines[:-1])})))
    assert "the chain ends at link 5, not at the signed head 6" in faults


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["key", "files", "head", "seq", "h"]), inner)
    ),
    max_leaves=9,
)


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=300), name=st.sampled_from(FILES[1:-2]))
def test_hostile_files_are_a_sentence_never_a_crash(hostile: Path, raw: bytes, name: str) -> None:
    assert list(check_pack(rebuilt(hostile, {name: raw})))


@settings(max_examples=100, deadline=None)
@given(value=JSON)
def test_a_hostile_manifest_is_a_sentence_never_a_crash(hostile: Path, value: Any) -> None:
    assert list(check_pack(rebuilt(hostile, {"manifest.json": json.dumps(value).encode()})))


@pytest.fixture(scope="module")
def hostile(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(copy_of(template, tmp_path_factory.mktemp("hostile") / "box"))


def test_a_cut_zip_is_a_sentence(hostile: Path, tmp_path: Path) -> None:
    raw = hostile.read_bytes()
    for length in (0, 1, len(raw) // 2, len(raw) - 1):
        (tmp_path / "cut.zip").write_bytes(raw[:length])
        assert list(check_pack(tmp_path / "cut.zip"))


# -- refusals


@pytest.mark.parametrize(
    ("call", "harm", "says"),
    [
        ("call-x", None, "there is no call 'call-x'"),
        ("call-d", None, "call call-d is still going on"),
        ("call-a", "UPDATE recordings SET state = 'part' WHERE id = 'rec-a'", "still being written"),
        ("call-a", "DELETE FROM seal_links", "never sealed"),
        ("call-a", "UPDATE calls SET caller_name = '李四' WHERE id = 'call-a'", "shows another caller_name"),
        ("call-a", "UPDATE seal_links SET sig = zeroblob(64) WHERE seq = 1", "link 1: its signature"),
        ("call-a", "UPDATE seal_links SET header = header || x'20' WHERE seq = 3", "link 4 does not"),
    ],
)  # fmt: skip
def test_no_pack_is_made_of_what_is_not_sealed(
    box: SealedBox, call: str, harm: str | None, says: str
) -> None:
    if harm:
        box.harm(harm)
    with pytest.raises(EvidenceError, match=re.escape(says)):
        packed(box, call)
    assert list(box.folder.parent.glob("*.zip*")) == []


def test_audio_that_was_changed_makes_no_pack(box: SealedBox) -> None:
    file = box.audio / "rec-a.flac"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(EvidenceError, match=r"audio/rec-a.flac is not the audio that was sealed"):
        packed(box)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        packed(box)
    assert list(box.folder.parent.glob("*.zip*")) == []


def test_an_existing_file_is_never_written_over(box: SealedBox) -> None:
    pack = packed(box)
    before = pack.read_bytes()
    with pytest.raises(EvidenceError, match="exists already"):
        packed(box)
    assert pack.read_bytes() == before


def test_without_the_key_nothing_is_signed_and_none_is_made(box: SealedBox) -> None:
    (box.folder / "seal.key").unlink()
    with pytest.raises(EvidenceError, match="key cannot be read"):
        packed(box)
    assert not (box.folder / "seal.key").exists()


def test_the_command_makes_a_pack_or_says_why_not(box: SealedBox) -> None:
    path = box.folder.parent / "box.toml"
    path.write_text(
        f'[box]\nid = "b"\ndata_dir = "{box.folder}"\n[[hats]]\nname = "h"\nalsa_device = "x"\nlines = 2\n'
    )
    command = [sys.executable, "-m", "edge", "evidence", "--config", path, "--out", path.with_suffix(".zip")]
    done = subprocess.run([*command, "call-a"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"call call-a, chain head 6:{seals.head_of(box.db).h}" in done.stdout
    assert list(check_pack(path.with_suffix(".zip"))) == []
    done = subprocess.run([*command, "call-x"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "exists already" in done.stderr and "Traceback" not in done.stderr


# -- Ed25519 in plain Python

# RFC 8032, 7.1, TEST 1 to 3: public key, message, signature.
VECTORS = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "sig"), VECTORS)
def test_the_vectors_of_the_standard_hold(public: str, message: str, sig: str) -> None:
    key, text, made = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(sig)
    assert signature_holds(key, text, made)
    assert not signature_holds(key, text + b"\0", made)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 63), st.integers(0, 7), st.binary(min_size=32, max_size=32))
def test_it_agrees_with_the_library(message: bytes, byte: int, bit: int, seed: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    sig = bytearray(private.sign(message))
    assert signature_holds(public, message, bytes(sig))
    sig[byte] ^= 1 << bit
    assert not signature_holds(public, message, bytes(sig))


@pytest.mark.parametrize("sig", [b"", b"\0" * 63, b"\0" * 65, b"\xff" * 64])
def test_what_is_no_signature_does_not_hold(sig: bytes) -> None:
    assert not signature_holds(bytes.fromhex(VECTORS[0][0]), b"", sig)


def test_a_signature_has_one_form_only() -> None:
    public, message, sig = (bytes.fromhex(one) for one in VECTORS[1])
    s = int.from_bytes(sig[32:], "little") + evidence_verifier.ORDER
    assert not signature_holds(public, message, sig[:32] + s.to_bytes(32, "little")), "RFC 8032, 5.1.7: S < L"


@pytest.mark.parametrize("raw", [b"\xff" * 32, b"\x02" + b"\0" * 31, b"\x01" + b"\0" * 30 + b"\x80", b""])
def test_what_is_no_point_is_none(raw: bytes) -> None:
    assert evidence_verifier.point_from(raw) is None


def test_the_verifier_needs_the_standard_library_only() -> None:
    source = (ROOT / "edge" / "evidence_verifier.py").read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:from|import) ([\w]+)", source, re.MULTILINE))
    assert imported <= set(sys.stdlib_module_names)


def test_main_reads_its_arguments(hostile: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert evidence_verifier.main([str(hostile)]) == 0
    assert evidence_verifier.main([str(hostile), "--key", "00"]) == 1
    with closing(io.BytesIO(capfdbinary.readouterr().out)) as said:
        assert "完整".encode() in said.read()
