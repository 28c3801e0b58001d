"""Log-in, sessions, form tokens, the slowing down of guesses."""

from __future__ import annotations

import pytest

from edge.web.sessions import form_token, token_hash
from edge.web.site import local_path
from tests.edge.web.conftest import PASSWORD, Branch, Browser

WRONG = "Name or password is not right."


def session_cookie(browser: Browser) -> str:
    return browser.jar["session"]


def test_logging_in_opens_the_pages_and_is_logged(branch: Branch) -> None:
    browser = branch.browser()
    answer = browser.log_in()
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert browser.get("/calls").status == 200
    assert branch.operations() == [("log_in", "done", "lin", "")]


def test_the_cookie_is_for_the_browser_alone(branch: Branch) -> None:
    cookie = branch.browser().log_in().cookies["session"]
    assert cookie["httponly"] and cookie["samesite"].lower() == "strict" and cookie["path"] == "/"
    assert not cookie["secure"] and not cookie["max-age"]


def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(tmp_path: object) -> None:
    made = Branch(tmp_path, certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")  # type: ignore[operator]
    made.user("lin", "super")
    cookie = made.browser().log_in().cookies["__Host-session"]
    assert cookie["secure"] and cookie["path"] == "/" and not cookie["domain"]


def test_only_the_tokens_hash_is_stored(branch: Branch, staff: Browser) -> None:
    token = session_cookie(staff)
    assert len(token) >= 43
    stored = [row[0] for row in branch.db.execute("SELECT token_sha256 FROM sessions")]
    assert stored == [token_hash(token)] and token not in stored


def test_each_log_in_has_a_new_token_and_ignores_one_that_was_given(branch: Branch) -> None:
    browser = branch.browser()
    browser.jar["session"] = "chosen-by-somebody-else"
    browser.log_in()
    first = session_cookie(browser)
    browser.jar.clear()
    browser.log_in()
    assert len({"chosen-by-somebody-else", first, session_cookie(browser)}) == 3


def test_name_and_password_are_refused_with_the_same_words(branch: Branch) -> None:
    wrong_password = branch.browser().log_in(password="not-the-password")
    wrong_name = branch.browser("192.0.2.11").log_in(name="nobody")
    assert wrong_password.status == wrong_name.status == 403
    assert WRONG in wrong_password.text
    assert wrong_password.text.replace("lin", "nobody") == wrong_name.text.replace("lin", "nobody")
    assert [row[:3] for row in branch.operations()] == [
        ("log_in", "refused", "lin"),
        ("log_in", "refused", "nobody"),
    ]


@pytest.mark.parametrize("name", ["LIN", " lin "])
def test_case_and_blanks_around_the_name_do_not_matter(branch: Branch, name: str) -> None:
    assert branch.browser().log_in(name=name).status == 303


@pytest.mark.parametrize("password", ["", "x" * 5000, "密码" * 20, "\x00"])
def test_odd_passwords_are_only_wrong(branch: Branch, password: str) -> None:
    assert branch.browser().log_in(password=password).status == 403


def test_a_disabled_user_cannot_log_in_and_is_out_at_once(branch: Branch, staff: Browser) -> None:
    branch.db.execute("UPDATE users SET disabled = 1")
    assert staff.get("/calls").status == 303
    assert branch.browser().log_in().status == 403


def test_logging_out_ends_the_session_itself(branch: Branch, staff: Browser) -> None:
    token = session_cookie(staff)
    assert staff.post("/log-out", {"form_token": staff.form_token()}).status == 303
    staff.jar["session"] = token
    assert staff.get("/calls").status == 303
    assert branch.operations()[-1] == ("log_out", "done", "lin", "")


def test_a_session_ends_unused_after_eight_hours(branch: Branch, staff: Browser) -> None:
    branch.clock.advance(7.9 * 3600)
    assert staff.get("/calls").status == 200
    branch.clock.advance(7.9 * 3600)
    assert staff.get("/calls").status == 200
    branch.clock.advance(8.1 * 3600)
    assert staff.get("/calls").status == 303


def test_a_session_ends_after_sixteen_hours_however_it_is_used(branch: Branch, staff: Browser) -> None:
    for _ in range(15):
        branch.clock.advance(3600)
        assert staff.get("/calls").status == 200
    branch.clock.advance(3601)
    assert staff.get("/calls").status == 303


def test_old_sessions_are_deleted_at_the_next_log_in(branch: Branch, staff: Browser) -> None:
    branch.clock.advance(17 * 3600)
    branch.browser().log_in()
    assert branch.db.execute("SELECT count(*) FROM sessions").fetchone()[0] == 1


def test_the_page_asked_for_is_the_page_shown_after_log_in(branch: Branch) -> None:
    browser = branch.browser()
    to_form = browser.get("/calls?text=138*&line=1").headers["Location"]
    assert to_form == "/log-in?next=%2Fcalls%3Ftext%3D138%2A%26line%3D1"
    assert 'value="/calls?text=138*&amp;line=1"' in browser.get(to_form).text
    after = browser.post("/log-in", {"name": "lin", "password": PASSWORD, "next": "/calls?text=138*&line=1"})
    assert after.headers["Location"] == "/calls?text=138*&line=1"


def test_a_link_from_elsewhere_is_asked_again_from_here(branch: Branch) -> None:
    answer = branch.browser().get("/calls?text=1", HTTP_SEC_FETCH_SITE="cross-site")
    assert answer.status == 200
    assert 'http-equiv="refresh" content="0; url=/calls?text=1"' in answer.text


NEXT = [
    ("/calls?text=1", "/calls?text=1"),
    ("", "/"),
    ("calls", "/"),
    ("//evil.example", "/"),
    ("/\\evil.example", "/"),
    ("https://evil.example", "/"),
    ("javascript:alert(1)", "/"),
    ("/a\r\nSet-Cookie: x=1", "/"),
    ("/电话", "/"),
]


@pytest.mark.parametrize(("asked", "taken"), NEXT)
def test_next_never_leads_away(asked: str, taken: str) -> None:
    assert local_path(asked) == taken


def test_the_next_page_in_a_form_never_leads_away(branch: Branch) -> None:
    answer = branch.browser().post("/log-in", {"name": "lin", "password": PASSWORD, "next": "//evil.example"})
    assert answer.headers["Location"] == "/"


def test_without_any_user_the_page_says_how_to_make_one(branch: Branch) -> None:
    assert "python -m edge user add" not in branch.browser().get("/log-in").text
    branch.db.execute("DELETE FROM users")
    assert "python -m edge user add" in branch.browser().get("/log-in").text


def test_whoever_is_logged_in_is_sent_on(staff: Browser) -> None:
    assert staff.get("/log-in?next=/calls").headers["Location"] == "/calls"


# --- forms from elsewhere -------------------------------------------------------------------------

ORIGINS = [
    ({"HTTP_ORIGIN": "http://127.0.0.1"}, 303),
    ({"HTTP_ORIGIN": "", "HTTP_SEC_FETCH_SITE": "same-origin"}, 303),
    ({"HTTP_ORIGIN": "https://127.0.0.1"}, 403),
    ({"HTTP_ORIGIN": "http://127.0.0.1:81"}, 403),
    ({"HTTP_ORIGIN": "http://evil.example"}, 403),
    ({"HTTP_ORIGIN": "http://127.0.0.1.evil.example"}, 403),
    ({"HTTP_ORIGIN": "null"}, 403),
    ({"HTTP_ORIGIN": "http://evil.example", "HTTP_SEC_FETCH_SITE": "same-origin"}, 403),
    ({"HTTP_ORIGIN": "", "HTTP_SEC_FETCH_SITE": "cross-site"}, 403),
    ({"HTTP_ORIGIN": "", "HTTP_SEC_FETCH_SITE": "same-site"}, 403),
    ({"HTTP_ORIGIN": "", "HTTP_SEC_FETCH_SITE": "none"}, 403),
    ({"HTTP_ORIGIN": ""}, 403),
]


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
def test_the_origin_of_a_form(branch: Branch, headers: dict[str, str], status: int) -> None:
    fields = {"name": "lin", "password": PASSWORD}
    assert branch.browser().post("/log-in", fields, **headers).status == status


@pytest.mark.parametrize("given", [None, "", "0" * 64, "é"])
def test_a_form_without_this_sessions_token_does_nothing(
    branch: Branch, staff: Browser, given: str | None
) -> None:
    answer = staff.post("/log-out", {} if given is None else {"form_token": given})
    assert answer.status == 403
    assert staff.get("/calls").status == 200
    assert branch.operations()[-1][:3] == ("request", "refused", "lin")


def test_another_sessions_token_is_no_use(branch: Branch, staff: Browser) -> None:
    other = branch.browser()
    other.log_in()
    assert staff.post("/log-out", {"form_token": form_token(session_cookie(other))}).status == 403


def test_nothing_changes_by_looking(staff: Browser) -> None:
    assert staff.get("/log-out").status == 405
    assert staff.get("/language?language=zh").status == 405


# --- guessing -------------------------------------------------------------------------------------


def guess(branch: Branch, seconds: int, name: str = "lin", address: str = "192.0.2.66") -> int:
    """How many of one guess a second are evaluated."""
    browser, heard = branch.browser(address), 0
    for _ in range(seconds):
        heard += browser.log_in(name, "guessed-again").status == 403
        branch.clock.advance(1)
    return heard


def test_a_thousand_guesses_in_ten_minutes_are_hardly_heard(branch: Branch) -> None:
    browser, heard = branch.browser(), 0
    for _ in range(1000):
        heard += browser.log_in(password="guessed-again").status == 403
        branch.clock.advance(0.6)
    assert 5 <= heard < 20


def test_who_must_wait_is_told_how_long(branch: Branch) -> None:
    browser = branch.browser()
    for _ in range(5):
        assert browser.log_in(password="guessed-again").status == 403
    answer = browser.log_in()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    assert "Try again in 2 seconds" in answer.text
    branch.clock.advance(2)
    assert browser.log_in().status == 303


def test_guesses_from_elsewhere_do_not_keep_out_the_owner(branch: Branch, staff: Browser) -> None:
    guess(branch, 60)
    assert branch.browser(staff.address).log_in().status == 303


def test_guesses_at_one_account_from_many_addresses_share_one_wait(branch: Branch) -> None:
    heard = sum(guess(branch, 1, address=f"192.0.2.{at}") for at in range(100, 160))
    assert heard < 15


def test_guesses_at_many_accounts_from_one_address_share_one_wait(branch: Branch) -> None:
    assert sum(guess(branch, 1, name=f"user{at}") for at in range(60)) < 15


def test_one_good_account_buys_no_guesses_at_others(branch: Branch) -> None:
    branch.user("mallory", "ordinary")
    browser, heard = branch.browser(), 0
    for _ in range(60):
        browser.jar.clear()
        browser.log_in("mallory")
        heard += browser.log_in("lin", "guessed-again").status == 403
        branch.clock.advance(1)
    assert heard < 10
