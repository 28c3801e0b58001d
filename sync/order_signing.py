"""Signs orders, and checks on a box that they are head office's: with what both ends have anyway.

Head office signs with the key of its certificate as a client of the broker, and sends the certificate along;
a box trusts whom its installation's own authority calls head office, and nobody else. The broker has another
certificate, so whoever takes it over can hold orders up but not give any.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from sync.envelope import canonical
from sync.orders import VERSION, Order, OrderError, Signed, read_order
from sync.topics import MOST_WORKERS, worker_name

_NAMES = frozenset(worker_name(number) for number in range(1, MOST_WORKERS + 1))
_HOW = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class OrderKey:
    """Head office's certificate and its key."""

    certificate: bytes  # DER
    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def read(cls, cert_file: Path, key_file: Path) -> OrderKey:
        """From the files of ingest's certificate; OSError, or ValueError for another kind of key."""
        key = load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file}: wanted a key on an elliptic curve, got {type(key).__name__}")
        certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
        return cls(certificate.public_bytes(Encoding.DER), key)

    def sign(self, order: Order) -> Signed:
        """The order as it travels."""
        body = canonical(order)
        sig = self.private.sign(signed_message(body), _HOW).hex()
        return Signed(body=msgspec.Raw(body), cert=base64.b64encode(self.certificate).decode(), sig=sig)


def signed_message(body: bytes) -> bytes:
    """What is signed of an order."""
    return f"branchline order {VERSION}\n{hashlib.sha256(body).hexdigest()}\n".encode()


def checked(signed: Signed, authority_pem: bytes, now: datetime) -> Order:
    """The order, if head office signed it; OrderError with `wrong_certificate` or `wrong_signature`."""
    certificate = _certificate(signed.cert, x509.load_pem_x509_certificates(authority_pem), now)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise OrderError("wrong_certificate", "the key of its certificate is on no elliptic curve")
    body = bytes(signed.body)
    try:
        key.verify(bytes.fromhex(signed.sig), signed_message(body), _HOW)
    except (InvalidSignature, ValueError):
        raise OrderError("wrong_signature", "its signature does not hold") from None
    return read_order(body)


def _certificate(text: str, authorities: list[x509.Certificate], now: datetime) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        names = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, binascii.Error) as error:
        raise OrderError("wrong_certificate", f"its certificate cannot be read: {error}") from None
    if len(names) != 1 or names[0] not in _NAMES:
        raise OrderError("wrong_certificate", f"it is signed by {', '.join(names)[:100]}, not by head office")
    if not any(_issued(certificate, authority) for authority in authorities):
        raise OrderError("wrong_certificate", "its certificate is not of this installation's authority")
    if not begin <= now <= end:
        raise OrderError("wrong_certificate", f"its certificate holds from {begin} to {end}, it is {now}")
    return certificate


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
