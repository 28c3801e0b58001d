"""Turns facts into pages: templates in two languages, and how times, lengths and numbers are written.

Everything shown is escaped by the templates; nothing here or there marks outside text as safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from cloud.access.purposes import PURPOSES
from cloud.access.roles import ROLE_NAMES
from cloud.access.shape import Call
from cloud.calls import reports
from cloud.orders import rules as orders
from cloud.releases import rules as releases
from cloud.web import words
from sync.locale import LANGUAGES, Language, load_translations
from sync.mask import mask_text
from sync.moment import from_text
from sync.templates import COMPILED

HERE = Path(__file__).parent
_CODE = re.compile("`([^`]+)`")
_MOBILE = re.compile(r"1[0-9]{10}")


class Views:
    """The templates, once per language."""

    def __init__(self, organisation: str, zone: ZoneInfo) -> None:
        self.zone = zone
        self._views: dict[str, Environment] = {}
        self._translations: dict[str, Translations] = {}
        for code, language in LANGUAGES.items():
            self._translations[code] = load_translations(HERE / "locale", language)
            self._views[code] = _environment(language, self._translations[code], organisation, zone)

    def render(self, template: str, language: str, facts: Mapping[str, Any]) -> str:
        """The page made of `template` and `facts`, in `language`."""
        return self._views[language].get_template(template).render(facts)

    def translate(self, text: str, language: str, **values: object) -> str:
        """A marked text in `language`."""
        said = str(self._translations[language].gettext(text))
        return said % values if values else said  # what was said already may hold a sign of per cent


def _environment(
    language: Language, translations: Translations, organisation: str, zone: ZoneInfo
) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        bytecode_cache=COMPILED,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "moment": lambda utc: moment_text(utc, zone),
        "clock_time": lambda utc: moment_text(utc, zone)[11:],
        "length": length_text,
        "phone": phone_text,
        "size": size_text,
        "masked": mask_text,
        "code": code_text,
        # gettext of an empty text is the catalogue's own head.
        "word": lambda value, table: translations.gettext(word(value, table)) if value else "",
    }
    environment.globals |= {
        "language": language,
        "languages": LANGUAGES,
        "organisation": organisation,
        "role_names": ROLE_NAMES,
        "words": words,
        "other_party": other_party,
        "report_states": reports.STATES,
        "report_steps": reports.STEPS,
        "order_words": orders,
        "release_words": releases,
        "purposes": PURPOSES,
    }
    return environment


def moment_text(utc: str, zone: ZoneInfo) -> str:
    """`2026-02-03 14:05:09` in `zone`."""
    return from_text(utc).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def length_text(ms: float) -> str:
    """`0:07`, `12:34`, `1:02:03`: whole seconds, rounded down."""
    minutes, seconds = divmod(int(ms // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def phone_text(number: str) -> str:
    """A mobile number in three groups, as it is read aloud; anything else as it came."""
    return f"{number[:3]} {number[3:7]} {number[7:]}" if _MOBILE.fullmatch(number) else number


def code_text(text: str) -> Markup:
    """What stands between backticks, as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def size_text(size_bytes: int) -> str:
    """`812 B`, `34.5 kB`, `1.2 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    return f"{size_bytes / 1000:.1f} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1_000_000:.1f} MB"


def word(value: str, table: Mapping[str, str]) -> str:
    """What people call `value`; a value from a newer box that has no word yet is shown as it is."""
    return table.get(value, value)


def other_party(call: Call) -> str | None:
    """The number at the other end: who called, or what was dialled."""
    return call.dialled if call.direction == "out" else call.caller_number


@dataclass(frozen=True, slots=True)
class Day:
    """A day as people write it, in some time zone."""

    text: str  # 2026-02-03

    def begins(self, zone: ZoneInfo) -> datetime:
        """Its first moment; ValueError when there is no such day."""
        return datetime.strptime(self.text, "%Y-%m-%d").replace(tzinfo=zone)

    def ends(self, zone: ZoneInfo) -> datetime:
        """The first moment of the next day."""
        return (self.begins(zone).replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
