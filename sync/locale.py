"""The pages' languages: message catalogues read straight from their .po text, and what is wrong with them.

No compiled catalogue lies about in the tree, so none can be older than its text; both pages read theirs here.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from sync.marked import marked as marked  # said here too: pages take all they need from one place


@dataclass(frozen=True, slots=True)
class Language:
    """A language a page can be shown in."""

    code: str  # in settings, cookies and links
    folder: str  # below the catalogues' folder
    tag: str  # BCP 47, for <html lang>
    name: str  # as its readers call it


LANGUAGES: dict[str, Language] = {
    "zh": Language("zh", "zh_CN", "zh-CN", "中文"),
    "en": Language("en", "en", "en", "English"),
}


def read_catalogue(locale_folder: Path, language: Language) -> Catalog:
    """The catalogue `<locale_folder>/<language folder>/messages.po`; ValueError names a broken line."""
    path = locale_folder / language.folder / "messages.po"
    with path.open("rb") as file:
        return read_po(file, locale=language.folder, abort_invalid=True)


def load_translations(locale_folder: Path, language: Language) -> Translations:
    """`language` as an object with gettext, ngettext and pgettext; ready for Jinja and for Python."""
    text = (locale_folder / language.folder / "messages.po").read_bytes()
    return Translations(io.BytesIO(_compiled(text, language.folder)))


@functools.cache
def _compiled(text: bytes, folder: str) -> bytes:
    """A catalogue as gettext wants it; a page asks for the same one several times."""
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(text), locale=folder, abort_invalid=True))
    return compiled.getvalue()


# One text as the catalogues know it: its context (or None) and its English, plural form included.
Marked = tuple[str | None, str | tuple[str, ...]]

_METHODS = [("**.py", "python"), ("**.html", "jinja2")]
_KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "marked": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}


def marked_texts(room: Path) -> set[Marked]:
    """Every text marked for translation in the Python files and templates below `room`."""
    found = extract_from_dir(room, _METHODS, keywords=_KEYWORDS, options_map={"**.html": {"silent": "false"}})
    return {(context, text) for _, _, text, _, context in found}


def catalogue_faults(catalogue: Catalog, wanted: Iterable[Marked]) -> list[str]:
    """One sentence for each text that is missing, unused, untranslated, or has other placeholders."""
    texts = {(message.context, _key(message.id)): message for message in catalogue if message.id}
    wanted = set(wanted)
    faults = [f"missing: {_shown(text)}" for text in wanted - texts.keys()]
    faults += [f"unused: {_shown(text)}" for text in texts.keys() - wanted]
    for text in wanted & texts.keys():
        message = texts[text]
        if message.fuzzy or not all(_strings(message.string)):
            faults.append(f"untranslated: {_shown(text)}")
        elif any(
            _placeholders(s) != _placeholders(_strings(message.id)[-1]) for s in _strings(message.string)
        ):
            faults.append(f"other placeholders: {_shown(text)}")
    return sorted(faults)


def _key(text: str | tuple[str, ...] | list[str]) -> str | tuple[str, ...]:
    return text if isinstance(text, str) else tuple(text)


def _strings(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """All forms of a text, in order; an untranslated one is empty."""
    if text is None:
        return ("",)
    return (text,) if isinstance(text, str) else tuple(text)


def _shown(text: Marked) -> str:
    context, words = text
    return " / ".join(_strings(words)) + (f" ({context})" if context else "")


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[a-z]|%[a-z]", text))
