"""The page against hostile hands: which test shows each rule, and the rules that no other file is about."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.callerid import BUILD_MESSAGE, CallerId, parse_message
from edge.web.app import build_app
from edge.web.authority import Authority
from tests.edge.web.conftest import PASSWORD, Branch, Browser
from tests.named import not_there

# rule -> the tests that show it
RULES: dict[str, tuple[str, ...]] = {
    "log-in: length, no composition rule, common passwords": (
        "sync/test_accounts.py::test_passwords_that_are_refused_and_why",
        "edge/web/test_operators.py::test_a_password_that_cannot_be_changed_so",
    ),
    "log-in: a password somebody else made is good for one log-in": (
        "edge/web/test_operators.py::test_a_new_user_logs_in_once_and_chooses_a_password",
        "edge/web/test_rights.py::test_a_password_somebody_else_knows_opens_nothing_but_its_change",
    ),
    "log-in: nobody has a password from the start": (
        "edge/web/test_log_in.py::test_without_any_user_the_page_says_how_to_make_one",
    ),
    "log-in: guessing is slowed, by account and by address": (
        "edge/web/test_log_in.py::test_a_thousand_guesses_in_ten_minutes_are_hardly_heard",
        "edge/web/test_log_in.py::test_guesses_at_one_account_from_many_addresses_share_one_wait",
        "edge/web/test_log_in.py::test_guesses_at_many_accounts_from_one_address_share_one_wait",
        "edge/web/test_log_in.py::test_one_good_account_buys_no_guesses_at_others",
    ),
    "log-in: guessing locks nobody out": (
        "edge/web/test_log_in.py::test_guesses_from_elsewhere_do_not_keep_out_the_owner",
    ),
    "log-in: neither words nor time tell whether a user is there": (
        "edge/web/test_log_in.py::test_name_and_password_are_refused_with_the_same_words",
        "edge/web/test_security.py::test_a_name_that_is_none_costs_as_much_as_one_that_is",
    ),
    "sessions: a new random token at each log-in, stored as a hash": (
        "edge/web/test_log_in.py::test_each_log_in_has_a_new_token_and_ignores_one_that_was_given",
        "edge/web/test_log_in.py::test_only_the_tokens_hash_is_stored",
    ),
    "sessions: they end, unused and for good": (
        "edge/web/test_log_in.py::test_a_session_ends_unused_after_eight_hours",
        "edge/web/test_log_in.py::test_a_session_ends_after_sixteen_hours_however_it_is_used",
        "edge/web/test_log_in.py::test_logging_out_ends_the_session_itself",
    ),
    "sessions: a changed password and a taken right end them": (
        "edge/web/test_api.py::test_a_password_is_changed_and_the_old_token_ends",
        "edge/web/test_operators.py::test_a_reset_ends_the_sessions",
        "edge/web/test_rights.py::test_a_stream_ends_when_the_scope_or_the_rights_change",
    ),
    "cookies: __Host-, Secure, HttpOnly, SameSite=Strict": (
        "edge/web/test_log_in.py::test_the_cookie_is_for_the_browser_alone",
        "edge/web/test_log_in.py::test_over_tls_the_cookie_is_secure_and_bound_to_the_host",
    ),
    "forms: Origin, Sec-Fetch-Site and this session's token": (
        "edge/web/test_log_in.py::test_the_origin_of_a_form",
        "edge/web/test_log_in.py::test_a_form_without_this_sessions_token_does_nothing",
        "edge/web/test_log_in.py::test_another_sessions_token_is_no_use",
        "edge/web/test_api.py::test_a_cookie_alone_is_not_enough_to_change_anything",
    ),
    "forms: nothing changes by GET": ("edge/web/test_log_in.py::test_nothing_changes_by_looking",),
    "host: a name that is not ours gets nothing (DNS rebinding)": (
        "edge/web/test_routes.py::test_hosts",
        "edge/web/test_routes.py::test_a_rebound_host_gets_nothing",
    ),
    "headers: on every answer, refusals included": (
        "edge/web/test_routes.py::test_without_a_log_in",
        "edge/web/test_routes.py::test_other_methods_are_refused",
        "edge/web/test_words.py::test_no_page_has_script_or_style_in_it",
        "edge/web/test_security.py::test_the_policy_allows_nothing_inline",
    ),
    "headers: HSTS only with a certificate from outside": (
        "edge/web/test_security.py::test_only_a_certificate_from_outside_makes_https_a_must",
    ),
    "tls: 1.2 at least; plain HTTP only sends on": (
        "edge/web/test_server.py::test_over_tls_nothing_older_than_1_2",
        "edge/web/test_trust.py::test_https_by_the_authority_and_plain_http_sent_on",
    ),
    "tls: the box's authority signs for the box alone": (
        "edge/web/test_trust.py::test_a_certificate_for_another_site_does_not_hold",
        "edge/web/test_trust.py::test_keys_are_nobody_elses",
    ),
    "files: only what the database names, no way out of the folder, no link": (
        "edge/web/test_files.py::test_only_ids_in_the_database_lead_to_audio",
        "edge/web/test_files.py::test_a_row_that_names_a_file_outside_leads_nowhere",
        "edge/web/test_files.py::test_a_link_in_the_folder_leads_nowhere",
        "edge/web/test_files.py::test_nothing_beside_them_is_sent",
    ),
    "files: ranges that make no sense or too much of it": ("edge/web/test_files.py::test_ranges",),
    "files: names of downloads are ours": (
        "edge/web/test_security.py::test_a_download_is_never_named_by_the_line",
    ),
    "files: what is sent to us has a limit": (
        "edge/web/test_server.py::test_a_body_beyond_the_limit_is_refused",
        "edge/customers/test_sheets_page.py::test_only_sheets_may_be_large",
    ),
    "texts: from the telephone line they are only text": (
        "edge/web/test_calls_page.py::test_hostile_text_is_only_text",
        "edge/customers/test_popup_page.py::test_a_hostile_caller_name_stays_a_text",
        "edge/web/test_security.py::test_a_hostile_name_from_the_line_to_every_page",
    ),
    "texts: no cell of a sheet is a formula": (
        "edge/web/test_exports.py::test_a_cell_that_a_spreadsheet_would_run_is_defused",
        "edge/web/test_exports.py::test_xlsx_opens_and_formulas_in_it_are_text",
        "edge/customers/test_sheets_page.py::test_out_of_one_box_and_into_an_empty_one",
    ),
    "log: every refusal stands in it, in UTC": (
        "edge/web/test_rights.py::test_every_route_for_every_level_with_one_right",
        "edge/web/test_log_in.py::test_logging_in_opens_the_pages_and_is_logged",
    ),
    "log: no line of it can be forged, no secret is in it": (
        "edge/web/test_security.py::test_a_name_cannot_write_a_line_of_the_log",
        "edge/web/test_security.py::test_no_secret_is_written_down_anywhere",
    ),
    "errors: an id and no insides": (
        "edge/web/test_routes.py::test_a_fault_of_ours_shows_an_id_and_no_insides",
    ),
    "rights: every route, level, right and line": (
        "edge/web/test_rights.py::test_every_route_for_every_level_with_one_right",
        "edge/web/test_rights.py::test_a_call_or_recording_named_by_id_is_there_only_in_scope",
        "edge/web/test_rights.py::test_a_line_is_recorded_and_heard_only_in_scope",
        "edge/web/test_api.py::test_no_page_has_a_power_that_the_api_lacks",
    ),
    "privacy: a deletion leaves a signed receipt, a hold forbids it": (
        "edge/web/test_call_acts.py::test_audio_goes_with_a_tombstone_and_the_call_stays",
        "edge/web/test_call_acts.py::test_audio_that_may_not_go_stays",
    ),
}
HOSTILE = "<script>alert(1)</script>"


def test_every_rule_is_shown_by_tests_that_are_there() -> None:
    assert not_there(name for names in RULES.values() for name in names) == []


# --- headers


def test_only_a_certificate_from_outside_makes_https_a_must(tmp_path: Path) -> None:
    branch = Branch(tmp_path)
    own = Authority(tmp_path / "tls", "box", ("localhost",), lambda: ("127.0.0.1",))
    files = {"certificate": tmp_path / "c.pem", "key": tmp_path / "k.pem"}
    for settings, wanted in [({}, None), (files | {"authority": own}, None), (files, "max-age=31536000")]:
        app = build_app(replace(branch.settings, **settings), branch.clock)  # type: ignore[arg-type]
        for path in ("/log-in", "/nothing", "/static/page.css"):
            answer = Browser(app).get(path)
            assert answer.headers.get("Strict-Transport-Security") == wanted, (settings, path)


def test_the_policy_allows_nothing_inline(staff: Browser) -> None:
    policy = dict(
        part.strip().split(" ", 1)
        for part in staff.get("/calls").headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert not any("unsafe" in value or "http" in value for value in policy.values())


# --- log-in


def cost_s(branch: Branch, name: str) -> float:
    """Processor time of a log-in that is refused; a busy machine does not change it."""
    browser, begun_s = branch.browser(), time.process_time()
    assert browser.log_in(name, "wrong-password").status == 403
    return time.process_time() - begun_s


def test_a_name_that_is_none_costs_as_much_as_one_that_is(branch: Branch) -> None:
    cost_s(branch, "lin")  # the first warms up
    known, unknown = (min(cost_s(branch, name) for _ in range(2)) for name in ("lin", "nobody"))
    assert 0.5 < unknown / known < 2, (known, unknown)


# --- texts from outside


@pytest.mark.parametrize("name", [HOSTILE, '"onload=x', "{{7*7}}", "=cmd|' /C'!A0"])
def test_a_hostile_name_from_the_line_to_every_page(branch: Branch, name: str) -> None:
    sent = CallerId("bell202", "mdmf", "13800138000", name, "11221200")
    read = parse_message(BUILD_MESSAGE["mdmf"](sent))
    assert read.name == name  # the line says what it likes; nothing is lost before the page
    branch.user("chief", "super")
    chief = branch.browser()
    chief.log_in("chief")
    branch.call("call-1", caller_name=read.name, state="open", outcome="open")
    branch.line(1, "ringing", call_id="call-1")
    for path in ("/lines", "/calls", "/calls/call-1", "/popup/call-1"):
        page = chief.get(path).text
        assert HOSTILE not in page and 'title=""onload' not in page and ">49<" not in page, path
    printed = chief.post("/calls/print", {"form_token": chief.form_token()}).text
    assert HOSTILE not in printed


def test_a_download_is_never_named_by_the_line(branch: Branch) -> None:
    branch.user("chief", "super")
    chief = branch.browser()
    chief.log_in("chief")
    branch.recording("rec-1", branch.call("call-1", caller_number='../"\r\nX: y', caller_name="a/b\\c"))
    answer = chief.get("/recordings/rec-1/file")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="rec-1.flac"'
    archive = chief.post("/calls/zip", {"form_token": chief.form_token()})
    assert (
        archive.status == 200 and b"line1-unknown-1.flac" in archive.body and b".." not in archive.body[:200]
    )
    assert not any(name == "X" for name in (*answer.headers, *archive.headers))


# --- the log


def test_a_name_cannot_write_a_line_of_the_log(branch: Branch, capsys: pytest.CaptureFixture[str]) -> None:
    branch.user("chief", "super")
    branch.browser().log_in("x\r\n2026-11-22T04:00:00Z chief log_in done\x1b[2J", "wrong-password")
    chief = branch.browser()
    chief.log_in("chief")
    page = chief.get("/log").text
    assert "\x1b" not in page and "\r\n2026" not in page and "\ufffd\ufffd2026-11-22T04" in page
    assert "\x1b" not in "".join(capsys.readouterr())


def everything_in(db: sqlite3.Connection) -> str:
    """All that the database holds, as one text."""
    tables: list[Any] = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return "\n".join(str(tuple(row)) for (name,) in tables for row in db.execute(f'SELECT * FROM "{name}"'))


def test_no_secret_is_written_down_anywhere(branch: Branch, capsys: pytest.CaptureFixture[str]) -> None:
    canaries = [PASSWORD, "canary-wrong-1", "canary-new-password-2"]
    browser = branch.browser()
    browser.log_in("lin", "canary-wrong-1")
    browser.log_in()
    canaries.append(browser.jar["session"])
    token = browser.form_token("/password")
    changed = {"old": PASSWORD, "new": "canary-new-password-2", "again": "canary-new-password-2"}
    assert browser.post("/password", changed | {"form_token": token}).status == 303
    canaries += [browser.jar["session"], token]
    written = everything_in(branch.db) + "".join(capsys.readouterr())
    assert [one for one in canaries if one in written] == []
    assert "lin" in written  # it is looked for where it would be
