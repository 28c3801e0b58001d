"""Checks an evidence pack of a Branchline box with Python 3.9 alone: python -I verify.py [PACK.zip | FOLDER]

This file is part of every pack and uses the standard library only. Ed25519 (RFC 8032, 5.1.7) is written out
here because Python has none, and because whoever is handed a pack may have no openssl; it only ever sees
public values. Where there is openssl, it can confirm the one signature that covers every other file:

    openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in manifest.json -sigfile manifest.sig

    manifest.json   SHA-256 of every file, the box's key, the head of its chain; signed in manifest.sig
    record.json     the call and its recordings, as rows
    proof.jsonl     the box's chain from the call's first link to the head, a link per line:
                    header, h = SHA-256(header), and for this call's links the sealed data and the signature
    audio/          the recordings; sheet.html the same for people; key.pem the box's public key

A pack proves that nothing in it was changed since the box sealed it. Whose box it was, only the key says:
compare the printed key with the one that the branch or head office has on record, or give it with --key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

SIGNED = ("manifest.json", "manifest.sig")  # every other file is named in the first

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z
NEUTRAL: Point = (0, 1, 1, 0)


def added(one: Point, other: Point) -> Point:
    """Sum of two points (RFC 8032, 5.1.4)."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor: int, point: Point) -> Point:
    """`point` added to itself `factor` times."""
    total = NEUTRAL
    while factor:
        if factor & 1:
            total = added(total, point)
        point = added(point, point)
        factor >>= 1
    return total


def point_from(raw: bytes) -> Point | None:
    """The point in 32 bytes (RFC 8032, 5.1.3); None if they are not one."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if len(raw) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_1 % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_from((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signature_holds(public: bytes, message: bytes, sig: bytes) -> bool:
    """Whether `sig` (64 bytes) is the Ed25519 signature of `message` by `public` (32 bytes)."""
    key, r = point_from(public), point_from(sig[:32])
    s = int.from_bytes(sig[32:], "little")
    if key is None or r is None or BASE is None or len(sig) != 64 or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(sig[:32] + public + message).digest(), "little") % ORDER
    left, right = times(s, BASE), added(r, times(k, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == (left[1] * right[2] - right[1] * left[2]) % P == 0


class Pack:
    """The files of a pack, in a zip or taken out of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.zip = None if path.is_dir() else zipfile.ZipFile(path)

    def names(self) -> list[str]:
        """Every file's name, / between folders."""
        if self.zip is not None:
            return [name for name in self.zip.namelist() if not name.endswith("/")]
        files = [file for file in self.path.rglob("*") if file.is_file()]
        return [file.relative_to(self.path).as_posix() for file in files]

    def open(self, name: str) -> IO[bytes]:
        """The file's bytes."""
        return self.zip.open(name) if self.zip is not None else (self.path / name).open("rb")

    def read(self, name: str) -> bytes:
        """All of a small file."""
        with self.open(name) as file:
            return file.read()

    def digest(self, name: str) -> tuple[int, str]:
        """Size and SHA-256 of a file."""
        size, digest = 0, hashlib.sha256()
        with self.open(name) as file:
            while block := file.read(1 << 20):
                size += len(block)
                digest.update(block)
        return size, digest.hexdigest()


def check_pack(path: Path, key: str = "") -> Iterator[str]:
    """Everything that is wrong with the pack, one sentence each."""
    try:
        pack = Pack(path)
        manifest = json.loads(pack.read("manifest.json"))
        yield from check_manifest(pack, manifest, key)
        yield from check_chain(pack, manifest)
        yield from check_record(pack)
    except (
        OSError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        yield f"the pack cannot be read to its end: {type(error).__name__}: {error}"
    except (NotImplementedError, RuntimeError, zlib.error) as error:  # a zip that asks for the impossible
        yield f"the pack cannot be unpacked: {error}"


def check_manifest(pack: Pack, manifest: dict[str, Any], key: str) -> Iterator[str]:
    """The signature over all files, and each file against it."""
    public = bytes.fromhex(manifest["key"])
    if not signature_holds(public, pack.read("manifest.json"), pack.read("manifest.sig")):
        yield "manifest.json was changed: the box's signature of it does not hold"
    if key and key.lower() != manifest["key"]:
        yield f"the pack is signed with the key {manifest['key']}, not with {key}"
    pem = pack.read("key.pem").decode("ascii").split("-----")[2]
    if base64.b64decode(pem)[-32:] != public:
        yield "key.pem is not the key that manifest.json names"
    names = pack.names()
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name} is in the pack twice"
    for name, digest in manifest["files"].items():
        if name not in names:
            yield f"{name} is missing"
        elif pack.digest(name)[1] != digest:
            yield f"{name} was changed since the pack was made"
    for name in sorted(set(names) - set(manifest["files"]) - set(SIGNED)):
        yield f"{name} does not belong to the pack"


def check_chain(pack: Pack, manifest: dict[str, Any]) -> Iterator[str]:
    """Each link follows the one before it; the call's links and the last are signed."""
    seq, h = 0, ""
    with pack.open("proof.jsonl") as lines:
        for line in lines:
            link = json.loads(line)
            header = json.loads(link["header"])
            name = f"link {header['seq']}"
            if h and (header["seq"], header["prev"]) != (seq + 1, h):
                yield f"{name} does not follow link {seq}"
            seq, h = header["seq"], sha256(link["header"])
            if "data" in link and sha256(link["data"]) != header["data"]:
                yield f"{name}: what it sealed was changed"
            if ("sig" in link or "data" in link) and not link_signed(header, h, link.get("sig")):
                yield f"{name}: its signature does not hold"
            if header["key"] != manifest["key"] and "data" in link:
                yield f"{name} is signed with another key than the pack: {header['key']}"
    if [seq, h] != [manifest["head"]["seq"], manifest["head"]["h"]]:
        yield f"the chain ends at link {seq}, not at the signed head {manifest['head']['seq']}"


def link_signed(header: dict[str, Any], h: str, sig: str | None) -> bool:
    """Whether a link carries its key's signature."""
    message = f"branchline seal {header['v']}\n{header['seq']}\n{h}\n".encode()
    return bool(sig and header["key"]) and signature_holds(
        bytes.fromhex(header["key"]), message, bytes.fromhex(sig or "")
    )


def check_record(pack: Pack) -> Iterator[str]:
    """The rows that are shown are the rows that were sealed, and the audio is theirs."""
    record = json.loads(pack.read("record.json"))
    newest: dict[str, dict[str, Any]] = {}
    with pack.open("proof.jsonl") as lines:
        for line in lines:
            link = json.loads(line)
            if "data" in link:
                data = json.loads(link["data"])
                newest[data["subject"]] = data
    shown = {row["id"]: row for row in [record["call"], *record["recordings"]]}
    for subject in sorted(set(shown) ^ set(newest)):
        yield f"{subject} is only in one of record.json and the sealed links"
    for subject in sorted(set(shown) & set(newest)):
        row = newest[subject]["row"]
        for column in sorted(row):
            if column not in shown[subject] or shown[subject][column] != row[column]:
                yield f"{subject}: record.json shows another {column} than was sealed"
        if record["parts"].get(subject) != newest[subject]["parts"]:
            yield f"{subject}: record.json shows other gaps than were sealed"
        if row["state"] == "ready" and "sha256" in row:
            yield from check_audio(pack, row)


def check_audio(pack: Pack, row: dict[str, Any]) -> Iterator[str]:
    """One recording's file is what the box sealed."""
    name = f"audio/{row['file']}"
    if name not in pack.names():
        yield f"{name} is missing"
    elif pack.digest(name) != (row["size_bytes"], row["sha256"]):
        yield f"{name} is not the audio that was sealed"


def sha256(text: str) -> str:
    """Of the UTF-8 bytes, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def main(arguments: list[str]) -> int:
    """Check the pack given, or the folder this file lies in; 1 if anything is wrong."""
    key = ""
    if "--key" in arguments:
        at = arguments.index("--key")
        key = arguments[at + 1] if at + 1 < len(arguments) else "?"
        del arguments[at : at + 2]
    path = Path(arguments[0]) if arguments else Path(__file__).resolve().parent
    faults = 0
    for fault in check_pack(path, key):
        faults += 1
        say(fault)
    if faults:
        say(f"NOT WHOLE / 证据不完整: {faults}")
        return 1
    manifest = json.loads(Pack(path).read("manifest.json"))
    say(f"call {manifest['call_id']} of box {manifest['box']}, link {manifest['head']['seq']} at the head")
    say(f"signed with key {manifest['key']}")
    say("WHOLE: nothing was changed since the box sealed it / 完整：自封存以来未被改动")
    return 0


def say(line: str) -> None:
    """One line, whatever the terminal can show."""
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
