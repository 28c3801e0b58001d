"""What the page is told when it starts; a command line or a test makes one of these."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from sync.locale import LANGUAGES


def own_names() -> tuple[str, ...]:
    """The names under which this machine is reached without being told others."""
    name = socket.gethostname().lower()
    return ("localhost", name, f"{name}.local")


@dataclass(frozen=True, slots=True)
class KeepRule:
    """How many days the audio of these calls is kept; 0 sets no limit. The first that fits counts."""

    line: int  # 0: of every line
    calls: str  # any | in | out | missed | voicemail | unknown
    keep_days: int


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
    host_names: tuple[str, ...] = field(default_factory=own_names)  # besides any IP address
    is_alone: bool = False  # there is no head office
    keep: tuple[KeepRule, ...] = ()

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
