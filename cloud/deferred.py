"""What boxes say that is taken later: manifests stand behind every batch that has arrived, a few at a time.

The hour ends for all branches in the same second, and a call record is worth more at once than a closed hour.
They wait in memory alone and within bounds: what finds no room here, or is lost, its box says again.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import islice

from cloud.entries import MANIFESTS, Message
from sync.topics import Topic, shard_of

MOST_BYTES = 32_000_000
AT_ONCE = 4  # in one transaction: so many a call record waits for

log = logging.getLogger(__name__)


def may_wait(topic: Topic) -> bool:
    """Whether a message of this topic may be taken after others that come later."""
    return topic.channel == MANIFESTS and not topic.bulk


@dataclass(slots=True)
class Deferred:
    """Messages in the order they came; the same one only once, however often its box asked meanwhile."""

    most_bytes: int = MOST_BYTES
    _messages: dict[Message, None] = field(default_factory=dict)
    _bytes: int = 0
    _full: bool = False

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Keep it, if there is room."""
        full = self._bytes + len(message[1]) > self.most_bytes
        if full and not self._full:
            log.warning("%d manifests wait; what comes now has to be asked again", len(self))
        self._full = full
        if not full and message not in self._messages:
            self._messages[message] = None
            self._bytes += len(message[1])

    def take(self, most: int = AT_ONCE) -> list[Message]:
        """The next few, which wait no longer."""
        taken = list(islice(self._messages, most))
        for message in taken:
            self._drop(message)
        return taken

    def keep(self, shards: Container[int]) -> None:
        """Forget what is of boxes in other shards: another worker serves them, and hears it again."""
        for message in [one for one in self._messages if shard_of(one[0].box_id) not in shards]:
            self._drop(message)

    def _drop(self, message: Message) -> None:
        del self._messages[message]
        self._bytes -= len(message[1])
