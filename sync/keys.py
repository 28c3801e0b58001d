"""Ed25519 keys: the box's, with which it seals and signs, and head office's, with which it witnesses.

Public keys stand as their 32 raw bytes in hex. A private key is a PEM file of mode 0600 that is made where it
is used and never leaves that machine.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from sync.envelope import is_hash


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """An Ed25519 key of this machine; it is never shown."""

    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def new(cls) -> DeviceKey:
        """A fresh key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> DeviceKey:
        """The inverse of `pem`; ValueError for anything that is not an Ed25519 key."""
        key = load_pem_private_key(pem, None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"wanted an Ed25519 key, got {type(key).__name__}")
        return cls(key)

    @property
    def pem(self) -> bytes:
        """PKCS 8, as `openssl genpkey -algorithm ed25519` writes it."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public(self) -> str:
        """The public key, 64 hex digits."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @property
    def public_pem(self) -> bytes:
        """The public key as `openssl pkeyutl -verify -pubin` wants it."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.private.sign(message)


def signature_holds(public: object, message: bytes, sig: object) -> bool:
    """Whether `sig` is this key's signature of `message`."""
    if not isinstance(sig, bytes) or not isinstance(public, str) or not is_hash(public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_key_file(path: Path) -> None:
    """Write a new key with mode 0600, whole or not at all; of two processes that try, one wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(DeviceKey.new().pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def key_in(path: Path) -> DeviceKey:
    """The key in the file, made if there is none; OSError or ValueError if that is not possible."""
    if not path.exists():
        make_key_file(path)
    return DeviceKey.from_pem(path.read_bytes())
