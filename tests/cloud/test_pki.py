"""The certificate authority makes what TLS and the access list need, and only the owner reads the keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud import broker, pki
from sync.reasons import LinkError, check_certificate
from sync.topics import MOST_WORKERS, TopicError

NOW = datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki.make_ca(tmp_path, pki.Validity.days(NOW, pki.CA_DAYS))
    return tmp_path


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def made(folder: Path) -> dict[str, pki.Pair]:
    life = pki.Validity.days(NOW, 90)
    events, bulk = pki.make_box(folder, "branch-1", life)
    return {
        "server": pki.make_server(folder, ["hq.example.com", "192.0.2.7", "::1"], life),
        "head-office": pki.make_head_office(folder, life),
        "branch-1": events,
        "branch-1.b": bulk,
    }


def test_all_are_signed_by_the_authority_and_named_for_their_part(folder: Path) -> None:
    authority = load(folder / "ca.pem")
    for name, pair in made(folder).items():
        certificate = load(pair.cert)
        certificate.verify_directly_issued_by(authority)
        assert common_name(certificate) == ("hq.example.com" if name == "server" else name)
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        assert certificate.not_valid_after_utc == NOW + 90 * DAY
        assert certificate.not_valid_before_utc <= NOW
        (purpose,) = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert purpose == (
            ExtendedKeyUsageOID.SERVER_AUTH if name == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
        )
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_server_goes_by_all_its_names(folder: Path) -> None:
    names = load(made(folder)["server"].cert).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(name.value) for name in names.value] == ["hq.example.com", "192.0.2.7", "::1"]


def test_the_authority_signs_certificates_and_no_other_authority(folder: Path) -> None:
    extensions = load(folder / "ca.pem").extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_keys_are_for_their_owner_alone(folder: Path) -> None:
    made(folder)
    keys = sorted(folder.glob("*-key.pem"))
    assert len(keys) == 5
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}


def test_making_again_changes_nothing(folder: Path) -> None:
    made(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    pki.make_ca(folder, pki.Validity.days(NOW, 1))
    made(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("box_id", ["head-office", "a.b", "A", "", "../x", "x/y", "a b"])
def test_box_ids_refused(folder: Path, box_id: str) -> None:
    with pytest.raises(TopicError):
        pki.make_box(folder, box_id, pki.Validity.days(NOW, 1))
    assert not [path for path in folder.iterdir() if not path.name.startswith("ca")]


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (NOW + 91 * DAY, "own_certificate_expired"),
        (NOW - DAY, "own_certificate_not_yet_valid"),
    ],
)
def test_a_box_knows_the_time_of_its_own_certificate(folder: Path, at: datetime, code: str) -> None:
    cert = made(folder)["branch-1"].cert
    check_certificate(cert, NOW, "hq:8883")
    with pytest.raises(LinkError) as raised:
        check_certificate(cert, at, "hq:8883")
    assert raised.value.code == code


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_certificate_that_cannot_be_read_is_said_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "box.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LinkError, match=r"cannot be used: box\.pem"):
        check_certificate(path, NOW, "hq:8883")


def test_the_brokers_configuration_denies_by_default(folder: Path, tmp_path: Path) -> None:
    settings = broker.BrokerSettings(tmp_path / "broker", 8883, folder / "ca.pem", made(folder)["server"])
    conf = broker.write_config(settings).read_text().splitlines()
    for line in (
        "allow_anonymous false",
        "persistence false",
        "max_packet_size 300000",
        "set_tcp_nodelay true",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "tls_version tlsv1.2",
        "listener 8883 127.0.0.1",
        f"acl_file {tmp_path / 'broker' / 'mosquitto.acl'}",
    ):
        assert line in conf
    assert [line for line in conf if line.startswith("listener")] == ["listener 8883 127.0.0.1"]
    drop_in = (tmp_path / "broker" / "branchline.conf").read_text().splitlines()
    assert drop_in[1:] == [
        "[Service]",
        "Environment=MALLOC_MMAP_THRESHOLD_=1048576",
        "Environment=MALLOC_TRIM_THRESHOLD_=16777216",
    ]
    rules = [
        line for line in (tmp_path / "broker" / "mosquitto.acl").read_text().splitlines() if line[:1] != "#"
    ]
    ours = ["head-office", *(f"head-office.{number}" for number in range(2, MOST_WORKERS + 1))]
    reads_and_writes = ["topic read x/1/+/+/up/#", "topic write x/1/+/+/dn/#", ""]
    assert rules == [
        *(rule for name in ours for rule in (f"user {name}", *reads_and_writes)),
        "pattern write x/1/+/%u/up/#",
        "pattern read x/1/+/%u/dn/#",
    ]


def test_mosquitto_is_found_where_debian_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert broker.find_mosquitto() == Path("/usr/sbin/mosquitto")
