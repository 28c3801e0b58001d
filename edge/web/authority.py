"""The box's own certificate authority: made at the first start, signs the certificate of the branch page.

    tls/authority.pem       the certificate people trust once, for 20 years
    tls/authority-key.pem   its key (0600); it never leaves the box
    tls/page.pem            the page's certificate and the authority's, for 397 days, renewed 60 days before
    tls/page-key.pem        its key (0600)

The authority can sign for nothing but this box's names and private addresses (RFC 5280 4.2.1.10), so whoever
steals its key still cannot pass for any other site.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LASTS = timedelta(days=20 * 365)
PAGE_LASTS = timedelta(days=397)  # what browsers accept at most
RENEW_BEFORE = timedelta(days=60)
BACKDATED = timedelta(days=1)  # browsers whose clock is slow
PRIVATE_NETS = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
    "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Authority:
    """The files in one folder, for a box that is reached by `names` and `addresses`."""

    folder: Path
    box_name: str
    names: tuple[str, ...]
    addresses: Callable[[], tuple[str, ...]] = tuple  # asked again at every look: a lease may bring another

    @property
    def certificate(self) -> Path:
        """What the page shows: its certificate and the authority's."""
        return self.folder / "page.pem"

    @property
    def key(self) -> Path:
        """The page's key."""
        return self.folder / "page-key.pem"

    @property
    def der(self) -> bytes:
        """The authority's certificate, as every system takes it in."""
        return self._root().public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of that certificate in pairs of hex digits: A1:B2: ..."""
        return hashlib.sha256(self.der).digest().hex(":").upper()

    def keep(self, now: datetime) -> bool:
        """Make what is missing, renew what is due or has other names; whether the page's was made anew."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self._root_file.exists() and self._root_key_file.exists()):
            self._make_root(now)
        if not self._is_due(now):
            return False
        self._make_page(now)
        return True

    @property
    def _root_file(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def _root_key_file(self) -> Path:
        return self.folder / "authority-key.pem"

    def _root(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self._root_file.read_bytes())

    def _is_due(self, now: datetime) -> bool:
        try:
            page = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            load_pem_private_key(self.key.read_bytes(), None)
            shown = page.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, x509.ExtensionNotFound):
            return True
        signed = page.issuer == self._root().subject and set(shown) == set(self._general_names())
        return not signed or page.not_valid_after_utc - now < RENEW_BEFORE

    def _general_names(self) -> list[x509.GeneralName]:
        return [_general_name(name) for name in (*self.names, *self.addresses()) if _may_be_signed(name)]

    def _make_root(self, now: datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Branchline {self.box_name}"[:64])])
        allowed = [x509.DNSName(name) for name in self.names if not _is_address(name)]
        nets = [x509.IPAddress(ipaddress.ip_network(net)) for net in PRIVATE_NETS]
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        root = (
            _draft(name, name, key.public_key(), now, AUTHORITY_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.NameConstraints([*allowed, *nets], None), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._root_key_file, _key_pem(key), 0o600)
        _write(self._root_file, root.public_bytes(Encoding.PEM), 0o644)

    def _make_page(self, now: datetime) -> None:
        root, root_key = self._root(), load_pem_private_key(self._root_key_file.read_bytes(), None)
        assert isinstance(root_key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.box_name[:64])])
        page = (
            _draft(name, root.subject, key.public_key(), now, PAGE_LASTS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(self._general_names()), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
            )
            .sign(root_key, hashes.SHA256())
        )
        _write(self.key, _key_pem(key), 0o600)
        both = page.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
        _write(self.certificate, both, 0o644)


def _draft(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _may_be_signed(name: str) -> bool:
    """An address has to be a private one: the authority can sign for no other."""
    if not _is_address(name):
        return True
    address = ipaddress.ip_address(name)
    return any(address in ipaddress.ip_network(net) for net in PRIVATE_NETS)


def _general_name(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all; nobody else may read a key, not even for a moment."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
