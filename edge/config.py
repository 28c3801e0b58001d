"""What the installer decides: one TOML file, read once into frozen dataclasses.

Every key is explained in `edge/box.example.toml`; all faults of a file are reported together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from zoneinfo import available_timezones

from edge.line_settings import COUNTRIES, MOST_LINES, RING_SHARE, LineBlock, LineSettings
from edge.numbers import read_patterns
from edge.schedule import read_holidays, read_schedule
from sync.settings import SettingsError, read_toml, setting, shown


def _check_holidays(value: str) -> str | None:
    return _fault(lambda: read_holidays(value))


def _check_schedule(value: str) -> str | None:
    return _fault(lambda: read_schedule(value))


def _check_pattern(value: str) -> str | None:
    return _fault(lambda: read_patterns([value]))


def _check_zone(value: str) -> str | None:
    known = value in available_timezones()
    return None if known else f"must be a time zone such as Asia/Shanghai, got {shown(value)}"


def _fault(read: Callable[[], object]) -> str | None:
    try:
        read()
    except ValueError as error:
        return f"cannot be: {error}"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSettings:
    """Who this box is and where it keeps things."""

    id: str = setting(about="name of the box at head office, as in its certificate")
    name: str = setting("", about="name of the branch, as people say it")
    data_dir: Path = setting(about="folder for the database and the recordings", absolute=True)
    ring_dir: Path = setting(Path("/dev/shm"), about="memory folder for the audio ring", absolute=True)
    country: str = setting("cn", about="tones and line times of this country", choices=COUNTRIES)
    language: str = setting("zh", about="first language of the page", choices=("zh", "en"))
    time_zone: str = setting("Asia/Shanghai", about="time zone of pages and schedules", check=_check_zone)
    holidays: str = setting("", about="dates with a schedule of their own", check=_check_holidays)


@dataclass(frozen=True, slots=True, kw_only=True)
class HatSettings:
    """One board on the lines."""

    name: str = setting(about="short name, also of its ring")
    alsa_device: str = setting(about="ALSA device it captures from, such as linehat0 or hw:CARD=linehat")
    readings_port: str = setting("", about="serial port of its microcontroller; empty = audio only")
    lines: int = setting(about="lines on this board = channels of the device", minimum=1, maximum=MOST_LINES)
    rate_hz: int = setting(8000, about="samples per second", minimum=8000, maximum=16000)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverSettings:
    """One entry of the list of numbers that are never recorded (特殊号码表)."""

    number: str = setting(about="the number; * = any digits, ? = one", check=_check_pattern)
    note: str = setting("", about="whose it is")

    @property
    def entry(self) -> str:
        """The entry as a line of a list (`edge.line_settings.read_never`)."""
        note = " ".join(self.note.replace(";", ",").split())
        (number,) = read_patterns([self.number]).patterns
        return f"{number} {'- ' if note[:1].isdigit() else ''}{note}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """The recorder as a whole."""

    ring_s: float = setting(90.0, about="seconds of every line kept in memory", minimum=10, maximum=600)
    on_hook_audio: bool = setting(True, about="keep the seconds before an answer, in which caller ID comes")
    off_hook_alarm_min: int = setting(
        60, about="off hook for so long is an alarm; 0 = never", minimum=0, maximum=10080
    )
    silent_alarm_min: int = setting(
        10, about="a call silent for so long is one; 0 = never", minimum=0, maximum=10080
    )
    no_ring_alarm_days: int = setting(
        7, about="no ring for so long is one; 0 = never", minimum=0, maximum=365
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """The space audio may take, and the second copy of it all."""

    warn_percent: int = setting(80, about="disk this full: the page warns", minimum=1, maximum=99)
    purge_percent: int = setting(
        90, about="this full: the oldest audio that head office has is deleted", minimum=1, maximum=99
    )
    stop_percent: int = setting(95, about="this full: all that is optional stops", minimum=1, maximum=99)
    last_percent: int = setting(
        98, about="this full: the oldest audio goes even if it is nowhere else", minimum=1, maximum=99
    )
    reserve_mb: int = setting(64, about="room audio never takes, for the call log", minimum=16, maximum=65536)
    ballast_mb: int = setting(32, about="file given up when the disk is full", minimum=16, maximum=64)
    alarm_hours: int = setting(24, about="warn this long before the disk is full", minimum=1, maximum=720)
    opus_kbit_s: int = setting(24, about="bit rate of old recordings", minimum=12, maximum=64)
    backup_dir: str = setting("", about="folder for the nightly backup, on another disk; empty = none")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSettings:
    """How long audio is kept: the first block that fits a recording counts; 0 sets no limit."""

    line: int = setting(0, about="for this line; 0 = every line", minimum=0, maximum=MOST_LINES)
    calls: str = setting(
        "any", about="for these calls", choices=("any", "in", "out", "missed", "voicemail", "unknown")
    )
    opus_after_days: int = setting(0, about="FLAC becomes Opus after so many days", minimum=0, maximum=36500)
    keep_days: int = setting(0, about="audio is deleted after so many days", minimum=0, maximum=36500)
    keep_gb: float = setting(0.0, about="the newest so many GB are kept", minimum=0, maximum=1e6)
    keep_recordings: int = setting(0, about="the newest so many recordings are kept", minimum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPageSettings:
    """The branch page."""

    host: str = setting("127.0.0.1", about="address to listen on; 0.0.0.0 = the branch's network")
    port: int = setting(8080, about="TCP port", minimum=1, maximum=65535)
    host_name: str = setting("", about="name people type for it, besides this machine's own")
    https: str = setting(
        "own",
        about="own = by the box's own authority; files = by tls_cert; off = only on this machine",
        choices=("own", "files", "off"),
    )
    http_port: int = setting(
        0, about="plain HTTP here is sent on to https; 0 = nothing listens", minimum=0, maximum=65535
    )
    tls_cert: str = setting("", about="certificate file of https = files")
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
class UploadSettings:
    """What uploads of audio may take of the line; call records are never held back."""

    cap_kbit_s: int = setting(0, about="most that is sent, outside the windows below; 0 = no cap", minimum=0)
    month_gb: float = setting(0.0, about="most in a calendar month; 0 = no limit", minimum=0, maximum=1e6)
    oldest_percent: int = setting(
        30, about="share of a backlog's oldest recordings; its newest get the rest", minimum=0, maximum=100
    )
    during_call: bool = setting(True, about="send long calls while they last")


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadWindow:
    """A cap of its own at some time of the day."""

    when: str = setting(about="days and times, as in a line's schedule", check=_check_schedule)
    cap_kbit_s: int = setting(about="most that is sent then; 0 = no cap", minimum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file."""

    box: BoxSettings
    hats: tuple[HatSettings, ...]
    lines: tuple[LineBlock, ...] = ()
    never_record: tuple[NeverSettings, ...] = ()
    record: RecordSettings = field(default_factory=RecordSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    keep: tuple[KeepSettings, ...] = ()
    web: WebPageSettings = field(default_factory=WebPageSettings)
    head_office: HeadOfficeSettings = field(default_factory=HeadOfficeSettings)
    upload: UploadSettings = field(default_factory=UploadSettings)
    upload_windows: tuple[UploadWindow, ...] = ()

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

    def hat(self, name: str) -> HatSettings:
        """The board of that name, or the only one; raises ValueError."""
        found = [one for one in self.hats if name in ("", one.name)]
        if len(found) != 1:
            names = ", ".join(one.name for one in self.hats)
            raise ValueError(f"wanted one of the boards {names}, got {name or 'no name'}")
        return found[0]

    def status_path(self, hat: HatSettings) -> Path:
        """Where the recorder shows how a board and the link to it are."""
        return self.ring_path(hat).with_suffix(".status.json")

    def first_line(self, hat: HatSettings) -> int:
        """The number of the board's first line: lines are counted through all boards."""
        return 1 + sum(one.lines for one in self.hats[: self.hats.index(hat)])

    @property
    def total_lines(self) -> int:
        """Lines of all boards."""
        return sum(hat.lines for hat in self.hats)

    @property
    def most_pre_roll_s(self) -> float:
        """What of a line's ring may be pre-roll."""
        return min(60.0, round(self.record.ring_s * RING_SHARE, 1))

    def line(self, number: int) -> LineSettings:
        """What the file says of line `number`, defaults included; people may have changed it since."""
        block = next((one for one in self.lines if one.line == number), LineBlock(line=number))
        return LineSettings(
            **asdict(block),
            holidays=self.box.holidays,
            country=self.box.country,
            never_record="\n".join(one.entry for one in self.never_record),
            off_hook_alarm_min=self.record.off_hook_alarm_min,
            silent_alarm_min=self.record.silent_alarm_min,
            no_ring_alarm_days=self.record.no_ring_alarm_days,
        )


def read_config(path: Path) -> Config:
    """Read the box's settings; SettingsError names everything that is wrong with them."""
    config = read_toml(path, Config)
    faults = _faults_between_keys(config)
    if faults:
        raise SettingsError(str(path), faults)
    return config


def _faults_between_keys(config: Config) -> list[str]:
    faults = []
    total = config.total_lines
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
    faults += [
        f"lines[{at}].pre_roll_s is {line.pre_roll_s:g}, more than two thirds of record.ring_s"
        f" ({config.most_pre_roll_s:g})"
        for at, line in enumerate(config.lines, start=1)
        if line.pre_roll_s > config.most_pre_roll_s
    ]
    if config.head_office.host:
        faults += [
            f"head_office.{key} is missing: needed because head_office.host is set"
            for key in ("ca", "cert", "key", "bulk_cert", "bulk_key")
            if not getattr(config.head_office, key)
        ]
    return faults + _faults_of_web(config.web) + _faults_of_storage(config, total)


def _faults_of_web(web: WebPageSettings) -> list[str]:
    """A page that would send passwords in the clear, or certificates that belong to nothing."""
    faults = []
    if (web.https == "files") != bool(web.tls_cert) or (web.https == "files") != bool(web.tls_key):
        faults.append('web.tls_cert and web.tls_key belong together, and to web.https = "files": all or none')
    if web.https == "off" and web.host not in ("127.0.0.1", "::1", "localhost"):
        faults.append(
            f'web.https is "off", but web.host is {web.host!r}: without HTTPS only this machine is served'
        )
    if web.http_port and web.https == "off":
        faults.append('web.http_port sends on to HTTPS, but web.https is "off"')
    if web.http_port == web.port:
        faults.append(f"web.http_port and web.port are both {web.port}")
    return faults


def _faults_of_storage(config: Config, total_lines: int) -> list[str]:
    """Retention that cannot be meant: rungs out of order, rules that never come to anything."""
    faults = []
    storage = config.storage
    rungs = [storage.warn_percent, storage.purge_percent, storage.stop_percent, storage.last_percent]
    if any(upper - lower < 2 for lower, upper in pairwise(rungs)):
        faults.append(
            "storage: warn_percent, purge_percent, stop_percent and last_percent rise by at least 2 each,"
            f" got {', '.join(map(str, rungs))}"
        )
    if storage.backup_dir:
        folder = Path(storage.backup_dir)
        if not folder.is_absolute():
            faults.append(f"storage.backup_dir must be a full path beginning with /, got {str(folder)!r}")
        elif folder.is_relative_to(config.box.data_dir) or config.box.data_dir.is_relative_to(folder):
            faults.append(
                "storage.backup_dir and box.data_dir lie one in the other: a backup needs its own place"
            )
    for at, keep in enumerate(config.keep, start=1):
        if keep.line > total_lines:
            faults.append(f"keep[{at}].line is {keep.line}, but the boards have lines 1 to {total_lines}")
        if 0 < keep.keep_days <= keep.opus_after_days:
            faults.append(
                f"keep[{at}].opus_after_days is {keep.opus_after_days}, but audio is deleted after"
                f" {keep.keep_days} days"
            )
        for earlier_at, earlier in enumerate(config.keep[: at - 1], start=1):
            if earlier.line in (0, keep.line) and earlier.calls in ("any", keep.calls):
                faults.append(f"keep[{at}] never counts: keep[{earlier_at}] before it fits the same calls")
                break
    return faults
