"""What stands behind an address: a function, the right it takes, and how much may be sent to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloud.access.guard import Open
from cloud.access.roles import Right

LONGEST_BODY_BYTES = 64 * 1024  # no small form of ours comes near
LONGEST_RECORD_BYTES = 512 * 1024  # a company with all its contacts


@dataclass(frozen=True, slots=True)
class Route:
    """What answers an address, and the right it takes."""

    endpoint: Callable[..., Any]
    needs: Right | Open
    status: int = 200  # when all is well
    longest_body_bytes: int = LONGEST_BODY_BYTES
