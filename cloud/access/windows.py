"""How far back a role may read by itself, on each channel; whatever is older takes a grant (CDR-20..26).

Days are counted generously: the day that has begun counts whole in every time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from sync.locale import marked

MONTHS_3, MONTHS_6 = 92, 184  # days
CHANNEL_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "web": marked("Pages"),
        "api": marked("API"),
        "hotline": marked("Hotline"),
        "counter": marked("Counter"),
        "self_service": marked("Self-service"),
        "webhook": marked("Webhook"),
    }
)
CHANNELS = ("web", "api", "hotline", "counter", "self_service", "webhook")


@dataclass(frozen=True, slots=True)
class Window:
    """Days a role may look back on its own. `days` None: without a bound; 0: nothing without a grant."""

    days: int | None

    def since(self, now: datetime) -> datetime | None:
        """The oldest moment that may be read at `now` (UTC); None: no bound."""
        if self.days is None:
            return None
        if self.days == 0:
            return now
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=self.days + 1)


NOTHING = Window(0)
_STAFF = {"web": MONTHS_6, "api": MONTHS_6, "hotline": MONTHS_6, "counter": MONTHS_6, "webhook": MONTHS_6}
_AGENT = {"web": MONTHS_3, "api": MONTHS_3, "hotline": MONTHS_6, "counter": MONTHS_6, "webhook": MONTHS_3}

# (role, channel) -> days. A pair that is not listed has no window at all.
WINDOWS: Mapping[tuple[str, str], int | None] = MappingProxyType(
    {
        **{("agent", channel): days for channel, days in _AGENT.items()},
        **{("senior_agent", channel): days for channel, days in _STAFF.items()},
        **{("manager", channel): days for channel, days in _STAFF.items()},
        **{("account_manager", channel): days for channel, days in _STAFF.items()},
        **{("admin", channel): days for channel, days in _STAFF.items()},
        **{("approver_1", channel): days for channel, days in _STAFF.items()},
        **{("approver_2", channel): days for channel, days in _STAFF.items()},
        ("subscriber", "self_service"): MONTHS_6,
        ("subscriber", "hotline"): MONTHS_6,
        ("subscriber", "counter"): MONTHS_6,
        **{
            ("judicial", channel): None for channel in ("web", "api", "counter")
        },  # CDR-07; still takes a grant
    }
)


def window_of(role: str, channel: str, windows: Mapping[tuple[str, str], int | None] = WINDOWS) -> Window:
    """The window of `role` on `channel`; nothing for a pair nobody listed."""
    return Window(windows[role, channel]) if (role, channel) in windows else NOTHING
