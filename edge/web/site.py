"""The page's shared parts (`Site`) and one request as a page function sees it (`Visit`).

A page function takes a Visit and returns an answer; it touches no global of the web framework, so it can be
read, and called, alone.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from gettext import NullTranslations
from pathlib import Path
from typing import Any

from bottle import HTTPResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from edge.clock import Clock
from edge.store.users import User
from edge.web import shown
from edge.web.meter import Meter
from edge.web.plain import json_answer
from edge.web.pulse import Pulse
from edge.web.rights import Right
from edge.web.sessions import form_token
from edge.web.settings import WebSettings
from sync.accounts import Throttle
from sync.db import connect
from sync.locale import LANGUAGES, Language, load_translations
from sync.moment import to_text
from sync.templates import COMPILED

ROOM = Path(__file__).parent
MOST_STREAMS = 40  # a browser with an open Lines page has two: the lines and its pop-ups


def make_templates(settings: WebSettings, language: Language) -> Environment:
    """The templates in one language; every value is escaped, an unknown name is an error."""
    templates = Environment(
        loader=FileSystemLoader(ROOM / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        bytecode_cache=COMPILED,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = load_translations(ROOM / "locale", language)
    templates.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    zone = settings.zone
    templates.filters.update(
        clock_time=lambda moment_utc: shown.clock_time(moment_utc, zone),
        day_time=lambda moment_utc: shown.day_time(moment_utc, zone),
        recent_time=lambda moment_utc, now_utc: shown.recent_time(moment_utc, now_utc, zone),
        length=shown.length,
        size=shown.size,
        visible=shown.visible,
        visible_lines=shown.visible_lines,
        other_party=shown.other_party,
        digits=shown.digits,
        number_words=shown.number_words,
    )
    templates.globals.update(shown=shown, settings=settings, languages=LANGUAGES, language=language)
    return templates


@dataclass(frozen=True, slots=True)
class Site:
    """What all requests share."""

    settings: WebSettings
    clock: Clock
    stop: threading.Event
    templates: Mapping[str, Environment]
    words: Mapping[str, NullTranslations]
    pulse: Pulse
    meter: Meter
    boards: dict[Any, Any] = field(default_factory=dict)  # edge.web.stream.Board by who may share it
    throttle: Throttle = field(default_factory=Throttle)
    log_in_lock: threading.Lock = field(default_factory=threading.Lock)
    streams: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST_STREAMS)
    )

    @classmethod
    def build(cls, settings: WebSettings, clock: Clock, stop: threading.Event) -> Site:
        """Read the catalogues and templates."""
        templates = {code: make_templates(settings, language) for code, language in LANGUAGES.items()}
        words = {code: load_translations(ROOM / "locale", language) for code, language in LANGUAGES.items()}
        return cls(settings, clock, stop, templates, words, Pulse(settings.rings), Meter(settings.rings))

    def open_db(self) -> sqlite3.Connection:
        """A connection of one's own to the branch database; close it."""
        return connect(self.settings.database)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, after the door: who, in which language, asking what."""

    site: Site
    db: sqlite3.Connection
    now: datetime
    address: str
    language: Language
    path: str  # with its query, as a link back to here
    query: Mapping[str, str]
    form: Mapping[str, str]
    host: str = "localhost"  # by which the box was asked for
    user: User | None = None
    token: str | None = None
    rights: frozenset[Right] = frozenset()
    lines: frozenset[int] | None = frozenset()  # whose calls the user sees; None: all

    @property
    def templates(self) -> Environment:
        """The templates in the reader's language."""
        return self.site.templates[self.language.code]

    def may(self, right: Right | str) -> bool:
        """Whether the user has a right (templates name it by its value)."""
        return Right(right) in self.rights

    def sees(self, line: int) -> bool:
        """Whether the calls of a line are the user's to see."""
        return self.lines is None or line in self.lines

    def render(self, template: str, **values: Any) -> str:
        """The template as text, with what every template may use."""
        return self.templates.get_template(template).render(
            **values,
            user=self.user,
            may=self.may,
            now_utc=to_text(self.now),
            here=self.path,
            form_token=form_token(self.token) if self.token else "",
        )

    def text(self, marked_text: str) -> str:
        """A marked text in the reader's language."""
        return self.site.words[self.language.code].gettext(marked_text)

    @property
    def is_api(self) -> bool:
        """Whether a program asks: every refusal is JSON then, too."""
        return self.path.startswith("/api/")

    def page(self, template: str, status: int = 200, **values: Any) -> HTTPResponse:
        """An answer that is a page; for a program, no more of it than what was wrong."""
        if self.is_api:
            fault = values.get("fault") or values.get("wrong") or ""
            return json_answer({"error": status, "fault": self.text(fault) if fault else ""}, status)
        return HTTPResponse(
            self.render(template, **values),
            status=status,
            headers={"Content-Type": "text/html; charset=utf-8"},
        )

    def today(self) -> str:
        """Today's date here, and so in every query that means today: 2026-11-22."""
        return self.now.astimezone(self.site.settings.zone).date().isoformat()


def see_other(path: str) -> HTTPResponse:
    """An answer that sends the browser on to a page of ours."""
    return HTTPResponse(status=303, headers={"Location": path})


def local_path(path: str, otherwise: str = "/") -> str:
    """`path` if it surely leads nowhere but to this site, else `otherwise`."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else otherwise
