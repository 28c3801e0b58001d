"""The box's side of presence and of its clock: birth and will on channel `b`, stretches of the clock."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.store import stretches
from edge.store.health import tell_trouble
from sync import outbox, topics
from sync.db import write
from sync.moment import from_text, to_text
from sync.presence import Birth, Death, pack
from sync.skew import WRONG_MS, jumped, measured
from sync.transport import Link

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CLOCK = "clock_off"  # of the box's health


def boot_id() -> str:
    """What this machine is called since it was switched on."""
    return BOOT_ID.read_text(encoding="ascii").strip()


@dataclass(slots=True)
class PresenceEnd:
    """Says that this box is here, and watches its clock."""

    box_id: str
    db: sqlite3.Connection
    link: Link
    boot: str
    data_dir: Path
    _nonce: str = ""
    _born: bool = False
    _wrong: bool | None = None
    _base_ms: int | None = None

    def __post_init__(self) -> None:
        self.link.will = self._will

    def step(self, welcome: bool, now_s: float, now: datetime) -> None:
        """Say the birth once per connection; notice that the clock was set."""
        base_ms = round(now.timestamp() * 1000 - now_s * 1000)
        if self._base_ms is None or jumped(self._base_ms, base_ms):
            self._base_ms = base_ms
            if stretches.begins(self.db, self.boot, base_ms):
                with write(self.db):
                    stretches.begin(self.db, self.boot, base_ms)
        if not welcome:
            self._born = False
        elif not self._born:
            self._born = True
            self.link.publish(self._topic, pack(self._birth(now)), retain=True)

    def exchanged(self, asked: datetime, answered: datetime, hq_utc: str) -> bool:
        """When hello was said and welcome came, by our clock; whether there is something to tell."""
        offset = measured(asked, answered, from_text(hq_utc))
        found = stretches.to_tell(self.db, offset)
        wrong = abs(offset.ms) > WRONG_MS
        if not found and wrong == self._wrong:
            return False
        self._wrong, now_utc = wrong, to_text(answered)
        with write(self.db):
            stretches.tell(self.db, found, now_utc)
            says = f"this clock is {-offset.ms / 1000:+.1f} s off head office's" if wrong else ""
            tell_trouble(self.db, CLOCK, says, now_utc)
        return bool(found)

    def close(self) -> None:
        """Say goodbye, if there is anyone to say it to."""
        if self._born and self.link.up:
            self.link.publish(self._topic, pack(Death(nonce=self._nonce)), retain=True)
            self._born = False

    @property
    def _topic(self) -> str:
        return topics.build(self.box_id, "up", "b")

    def _will(self) -> tuple[str, bytes]:
        """A new connection: its nonce, and what the broker says for us when it ends."""
        self._nonce = secrets.token_hex(8)
        return self._topic, pack(Death(nonce=self._nonce))

    def _birth(self, now: datetime) -> Birth:
        return Birth(
            nonce=self._nonce,
            boot=self.boot,
            epoch=outbox.epoch_of(self.db),
            at=to_text(now),
            heads=outbox.heads(self.db),
            free_bytes=shutil.disk_usage(self.data_dir).free,
        )
