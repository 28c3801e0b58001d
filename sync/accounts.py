"""Log-in rules: which passwords are refused, how they are hashed, how guessing is slowed down.

The branch page and head office's page share them; nothing here knows a clock, a database or a request.

    PasswordRefused
      TooShort       fewer than 8 characters
      TooLong        more than 128 characters
      TooCommon      on the list, a run of neighbours, one piece repeated, or made of the account's name

Length and commonness follow OWASP ASVS 5.0, 6.2.1-6.2.9: no rule about which characters must occur.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 8
LONGEST = 128

# argon2id with OWASP's second choice (19 MiB, 2 passes, 1 lane): about 0.1 s on a Raspberry Pi 4's core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

_COMMON_TEXT = """
    11111111 12121212 123123123 1234567890 12344321 123456789 1234qwer 123qweasd 147258369 1q2w3e4r 1q2w3e4r5t
    1qaz2wsx 1qazxsw2 20082008 5201314520 52013145201314 987654321 a1234567 a12345678 a123456789 aa123456
    abc12345 abc123456 abcd1234 admin123 admin1234 admin888 adminadmin administrator asd123456 asdf1234
    asdfghjkl baseball basketball branchline charlie1 changeme default1 dragon123 football google123 iloveyou
    iloveyou1 internet letmein1 liverpool login123 master123 michael1 monkey123 p@ssw0rd p@ssword pass1234
    passw0rd password password1 password12 password123 princess q1w2e3r4 q1w2e3r4t5 qazwsxedc qq123456
    qwe123456 qweasdzxc qwer1234 qwerty12 qwerty123 qwertyui qwertyuiop raspberry recorder root1234 sunshine
    superman superuser telephone test1234 trustno1 user1234 welcome1 welcome123 whatever woaini1314
    woaini520 woaini521 wodemima xiaoming z123456789 zaq12wsx zxc123456 zxcvbnm1 zxcvbnm123
"""
_COMMON = frozenset(_COMMON_TEXT.split())


class PasswordRefused(ValueError):
    """A password that may not be used; the message says why."""

    reason = "refused"


class TooShort(PasswordRefused):
    """Fewer than `SHORTEST` characters."""

    reason = "too_short"


class TooLong(PasswordRefused):
    """More than `LONGEST` characters: hashing has a cost, so its input has a limit."""

    reason = "too_long"


class TooCommon(PasswordRefused):
    """Among the first that somebody guessing would try."""

    reason = "too_common"


def check_password(password: str, account: str) -> None:
    """Raise PasswordRefused when `password` may not be the password of `account`."""
    if len(password) < SHORTEST:
        raise TooShort(f"a password needs at least {SHORTEST} characters, got {len(password)}")
    if len(password) > LONGEST:
        raise TooLong(f"a password may have at most {LONGEST} characters, got {len(password)}")
    folded = unicodedata.normalize("NFKC", password).casefold()
    name = unicodedata.normalize("NFKC", account).casefold()
    if folded in _COMMON or _is_run(folded) or _is_repeated(folded):
        raise TooCommon("this password is among the first that are guessed; choose another")
    if name and len(folded.replace(name, "")) < SHORTEST // 2:
        raise TooCommon("a password may not be little more than the account's name")


def _is_run(text: str) -> bool:
    """Whether every character is its neighbour's successor, or every one its predecessor (`23456789`)."""
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


def _is_repeated(text: str) -> bool:
    """Whether one piece of up to four characters makes up the whole (`ab1ab1ab1`)."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 5))


def hash_password(password: str) -> str:
    """The argon2id hash of `password`, with its salt and cost, as text to store."""
    return _HASHER.hash(unicodedata.normalize("NFKC", password))


# Checked when there is no such account, so that the answer takes as long as a wrong password's.
_NOBODY = hash_password(secrets.token_hex())


def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` made `stored`; None (no such account) costs the same time and is never true."""
    if len(password) > LONGEST:
        return False
    try:
        _HASHER.verify(_NOBODY if stored is None else stored, unicodedata.normalize("NFKC", password))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether `stored` was made at another cost than today's."""
    return _HASHER.check_needs_rehash(stored)


FREE_TRIES = 5
LONGEST_WAIT_S = 120.0
FORGET_AFTER_S = 900.0
MOST_KEYS = 10_000
_MOMENT_S = 1e-6  # whoever waited as told is not sent away by a rounding error


@dataclass(frozen=True, slots=True)
class Tries:
    """Log-in tries under one key (an account, an address) that have not led to a log-in."""

    count: int
    last_s: float


def wait_s(tries: Tries | None, now_s: float) -> float:
    """Seconds until the next try is heard: none for the first five, then 2, 4, 8 ... at most 120."""
    if tries is None or tries.count < FREE_TRIES or now_s - tries.last_s >= FORGET_AFTER_S:
        return 0.0
    pause_s = min(2.0 ** (tries.count - FREE_TRIES + 1), LONGEST_WAIT_S)
    left_s = pause_s - (now_s - tries.last_s)
    return left_s if left_s > _MOMENT_S else 0.0


def another(tries: Tries | None, now_s: float) -> Tries:
    """`tries` and one more at `now_s`."""
    forgotten = tries is None or now_s - tries.last_s >= FORGET_AFTER_S
    return Tries(1 if tries is None or forgotten else tries.count + 1, now_s)


class Throttle:
    """Slows down guessing, per key, and locks nobody out.

    A try is counted before its password is checked, so a thousand at once get no further than a thousand in
    a row. A refused try is not counted: keeping on trying does not make the wait longer. It holds the latest
    `MOST_KEYS` keys. The caller keeps two threads from being in it at once.
    """

    def __init__(self) -> None:
        self._tries: OrderedDict[str, Tries] = OrderedDict()

    def admit(self, keys: Iterable[str], now_s: float) -> float:
        """Count a try under all `keys` and return 0, or return the seconds to wait and count nothing."""
        keys = tuple(keys)
        pause_s = max((wait_s(self._tries.get(key), now_s) for key in keys), default=0.0)
        if pause_s > 0:
            return pause_s
        for key in keys:
            self._tries[key] = another(self._tries.pop(key, None), now_s)
        while len(self._tries) > MOST_KEYS:
            self._tries.popitem(last=False)
        return 0.0

    def forgive(self, keys: Iterable[str]) -> None:
        """Forget the tries under `keys`: one of them was a log-in."""
        for key in keys:
            self._tries.pop(key, None)


def throttle_keys(account: str, address: str, address_known: bool) -> tuple[str, ...]:
    """The keys under which a try counts: the pair, the address, and the account from strange addresses.

    An address from which the account has logged in before does not share the account's wait, so nobody can
    keep its owner out by guessing from elsewhere.
    """
    name = account.strip().casefold()[:LONGEST]
    keys = (f"pair {name} {address}", f"address {address}")
    return keys if address_known else (*keys, f"account {name}")
