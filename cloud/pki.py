"""The small certificate authority of one installation: P-256 keys, made and kept by head office.

    ca.pem ca-key.pem                         signs all others; broker, boxes and ingest trust nothing else
    server.pem server-key.pem                 the broker, for its host names and addresses
    head-office.pem head-office-key.pem       ingest, as a client of the broker
    <box>.pem <box>-key.pem                   a box's events connection, CN = box id
    <box>.b.pem <box>.b-key.pem               its bulk connection, CN = box id + ".b"

Keys are written 0600. A file that exists is never replaced, so making what is already made does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sync.topics import BULK_SUFFIX, check_box_id, worker_name

CA_DAYS = 20 * 365
SERVER_DAYS = 2 * 365
CLIENT_DAYS = 365
CLOCK_SLACK = timedelta(minutes=5)  # a box whose clock is a little behind may use its new certificate


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate begins and ends."""

    begin: datetime
    end: datetime

    @classmethod
    def days(cls, now: datetime, days: int) -> Validity:
        """From a little before `now`, for `days` days."""
        return cls(now - CLOCK_SLACK, now + timedelta(days=days))


def make_ca(folder: Path, validity: Validity) -> Pair:
    """Make the certificate authority in `folder`, unless it is there."""
    pair = pair_of(folder, "ca")
    if pair.cert.exists():
        return pair
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Branchline certificate authority")
    builder = (
        _builder(name, name, key, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    _save(pair, builder.sign(key, hashes.SHA256()), key)
    return pair


def make_server(folder: Path, hosts: Sequence[str], validity: Validity) -> Pair:
    """Make the broker's certificate for `hosts` (names and IP addresses), unless it is there."""
    names = x509.SubjectAlternativeName([_host(host) for host in hosts])
    return _make(folder, "server", hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, validity, names)


def make_head_office(folder: Path, validity: Validity, worker: int = 1) -> Pair:
    """Make the client certificate of an ingest worker, unless it is there."""
    name = worker_name(worker)
    return _make(folder, name, name, ExtendedKeyUsageOID.CLIENT_AUTH, validity)


def make_box(folder: Path, box_id: str, validity: Validity) -> tuple[Pair, Pair]:
    """Make a box's two client certificates (events, bulk), unless they are there; TopicError for a bad id."""
    check_box_id(box_id)
    events, bulk = (
        _make(folder, name, name, ExtendedKeyUsageOID.CLIENT_AUTH, validity)
        for name in (box_id, box_id + BULK_SUFFIX)
    )
    return events, bulk


def pair_of(folder: Path, name: str) -> Pair:
    """Where the certificate and key called `name` are kept."""
    return Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")


def _make(
    folder: Path,
    file: str,
    common_name: str,
    purpose: x509.ObjectIdentifier,
    validity: Validity,
    names: x509.SubjectAlternativeName | None = None,
) -> Pair:
    pair = pair_of(folder, file)
    if pair.cert.exists():
        return pair
    ca = pair_of(folder, "ca")
    ca_cert = x509.load_pem_x509_certificate(ca.cert.read_bytes())
    ca_key = serialization.load_pem_private_key(ca.key.read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(common_name), ca_cert.subject, key, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    _save(pair, builder.sign(ca_key, hashes.SHA256()), key)
    return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.begin)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _save(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """The key first: a certificate file means that its key is there."""
    pair.key.parent.mkdir(parents=True, exist_ok=True)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(pair.key, pem, 0o600)
    _write(pair.cert, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
