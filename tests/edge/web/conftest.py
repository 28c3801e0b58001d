"""A branch in a temporary folder, and a browser that speaks WSGI to its page."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from edge.store.rights import LEVEL_RIGHTS, Right
from edge.store.schema import open_store
from edge.store.users import Profile, User, make_user
from edge.web.app import build_app
from edge.web.settings import WebSettings
from sync.moment import to_text
from tests.fakes import FakeClock

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # in Shanghai
PASSWORD = "orchard-bridge-7"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: SimpleCookie = field(default_factory=SimpleCookie)

    @property
    def text(self) -> str:
        return self.body.decode()


class Browser:
    """Keeps cookies, fills in the form token, and has every answer checked against the WSGI standard."""

    def __init__(self, app: Callable[..., Any], address: str = "192.0.2.10") -> None:
        self._app = validator(app)
        self.address = address
        self.jar: dict[str, str] = {}

    def start(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[Answer, Any]:
        """The answer without its body, and the body's iterator."""
        parts = urlsplit(path)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(parts.path, "latin-1"),
            "QUERY_STRING": parts.query,
            "REMOTE_ADDR": self.address,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_ACCEPT": "text/html",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }
        if method == "POST":
            environ |= {
                "CONTENT_TYPE": "application/x-www-form-urlencoded",
                "HTTP_ORIGIN": "http://127.0.0.1",
            }
        if self.jar:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        environ |= {name: value for name, value in headers.items() if value}
        for name in [name for name, value in headers.items() if not value]:
            environ.pop(name, None)
        setup_testing_defaults(environ)
        answer = Answer(0, {}, b"")

        def begin(status: str, pairs: list[tuple[str, str]], exc_info: object = None) -> Callable[..., None]:
            answer.status = int(status.split()[0])
            for name, value in pairs:
                if name.lower() == "set-cookie":
                    answer.cookies.load(value)
                answer.headers[name] = value
            for name, morsel in answer.cookies.items():
                self.jar[name] = morsel.value
            return lambda data: None

        return answer, self._app(environ, begin)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        answer, chunks = self.start(method, path, body, **headers)
        try:
            answer.body = b"".join(chunks)
        finally:
            chunks.close()
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Answer:
        return self.ask("POST", path, urlencode(fields or {}).encode(), **headers)

    def form_token(self, page: str = "/calls") -> str:
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.get(page).text)
        assert found, "no form on the page"
        return found[1]

    def log_in(self, name: str = "lin", password: str = PASSWORD) -> Answer:
        return self.post("/log-in", {"name": name, "password": password})


class Branch:
    """The page, its clock, and ways to write what the recorder would."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock = FakeClock(NOON)
        self.stop = threading.Event()
        self.recordings = folder / "recordings"
        self.recordings.mkdir()
        self.settings = WebSettings(
            folder / "branch.db",
            self.recordings,
            **({"time_zone": "Asia/Shanghai", "language": "en"} | settings),
        )
        self.db = open_store(self.settings.database)
        self.app = build_app(self.settings, self.clock, self.stop)

    def browser(self, address: str = "192.0.2.10") -> Browser:
        return Browser(self.app, address)

    def insert(self, table: str, **values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))

    def call(self, call_id: str, ago_s: float = 60, **values: Any) -> str:
        """An answered incoming call from 13800138000 on line 1, but for `values`."""
        row = {
            "line": 1,
            "line_name": "Front",
            "state": "ended",
            "direction": "in",
            "outcome": "answered",
            "started_utc": to_text(self.clock.utc() - timedelta(seconds=ago_s)),
            "duration_ms": 5000,
            "ring_count": 2,
            "caller_number": "13800138000",
            "caller_presentation": "available",
        }
        self.insert("calls", id=call_id, **(row | values))
        return call_id

    def recording(
        self, recording_id: str, call_id: str, content: bytes = b"fLaC audio", **values: Any
    ) -> str:
        """A finished recording of that call, and its file."""
        file = values.get("file", f"{recording_id}.flac")
        if "/" not in file:
            (self.recordings / file).write_bytes(content)
        row = {
            "state": "ready",
            "file": file,
            "started_utc": to_text(self.clock.utc()),
            "rate_hz": 8000,
            "samples": 80000,
            "codec": "flac",
            "size_bytes": len(content),
            "sha256": "ab" * 32,
        }
        self.insert("recordings", id=recording_id, call_id=call_id, **(row | values))
        return recording_id

    def line(self, line: int = 1, state: str = "idle", **values: Any) -> None:
        row = {"name": f"Line {line}", "since_utc": to_text(self.clock.utc())}
        self.insert("lines", line=line, state=state, **(row | values))

    def user(
        self,
        name: str,
        level: str,
        lines: frozenset[int] = frozenset(range(1, 9)),
        rights: frozenset[Right] | None = None,
        **more: Any,
    ) -> User:
        """A user linked to `lines`, with the rights of its level unless others are said."""
        rights = LEVEL_RIGHTS[level] if rights is None else rights
        return make_user(
            self.db, Profile(name, level, lines=lines, rights=rights, **more), PASSWORD, self.clock.utc()
        )

    def operations(self) -> list[tuple[str, str, str | None, str]]:
        rows = self.db.execute("SELECT operation, result, user_name, subject FROM operation_log ORDER BY id")
        return [tuple(row) for row in rows]


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory, for tests that write a thousand rows and prove nothing about disks."""
    with TemporaryDirectory(prefix="branchline-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    """A branch with one user, who is called lin."""
    made = Branch(tmp_path)
    made.user("lin", "ordinary")
    yield made
    made.stop.set()
    made.db.close()


@pytest.fixture
def staff(branch: Branch) -> Browser:
    """Lin's browser, logged in."""
    browser = branch.browser()
    assert browser.log_in().status == 303
    return browser
