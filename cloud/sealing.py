"""Recordings that have arrived whole: read back, hashed and taken into the store, beside the ingest loop.

Disk, hash and a bucket far away take their time; meanwhile the loop goes on with what else arrives. Nothing
is promised here: the row, and the word to the box, are the loop's, once a job is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field

from cloud.incoming import Incoming
from cloud.objects import Objects
from cloud.transfers import Key


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the file hashed to, and where the store keeps it; no key if that was not what was wanted."""

    sha256: str
    object_key: str | None


class Bell:
    """Wakes whoever waits for `descriptor` to be readable; rung in any thread."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __del__(self) -> None:
        os.close(self.descriptor)

    def ring(self, _job: Future[Sealed]) -> None:
        """A job is done."""
        os.eventfd_write(self.descriptor, 1)

    def hush(self) -> None:
        """It was heard."""
        with suppress(BlockingIOError):  # nobody rang
            os.eventfd_read(self.descriptor)


@dataclass(slots=True)
class Sealing:
    """The jobs that are being done. While one is, nobody else may touch its file."""

    objects: Objects
    incoming: Incoming
    works: Executor
    bell: Bell = field(default_factory=Bell)  # rings when a job is done
    _jobs: dict[Key, Future[Sealed]] = field(default_factory=dict)

    def __contains__(self, key: Key) -> bool:
        return key in self._jobs

    def begin(self, key: Key, name: str, wanted: str) -> None:
        """Read back the unfinished file `name` and store it if its SHA-256 is `wanted`."""
        self._jobs[key] = job = self.works.submit(self._seal, name, wanted)
        job.add_done_callback(self.bell.ring)

    def done(self) -> list[tuple[Key, Future[Sealed]]]:
        """The jobs that are done, each once."""
        self.bell.hush()
        done = [(key, job) for key, job in self._jobs.items() if job.done()]
        for key, _ in done:
            del self._jobs[key]
        return done

    def keep(self, ours: Callable[[Key], bool]) -> None:
        """What becomes of the others no longer matters here."""
        self._jobs = {key: job for key, job in self._jobs.items() if ours(key)}

    def _seal(self, name: str, wanted: str) -> Sealed:
        file, found = self.incoming.whole(name)
        if found != wanted:
            return Sealed(found, None)
        sealed = Sealed(found, self.objects.take(file, found))
        self.incoming.cool(name)
        return sealed
