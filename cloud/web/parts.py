"""What every route of the page works with, made once by `build_app` and hung on the application."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine
from starlette.requests import Request

from cloud.config import Settings
from cloud.field_keys import KeyFile, Keyring
from cloud.objects import Objects
from cloud.web.views import Views
from sync.accounts import Throttle
from sync.moment import to_text


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: one for people and the database, one for pauses."""

    now: Callable[[], datetime]
    monotonic_s: Callable[[], float]

    def now_utc(self) -> str:
        """The moment as the database keeps it."""
        return to_text(self.now())


@dataclass(frozen=True, slots=True)
class Parts:
    """Settings, database, recordings, templates, clocks, field keys and the log-in throttle."""

    settings: Settings
    engine: Engine
    objects: Objects
    views: Views
    clock: Clock
    keys: KeyFile
    patience_s: float = 2.0  # how long a request waits for an export; 0: not at all
    throttle: Throttle = field(default_factory=Throttle)
    throttle_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ring(self) -> Keyring:
        """The field keys as they are now."""
        return self.keys.ring(self.clock.now_utc())


def parts_of(request: Request) -> Parts:
    """The parts of the application that serves `request`."""
    parts: Parts = request.app.state.parts
    return parts
