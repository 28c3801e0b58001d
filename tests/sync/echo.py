"""A link that hears some messages again: at once, later, or in the next life of its process.

folder/heard   one byte per message from the broker
folder/again   one byte per message that was heard again
folder/echo-*  messages still to be heard again: topic, NUL, payload
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from sync.transport import Arrived, Link

SHARE = 0.2  # of the messages
STEPS = (0, 1, 20, 200)  # of the loop until it is heard again; a killed process leaves it to the next one
NO_PACKET = 0  # mid of what the broker did not send


@dataclass(slots=True)
class EchoingLink(Link):
    """A Link whose messages may come twice."""

    folder: Path = Path()
    _choice: random.Random = field(default_factory=random.Random)
    _due: dict[Path, int] = field(default_factory=dict)  # steps that are left

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self._due = {path: 5 for path in self.folder.glob("echo-*")}

    def step(self) -> list[Arrived]:
        """What arrives, and what is heard again."""
        arrived = super(EchoingLink, self).step()
        _note(self.folder / "heard", len(arrived))
        for message in arrived:
            if self._choice.random() < SHARE:
                path = self.folder / f"echo-{self._choice.getrandbits(64):016x}"
                path.write_bytes(message.topic.encode() + b"\0" + message.payload)
                self._due[path] = self._choice.choice(STEPS)
        again = [path for path, steps in self._due.items() if steps == 0] if self.up else []
        self._due = {path: max(0, steps - 1) for path, steps in self._due.items() if path not in again}
        _note(self.folder / "again", len(again))
        return [*arrived, *map(_heard_again, again)]

    def done(self, arrived: Arrived) -> None:
        """Acknowledge what the broker has sent."""
        if arrived.mid != NO_PACKET:
            super(EchoingLink, self).done(arrived)


def counted(folder: Path) -> tuple[int, int]:
    """(messages heard, of these again), over all lives."""
    heard, again = ((folder / name).stat().st_size for name in ("heard", "again"))
    return heard, again


def _note(file: Path, count: int) -> None:
    with file.open("ab") as out:
        os.write(out.fileno(), b"." * count)


def _heard_again(path: Path) -> Arrived:
    topic, _, payload = path.read_bytes().partition(b"\0")
    path.unlink()
    return Arrived(topic.decode(), payload, NO_PACKET)
