"""Stand-ins for tests: a clock moved by hand, an executor that works at once, a way to wait for facts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Fact = TypeVar("Fact")


class FakeClock:
    """Obeys `edge.clock.Clock`; `advance` moves both clocks, `set_utc` only the wall clock."""

    def __init__(self, utc: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._s = 1000.0
        self._utc = utc

    def monotonic_s(self) -> float:
        return self._s

    def utc(self) -> datetime:
        return self._utc

    def quality(self) -> str:
        return "ntp"

    def advance(self, seconds: float) -> None:
        self._s += seconds
        self._utc += timedelta(seconds=seconds)

    def set_utc(self, utc: datetime) -> None:
        self._utc = utc


class AtOnce(Executor):
    """Runs what is submitted before `submit` returns, as a worker of endless speed would."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def wait_for(fact: Callable[[], Fact], timeout_s: float = 30.0, what: str = "the fact") -> Fact:
    """Ask until `fact()` is true and return it; fail the test when it never is."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s:g} s"
        pause.wait(0.01)
    return found
