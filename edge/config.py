"""What the installer decides: one TOML file, read once into frozen dataclasses.

Every key is explained in `edge/box.example.toml`; all faults of a file are reported together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sync.settings import SettingsError, read_toml, setting

MOST_LINES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSettings:
    """Who this box is and where it keeps things."""

    id: str = setting(about="name of the box at head office, as in its certificate")
    name: str = setting("", about="name of the branch, as people say it")
    data_dir: Path = setting(about="folder for the database and the recordings", absolute=True)
    ring_dir: Path = setting(Path("/dev/shm"), about="memory folder for the audio ring", absolute=True)
    country: str = setting(
        "cn", about="tones and line times of this country", choices=("cn", "us", "uk", "eu")
    )
    language: str = setting("zh", about="first language of the page", choices=("zh", "en"))
    time_zone: str = setting("Asia/Shanghai", about="time zone the page shows")


@dataclass(frozen=True, slots=True, kw_only=True)
class HatSettings:
    """One board on the lines."""

    name: str = setting(about="short name, also of its ring")
    alsa_device: str = setting(about="ALSA device it captures from, such as linehat0 or hw:CARD=linehat")
    readings_port: str = setting("", about="serial port of its microcontroller; empty = audio only")
    lines: int = setting(about="lines on this board = channels of the device", minimum=1, maximum=MOST_LINES)
    rate_hz: int = setting(8000, about="samples per second", minimum=8000, maximum=16000)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """One line."""

    line: int = setting(about="number on the case, from 1", minimum=1, maximum=MOST_LINES)
    name: str = setting("", about="what people call it")
    record: bool = setting(True, about="keep the audio of its calls")
    pre_roll_s: float = setting(5.0, about="audio kept from before the call, seconds", minimum=0, maximum=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """The recorder as a whole."""

    ring_s: float = setting(90.0, about="seconds of every line kept in memory", minimum=10, maximum=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPageSettings:
    """The branch page."""

    host: str = setting("127.0.0.1", about="address to listen on; 0.0.0.0 = the branch's network")
    port: int = setting(8080, about="TCP port", minimum=1, maximum=65535)
    host_name: str = setting("", about="name people type for it, besides this machine's own")
    tls_cert: str = setting("", about="certificate file for https; empty = http")
    tls_key: str = setting("", about="its key file")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOfficeSettings:
    """The way to head office; without a host the box works alone."""

    host: str = setting("", about="host name of head office's broker; empty = none")
    port: int = setting(8883, about="its TLS port", minimum=1, maximum=65535)
    ca: str = setting("", about="certificate of head office's authority")
    cert: str = setting("", about="this box's certificate")
    key: str = setting("", about="its key")
    bulk_cert: str = setting("", about="certificate of the box's second connection, for audio")
    bulk_key: str = setting("", about="its key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file."""

    box: BoxSettings
    hats: tuple[HatSettings, ...]
    lines: tuple[LineSettings, ...] = ()
    record: RecordSettings = field(default_factory=RecordSettings)
    web: WebPageSettings = field(default_factory=WebPageSettings)
    head_office: HeadOfficeSettings = field(default_factory=HeadOfficeSettings)

    @property
    def database(self) -> Path:
        """The branch database."""
        return self.box.data_dir / "branch.db"

    @property
    def recordings_dir(self) -> Path:
        """Where the audio files are."""
        return self.box.data_dir / "recordings"

    def ring_path(self, hat: HatSettings) -> Path:
        """The shared ring of one board."""
        return self.box.ring_dir / f"branchline-{self.box.id}-{hat.name}.ring"

    def first_line(self, hat: HatSettings) -> int:
        """The number of the board's first line: lines are counted through all boards."""
        return 1 + sum(one.lines for one in self.hats[: self.hats.index(hat)])

    def line(self, number: int) -> LineSettings:
        """What is set for line `number`; defaults where the file says nothing."""
        for line in self.lines:
            if line.line == number:
                return line
        return LineSettings(line=number)


def read_config(path: Path) -> Config:
    """Read the box's settings; SettingsError names everything that is wrong with them."""
    config = read_toml(path, Config)
    faults = _faults_between_keys(config)
    if faults:
        raise SettingsError(str(path), faults)
    return config


def _faults_between_keys(config: Config) -> list[str]:
    faults = []
    total = sum(hat.lines for hat in config.hats)
    if not config.hats:
        faults.append("hats is empty: at least one [[hats]] is needed")
    if total > MOST_LINES:
        faults.append(f"hats: a box has at most {MOST_LINES} lines, these boards have {total}")
    for what, names in (
        ("hats: name", [hat.name for hat in config.hats]),
        ("lines: line", [str(line.line) for line in config.lines]),
    ):
        faults += [
            f"{what} {name!r} is given twice" for name in sorted({n for n in names if names.count(n) > 1})
        ]
    faults += [
        f"lines[{at}].line is {line.line}, but the boards have lines 1 to {total}"
        for at, line in enumerate(config.lines, start=1)
        if line.line > total
    ]
    half = config.record.ring_s / 2
    faults += [
        f"lines[{at}].pre_roll_s is {line.pre_roll_s:g}, more than half of record.ring_s ({half:g})"
        for at, line in enumerate(config.lines, start=1)
        if line.pre_roll_s > half
    ]
    if config.head_office.host:
        faults += [
            f"head_office.{key} is missing: needed because head_office.host is set"
            for key in ("ca", "cert", "key", "bulk_cert", "bulk_key")
            if not getattr(config.head_office, key)
        ]
    if bool(config.web.tls_cert) != bool(config.web.tls_key):
        faults.append("web.tls_cert and web.tls_key belong together: give both or neither")
    return faults
