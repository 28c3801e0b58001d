"""The catalogues have every text of the pages in both languages, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import cloud
from sync.locale import LANGUAGES, Marked, catalogue_faults, marked_texts, read_catalogue

ROOM = Path(cloud.__file__).parent


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_catalogue_is_complete(code: str) -> None:
    rooms = ("web", "access", "calls", "customers", "orders", "releases")
    texts = set[Marked]().union(*(marked_texts(ROOM / room) for room in rooms))
    assert len(texts) > 50
    assert catalogue_faults(read_catalogue(ROOM / "web" / "locale", LANGUAGES[code]), texts) == []


def test_the_chinese_texts_are_chinese() -> None:
    same = {"Bell 202 (FSK)", "V.23 (FSK)", "DTMF"}
    for message in read_catalogue(ROOM / "web" / "locale", LANGUAGES["zh"]):
        if message.id and message.id not in same:
            assert any("\u4e00" <= character <= "\u9fff" for character in str(message.string)), message.id
