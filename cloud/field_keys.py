"""The keys of customers' sensitive fields: each value is sealed by itself, and found again only by a token.

They stand in a file of their own, so that a copy of the database tells nothing of what is sealed in it. Keys
are only ever added: what was sealed with an older one stays readable until it is sealed anew, and a backup of
the database stays readable for as long as its key is in the file.

    sealed value    | key id, 4 bytes | nonce, 12 bytes | AES-256-GCM of the text, its tag at the end |
    token           key id in hex, ":", HMAC-SHA256 of the text in hex

    KeyFault (ValueError)
      KeyMissing      sealed with a key that is not in the file
      NotSealedHere   altered, or moved here from another field or row
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ID_BYTES, NONCE_BYTES, SECRET_BYTES = 4, 12, 32


class KeyFault(ValueError):
    """A value that cannot be read, or a key file that is none."""


class KeyMissing(KeyFault):
    """Sealed with a key that is not in the file."""


class NotSealedHere(KeyFault):
    """Altered, or moved here from another field or row."""


@dataclass(frozen=True, slots=True)
class FieldKey:
    """One key: what it seals with and what it makes tokens with both come from its secret."""

    id: str  # 8 hex digits
    secret: bytes = field(repr=False)
    made_utc: str
    _seal: AESGCM = field(init=False, repr=False, compare=False)
    _token: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_seal", AESGCM(self._derived(b"seal")))
        object.__setattr__(self, "_token", self._derived(b"token"))

    @classmethod
    def new(cls, made_utc: str) -> FieldKey:
        """A fresh key."""
        return cls(secrets.token_hex(ID_BYTES), secrets.token_bytes(SECRET_BYTES), made_utc)

    def seal(self, text: str, place: str) -> bytes:
        """`text`, readable only with this key and at this `place`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return bytes.fromhex(self.id) + nonce + self._seal.encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The inverse of `seal`; NotSealedHere."""
        nonce, rest = sealed[ID_BYTES : ID_BYTES + NONCE_BYTES], sealed[ID_BYTES + NONCE_BYTES :]
        try:
            return self._seal.decrypt(nonce, rest, place.encode()).decode()
        except InvalidTag as error:
            raise NotSealedHere(f"what is sealed at {place} was altered or belongs elsewhere") from error

    def token(self, text: str) -> str:
        """The same for the same text, and for no other."""
        return f"{self.id}:{hmac.new(self._token, text.encode(), hashlib.sha256).hexdigest()}"

    def _derived(self, purpose: bytes) -> bytes:
        return HKDF(SHA256(), SECRET_BYTES, None, b"branchline field " + purpose).derive(self.secret)


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys there are; the last one seals."""

    keys: tuple[FieldKey, ...]

    @property
    def active(self) -> FieldKey:
        """The key that seals."""
        return self.keys[-1]

    def seal(self, text: str, place: str) -> bytes | None:
        """`text` sealed at `place`; None when there is none."""
        return self.active.seal(text, place) if text else None

    def open(self, sealed: bytes | None, place: str) -> str:
        """The inverse of `seal`; KeyMissing, NotSealedHere."""
        if sealed is None:
            return ""
        key_id = key_id_of(sealed)
        key = next((key for key in self.keys if key.id == key_id), None)
        if key is None:
            raise KeyMissing(f"what is sealed at {place} needs key {key_id}, which is not in the key file")
        return key.open(bytes(sealed), place)

    def token(self, text: str) -> str | None:
        """What a value is found by from now on; None when there is none."""
        return self.active.token(text) if text else None

    def tokens(self, text: str) -> list[str]:
        """What a value may be found by, the keys of a rotation that is under way included."""
        return [key.token(text) for key in self.keys]


def key_id_of(sealed: bytes) -> str:
    """The id of the key that sealed it."""
    return bytes(sealed[:ID_BYTES]).hex()


class KeyFile:
    """The file as a process that runs for months knows it: read anew when a key was added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._ring = Keyring(())

    def ring(self, now_utc: str) -> Keyring:
        """The keys there are now; the file is made when it is missing. KeyFault, OSError."""
        stat = self.path.stat() if self.path.exists() else None
        stamp = (stat.st_ino, stat.st_mtime_ns) if stat else None
        if stamp is None or stamp != self._stamp:
            self._ring = keyring_in(self.path, now_utc)
            self._stamp = stamp
        return self._ring


def keyring_in(path: Path, now_utc: str) -> Keyring:
    """The keys in the file, which is made when it is missing; KeyFault, OSError."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, (FieldKey.new(now_utc),), replace=False)
    return read_keyring(path)


def add_key(path: Path, now_utc: str) -> Keyring:
    """Put a new key into the file, to seal from now on."""
    _write(path, (*read_keyring(path).keys, FieldKey.new(now_utc)), replace=True)
    return read_keyring(path)


def read_keyring(path: Path) -> Keyring:
    """The keys in the file; KeyFault says what is wrong with it."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["keys"]
        keys = tuple(FieldKey(row["id"], bytes.fromhex(row["secret"]), row["made_utc"]) for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFault(f"{path} is no file of field keys") from error
    if not keys or any(len(key.id) != 2 * ID_BYTES or len(key.secret) != SECRET_BYTES for key in keys):
        raise KeyFault(f"{path} has no key, or one of another length")
    return Keyring(keys)


def _write(path: Path, keys: tuple[FieldKey, ...], replace: bool) -> None:
    """Whole or not at all, readable by this user only; of two processes that make it, one wins."""
    rows = [{"id": key.id, "secret": key.secret.hex(), "made_utc": key.made_utc} for key in keys]
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"keys": rows}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    try:
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
