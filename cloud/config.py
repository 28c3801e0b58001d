"""Head office's settings: what each key means, its default and its limits.

One TOML file is read by every head-office process; all that is wrong with it is reported at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from sync.settings import read_toml, setting, shown

LANGUAGES = ("zh", "en")
BACKENDS = ("sqlite", "postgresql")
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{2,62}(/[\w./-]*)?")


def _check_time_zone(value: str) -> str | None:
    if value in available_timezones():
        return None
    close = get_close_matches(value, available_timezones(), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"must be an IANA time zone such as Asia/Shanghai, got {shown(value)}{hint}"


def _check_database_url(value: str) -> str | None:
    if not value:
        return None
    try:
        backend = make_url(value).get_backend_name()
    except ArgumentError:
        backend = ""
    # The value may hold a password, so it is not repeated.
    return None if backend in BACKENDS else "must begin with sqlite:/// or postgresql+psycopg://"


def _check_objects(value: str) -> str | None:
    if not value or value.startswith("/") or _BUCKET.fullmatch(value):
        return None
    return f"must be an absolute folder or s3://bucket/prefix, got {shown(value)}"


def _check_public_url(value: str) -> str | None:
    if not value or (value.startswith(("http://", "https://")) and value.count("/") == 2):
        return None
    return f"must look like https://crm.example.cn with nothing after the name, got {shown(value)}"


def _check_networks(value: str) -> str | None:
    try:
        _ = [ip_network(one) for one in value.split()]
    except ValueError:
        return f"must be networks such as 10.20.0.0/16 with spaces between them, got {shown(value)}"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Where ingest finds the MQTT broker, and who it says it is."""

    host: str = setting("localhost", about="name or address of the MQTT broker, as in its certificate")
    port: int = setting(8883, minimum=1, maximum=65535, about="port of the broker; always TLS")
    ca: Path = setting(absolute=True, about="certificate of the authority that signed broker and boxes")
    cert: Path = setting(absolute=True, about="certificate head office shows to the broker")
    key: Path = setting(absolute=True, about="private key of that certificate, readable by this user only")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the page listens and how browsers reach it."""

    host: str = setting("127.0.0.1", about="address to listen on; 0.0.0.0 is every network of this machine")
    port: int = setting(8090, minimum=1, maximum=65535, about="port to listen on")
    cert: str = setting("", about="TLS certificate file; empty when a proxy in front speaks TLS")
    key: str = setting("", about="private key file of that certificate")
    public_url: str = setting(
        "",
        check=_check_public_url,
        about="address people type when a proxy stands in front; https makes cookies Secure",
    )

    @property
    def https(self) -> bool:
        """Whether browsers reach the page over TLS."""
        return bool(self.cert) or self.public_url.startswith("https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """How to reach a store of recordings that speaks S3, if `objects` names one."""

    endpoint: str = setting("", about="address of the store, e.g. https://s3.example.cn; empty: Amazon's own")
    region: str = setting("", about="region of the bucket, where the store has regions")
    access_key: str = setting("", about="access key id; empty: as this machine's own settings for S3 say")
    secret_key_file: str = setting("", about="file with the secret key, readable by this user only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a head-office process is told."""

    broker: BrokerSettings
    web: WebSettings
    s3: S3Settings = field(default_factory=S3Settings)
    data: Path = setting(absolute=True, about="folder for database and recordings; made when missing")
    database_url: str = setting(
        "", check=_check_database_url, about="empty: SQLite in the data folder; else a PostgreSQL address"
    )
    objects: str = setting(
        "",
        check=_check_objects,
        about="folder of the recordings, or s3://bucket/prefix; empty: recordings in the data folder",
    )
    field_keys: str = setting(
        "",
        about="file of the keys that customers' sensitive fields are sealed with; empty: field.keys in the "
        "data folder. Back it up apart from the database: without it they are lost",
    )
    organisation: str = setting("Branchline", about="name shown at the top of every page")
    language: str = setting("zh", choices=LANGUAGES, about="language of the pages until a person picks one")
    time_zone: str = setting(
        "Asia/Shanghai", check=_check_time_zone, about="times on the pages are shown in this zone"
    )

    audit_days: int = setting(
        1827, minimum=1096, about="how long the audit trail is kept; at least as long as call records"
    )

    hook_networks: str = setting(
        "",
        check=_check_networks,
        about="networks of your own that webhooks may be sent to, e.g. 10.20.0.0/16; public ones always are",
    )

    @property
    def database(self) -> str:
        """The database's address, the default filled in."""
        return self.database_url or f"sqlite:///{self.data / 'head-office.db'}"

    @property
    def objects_folder(self) -> Path:
        """The folder of the recordings, of those that still arrive if they are kept elsewhere."""
        elsewhere = not self.objects or self.objects.startswith("s3://")
        return self.data / "recordings" if elsewhere else Path(self.objects)

    @property
    def keys_file(self) -> Path:
        """The file of field keys."""
        return Path(self.field_keys) if self.field_keys else self.data / "field.keys"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as a tzinfo."""
        return ZoneInfo(self.time_zone)


def read_settings(path: Path) -> Settings:
    """The settings in the file at `path`; raise `SettingsError` naming every fault."""
    return read_toml(path, Settings)
