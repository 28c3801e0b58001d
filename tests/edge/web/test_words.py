"""What pages say: both catalogues whole, the language kept, times and lengths as people read them."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from edge.web import shown
from edge.web.settings import WebSettings
from edge.web.site import ROOM
from sync.locale import LANGUAGES, catalogue_faults, marked_texts, read_catalogue
from tests.edge.web.conftest import Branch, Browser

LOCALE = ROOM / "locale"


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_catalogue_has_every_text_and_no_other(code: str) -> None:
    wanted = marked_texts(ROOM.parent)  # rooms beside the pages speak too: what a setting is called
    assert len(wanted) > 50
    assert catalogue_faults(read_catalogue(LOCALE, LANGUAGES[code]), wanted) == []


def test_the_chinese_catalogue_is_chinese() -> None:
    catalogue = read_catalogue(LOCALE, LANGUAGES["zh"])
    plain = [str(message.string) for message in catalogue if message.id]
    assert [text for text in plain if not re.search("[\u4e00-\u9fff]", text)] == []


def test_templates_have_no_text_of_their_own() -> None:
    """What stands between tags and is not in braces is punctuation, a name of a thing, or a command."""
    own = set()
    for template in (ROOM / "templates").glob("*.html"):
        text = re.sub(
            r"\{% block width %\}\w+|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|&nbsp;",
            "",
            template.read_text(),
            flags=re.DOTALL,
        )
        own |= {piece.strip() for piece in re.findall(r">([^<>]*)<", text) if re.search(r"[^\W\d_]", piece)}
    assert own == {"SHA-256", ", ,  Hz", "python -m edge user add"}


LANGUAGES_OF = [("zh", "zh-CN", "登录"), ("en", "en", "Log in")]


@pytest.mark.parametrize(("code", "tag", "words"), LANGUAGES_OF)
def test_the_language_switch_is_remembered(branch: Branch, code: str, tag: str, words: str) -> None:
    browser = branch.browser()
    answer = browser.post("/language", {"language": code, "next": "/log-in?next=/calls"})
    assert (answer.status, answer.headers["Location"]) == (303, "/log-in?next=/calls")
    page = browser.get("/log-in").text
    assert f'<html lang="{tag}"' in page and words in page


def test_a_users_language_follows_them_to_another_browser(branch: Branch, staff: Browser) -> None:
    staff.post("/language", {"language": "zh", "form_token": staff.form_token()})
    other = branch.browser()
    other.log_in()
    assert 'lang="zh-CN"' in other.get("/calls").text


@pytest.mark.parametrize("code", ["", "fr", "../en", "zh_CN"])
def test_other_languages_are_refused(branch: Branch, code: str) -> None:
    assert branch.browser().post("/language", {"language": code}).status == 400


def test_a_language_cookie_that_is_odd_means_the_boxs_language(branch: Branch) -> None:
    browser = branch.browser()
    browser.jar["language"] = "../../etc"
    assert '<html lang="en"' in browser.get("/log-in").text


def test_the_box_speaks_chinese_unless_told() -> None:
    assert WebSettings.__dataclass_fields__["language"].default == "zh"


def test_no_page_has_script_or_style_in_it(branch: Branch, staff: Browser) -> None:
    branch.recording("rec-1", branch.call("call-1"))
    branch.insert("gaps", recording_id="rec-1", start_sample=1, length_samples=1, reason="overrun")
    branch.line(1, "ringing", call_id="call-1")
    for path in ("/lines", "/calls", "/calls/call-1", "/nothing", "/log-in"):
        page = staff.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", page)


LENGTHS = [
    (0, "0:00"),
    (999, "0:00"),
    (7_000, "0:07"),
    (754_999, "12:34"),
    (3_723_000, "1:02:03"),
    (-5, "0:00"),
    (360_000_000, "100:00:00"),
]


@pytest.mark.parametrize(("duration_ms", "text"), LENGTHS)
def test_lengths(duration_ms: int, text: str) -> None:
    assert shown.length(duration_ms) == text


SIZES = [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (119_400, "119 kB"), (1_250_000, "1.2 MB")]


@pytest.mark.parametrize(("size_bytes", "text"), SIZES)
def test_sizes(size_bytes: int, text: str) -> None:
    assert shown.size(size_bytes) == text


def test_local_times() -> None:
    zone, moment = ZoneInfo("Asia/Shanghai"), "2026-11-21T16:30:05.900Z"
    assert shown.clock_time(moment, zone) == "00:30:05"
    assert shown.day_time(moment, zone) == "2026-11-22 00:30:05"
    assert shown.recent_time(moment, "2026-11-22T15:59:59.000Z", zone) == "00:30:05"
    assert shown.recent_time(moment, "2026-11-22T16:00:00.000Z", zone) == "11-22 00:30"
    assert shown.between_ms(moment, "2026-11-21T16:30:07.000Z") == 1100


VISIBLE = [
    ("王小明 O'Neil", "王小明 O'Neil"),
    ("a\x00b\x1b", "a\ufffdb\ufffd"),
    ("\u202e1", "\ufffd1"),
    ("a\u00a0b", "a\u00a0b"),
    ("\ud800", "\ufffd"),
]


@pytest.mark.parametrize(("text", "seen"), VISIBLE)
def test_what_nobody_can_see_is_made_visible(text: str, seen: str) -> None:
    assert shown.visible(text) == seen


BAD_SETTINGS = [
    ({"language": "fr"}, "language must be one of zh, en"),
    ({"time_zone": "Shanghai"}, "time_zone must be a name like"),
    ({"time_zone": "../etc/passwd"}, "time_zone must be a name like"),
    ({"certificate": "c.pem"}, "TLS needs a certificate and a key"),
]


@pytest.mark.parametrize(("values", "words"), BAD_SETTINGS)
def test_settings_that_cannot_be(branch: Branch, values: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        WebSettings(branch.settings.database, branch.recordings, **values)  # type: ignore[arg-type]
