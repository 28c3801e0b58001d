"""The worker's part in webhooks: what is due is made, signed and sent, and what came of it written down.

A delivery says what its hook's owner may see at the moment it is sent: a right that was taken away in the
meantime takes the delivery with it. It may come twice, when the worker dies between sending and writing down;
its id is the same both times.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import urllib3
from sqlalchemy import Engine, RowMapping

from cloud.field_keys import KeyFault, Keyring
from cloud.store import people, webhooks
from cloud.store.database import read, write
from cloud.webhooks.attempts import Answer, Outcome, State, outcome
from cloud.webhooks.events import TOLD
from cloud.webhooks.reach import Reach
from cloud.webhooks.sending import send
from cloud.webhooks.signing import DELIVERY, EVENT, SIGNATURE, signature
from sync.moment import to_text

AT_ONCE = 8  # a receiver that is slow must not hold up the others
A_ROUND = 64
CLAIMED = timedelta(minutes=5)  # longer than a round can take
WITHHELD = "the hook's owner may not see this"
UNSIGNED = "the hook's secret cannot be read: the key it is sealed with is missing"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery that is ready to be sent."""

    delivery: RowMapping
    said: dict[str, Any] | None  # None: the hook's owner may not see it
    secret: str | None  # None: it cannot be read

    @property
    def body(self) -> bytes:
        """What is sent."""
        one = self.delivery
        letter = {"id": one["id"], "kind": one["kind"], "at_utc": one["at_utc"], "data": self.said}
        return json.dumps(letter, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Office:
    """Where deliveries are made and sent from."""

    engine: Engine
    keys: Keyring
    pool: urllib3.PoolManager
    reach: Reach = field(default_factory=Reach)

    def deliver(self, now: datetime) -> int:
        """Try a round of what is due; how many were tried."""
        with write(self.engine) as db:
            claimed = webhooks.claim(db, to_text(now), to_text(now + CLAIMED), A_ROUND)
        letters = [self._letter(one, now) for one in claimed]
        with ThreadPoolExecutor(AT_ONCE) as senders:
            answers = list(senders.map(lambda letter: self._post(letter, now), letters))
        self._settle(letters, answers, now)
        return len(letters)

    def _letter(self, delivery: RowMapping, now: datetime) -> Letter:
        with read(self.engine) as db:
            owner = people.person_of(db, delivery["owner_id"])
        said, telling = None, TOLD.get(delivery["kind"])
        if owner is not None and telling is not None:
            why = {"hook": delivery["hook_id"], "event": delivery["kind"]}
            said = telling(self.engine, owner, delivery["object_id"], why, now)
        return Letter(delivery, said, self._secret(delivery))

    def _secret(self, delivery: RowMapping) -> str | None:
        try:
            return self.keys.open(delivery["secret"], webhooks.secret_place(delivery["hook_id"]))
        except KeyFault as fault:  # of one hook: the others go on
            log.warning("webhook %s: %s", delivery["hook_id"], fault)
            return None

    def _post(self, letter: Letter, now: datetime) -> Answer:
        if letter.said is None:
            return Answer(fault=WITHHELD)
        if letter.secret is None:
            return Answer(fault=UNSIGNED)
        body = letter.body
        headers = {
            "Content-Type": "application/json",
            EVENT: letter.delivery["kind"],
            DELIVERY: letter.delivery["id"],
            SIGNATURE: signature(letter.secret, body, int(now.timestamp())),
        }
        return send(self.pool, letter.delivery["url"], body, headers, self.reach)

    def _settle(self, letters: Sequence[Letter], answers: Iterable[Answer], now: datetime) -> None:
        now_utc = to_text(now)
        with write(self.engine) as db:
            for letter, answer in zip(letters, answers, strict=True):
                webhooks.settle(db, letter.delivery, answer, _outcome(letter, answer, now), now_utc)


def _outcome(letter: Letter, answer: Answer, now: datetime) -> Outcome:
    if letter.said is None:  # asking again brings nothing
        return Outcome(State.DEAD)
    return outcome(answer, letter.delivery["tries"] + 1, now, random.random())
