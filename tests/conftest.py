"""For every test: hypothesis without a clock, the longest stories first, head office's two databases.

How long an example takes depends on who else uses the machine, so no test fails for it. The stories of whole
worlds mostly wait; begun first, they wait beside everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.databases import POSTGRESQL, SQLITE, Emptied, new_sqlite
from tests.postgres import PostgresServer
from tests.s3 import S3Server
from tests.sync import test_protocol as protocol

settings.register_profile("branchline", deadline=None)
settings.load_profile("branchline")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much of the protocol is shown by tests, after every run."""
    shown, sentences = protocol.shown(), len(protocol.LINES)
    terminalreporter.write_line(
        f"protocol: {shown} of {sentences} numbered sentences have a test ({shown / sentences:.0%})"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups (a group runs in one process, in order) before the rest."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are called by their argument: packed ones differ with each run, and the processes must agree."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Nothing of a group runs beside the rest of it: what has the mark must have the suffix that groups."""
    if not session.config.getoption("loadgroup", False):
        return
    alone = [item.nodeid for item in session.items if item.get_closest_marker("xdist_group")]
    if not all("@" in nodeid for nodeid in alone):
        raise pytest.UsageError("pytest-xdist keeps no group together with this pytest: take an older one")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server of this test process, started when the first test asks for it."""
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def emptied(postgres: PostgresServer) -> Emptied:
    """Head office's tables on that server, made once and emptied after each test."""
    return Emptied(postgres.url(postgres.make_database()))


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty head-office database, on SQLite and then on PostgreSQL."""
    if request.param == SQLITE:
        yield new_sqlite(tmp_path / "head-office-test.db")
        return
    emptied: Emptied = request.getfixturevalue("emptied")
    yield emptied.url
    emptied.empty()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A store that speaks S3, started when the first test asks for it."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()
