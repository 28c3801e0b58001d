"""What the page is told when it starts; a command line or a test makes one of these."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.web.authority import Authority
from sync.locale import LANGUAGES


def own_names() -> tuple[str, ...]:
    """The names under which this machine is reached without being told others."""
    name = socket.gethostname().lower()
    return ("localhost", name, f"{name}.local")


def own_addresses() -> tuple[str, ...]:
    """This machine's addresses as far as they can be told: those it speaks from, and its own to itself."""
    found = ["127.0.0.1", "::1"]
    for family, beyond in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect((beyond, 9))  # sends nothing; only asks which way it would go
            found.append(one.getsockname()[0])
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class KeepRule:
    """How long the audio of these calls is kept; 0 sets no limit. The first that fits counts."""

    line: int  # 0: of every line
    calls: str  # any | in | out | missed | voicemail | unknown
    keep_days: int
    keep_gb: float = 0.0  # the newest so many GB
    keep_recordings: int = 0  # the newest so many


@dataclass(frozen=True, slots=True)
class UploadWindow:
    """A cap of its own at some time of the day, as the settings file says it."""

    when: str
    cap_kbit_s: int  # 0: none
    is_on: Callable[[datetime], bool]  # at a local time


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What uploads of audio may take of the line; 0 sets no limit."""

    cap_kbit_s: int = 0  # outside the windows
    month_gb: float = 0.0
    windows: tuple[UploadWindow, ...] = ()  # the first that is on counts

    def window_at(self, local: datetime) -> UploadWindow | None:
        """The window that counts at a local time; None: none of them."""
        return next((one for one in self.windows if one.is_on(local)), None)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the page finds the box's data, and how it is reached."""

    database: Path
    recordings: Path  # the folder that `recordings.file` names are below
    rings: tuple[Path, ...] = ()
    host: str = "0.0.0.0"
    port: int = 8080  # 0: any that is free
    box_name: str = "Branchline"
    time_zone: str = "UTC"  # IANA name; the pages show its local time
    language: str = "zh"  # until a reader chooses another
    certificate: Path | None = None  # both: TLS; neither: plain HTTP
    key: Path | None = None
    authority: Authority | None = None  # the box's own, which keeps certificate and key
    http_port: int = 0  # where plain HTTP is sent on to HTTPS; 0: nowhere
    host_names: tuple[str, ...] = field(default_factory=own_names)  # besides any IP address
    is_alone: bool = False  # there is no head office
    keep: tuple[KeepRule, ...] = ()
    uploads: UploadRules = UploadRules()

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {self.language!r}")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("TLS needs a certificate and a key, got only one of them")
        _ = self.zone

    @property
    def zone(self) -> ZoneInfo:
        """The time zone; ValueError when there is none of that name."""
        try:
            return ZoneInfo(self.time_zone)
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"time_zone must be a name like Asia/Shanghai, got {self.time_zone!r}"
            ) from error

    @property
    def tls(self) -> bool:
        """Whether the page is served over HTTPS."""
        return self.certificate is not None
