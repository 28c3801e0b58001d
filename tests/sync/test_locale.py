"""Catalogues: read from their text, and every fault in one named."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import PoFileError

from sync.locale import LANGUAGES, catalogue_faults, load_translations, marked, marked_texts, read_catalogue

ZH = LANGUAGES["zh"]
HEAD = r"""msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"
"""
PO = """
msgid "Missed"
msgstr "未接"

msgctxt "menu"
msgid "Missed"
msgstr "未接来电"

msgid "%(num)s call"
msgid_plural "%(num)s calls"
msgstr[0] "%(num)s 次通话"
"""


def write(folder: Path, po: str) -> Path:
    path = folder / "zh_CN" / "messages.po"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{HEAD}\n{po}", encoding="utf-8")
    return folder


def test_texts_are_translated(tmp_path: Path) -> None:
    chinese = load_translations(write(tmp_path, PO), ZH)
    assert chinese.gettext("Missed") == "未接"
    assert chinese.pgettext("menu", "Missed") == "未接来电"
    assert chinese.ngettext("%(num)s call", "%(num)s calls", 1) % {"num": 1} == "1 次通话"
    assert chinese.gettext("Not in it") == "Not in it"


def test_a_change_of_the_text_is_there_at_once(tmp_path: Path) -> None:
    load_translations(write(tmp_path, PO), ZH)
    assert load_translations(write(tmp_path, PO.replace("未接", "漏接")), ZH).gettext("Missed") == "漏接"


def test_a_broken_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoFileError):
        load_translations(write(tmp_path, "<<<<<<< HEAD\n" + PO), ZH)


def test_a_missing_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_translations(tmp_path, ZH)


def test_marking_changes_nothing() -> None:
    assert marked("Missed") == "Missed"


def test_marked_texts_are_found_in_python_and_templates(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text('TABLE = {"a": marked("One")}\nx = _("Two")\ny = other("No")\n')
    (tmp_path / "page.html").write_text(
        '{{ _("Three") }}{{ ngettext("%(num)s f", "%(num)s fs", n) }}{% if a %}{{ pgettext("menu", "Four") }}'
        "{% endif %}{{ _(word.text) }}<p>No</p>"
    )
    assert marked_texts(tmp_path) == {
        (None, "One"),
        (None, "Two"),
        (None, "Three"),
        (None, ("%(num)s f", "%(num)s fs")),
        ("menu", "Four"),
    }


MARKED = {(None, "Missed"), ("menu", "Missed"), (None, ("%(num)s call", "%(num)s calls"))}
FAULTS = [
    (PO, []),
    (PO + '\nmsgid "Odd"\nmsgstr "多余"\n', ["unused: Odd"]),
    (PO.replace('msgctxt "menu"\n', 'msgctxt "bar"\n'), ["missing: Missed (menu)", "unused: Missed (bar)"]),
    (PO.replace('"未接"', '""'), ["untranslated: Missed"]),
    (PO.replace('\nmsgid "Missed"', '\n#, fuzzy\nmsgid "Missed"', 1), ["untranslated: Missed"]),
    (PO.replace("%(num)s 次通话", "一次通话"), ["other placeholders: %(num)s call / %(num)s calls"]),
    (PO.replace("%(num)s 次通话", "%(n)s 次通话"), ["other placeholders: %(num)s call / %(num)s calls"]),
    (PO.replace("未接来电", "100%s"), ["other placeholders: Missed (menu)"]),
]


@pytest.mark.parametrize(("po", "faults"), FAULTS)
def test_faults_of_a_catalogue(tmp_path: Path, po: str, faults: list[str]) -> None:
    assert catalogue_faults(read_catalogue(write(tmp_path, po), ZH), MARKED) == faults
