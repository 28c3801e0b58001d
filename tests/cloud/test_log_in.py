"""Logging in: who gets in, how guessing is slowed down, what the cookies say, where the browser goes next."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cloud.store.database import read
from cloud.store.schema import access_log, sessions, users
from cloud.web.answers import local_path
from sync.accounts import FREE_TRIES
from tests.cloud.house import PASSWORD, House, open_house


def log_in(client: TestClient, name: str = "wang", password: str = PASSWORD, **form: str) -> int:
    answer = client.post("/log-in", data={"name": name, "password": password, **form})
    return answer.status_code


def deeds(house: House) -> list[tuple[str, str]]:
    with read(house.parts.engine) as connection:
        rows = connection.execute(select(access_log).order_by(access_log.c.id)).mappings()
        return [(row["action"], row["actor_name"]) for row in rows]


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        ("wang", PASSWORD, 303),
        ("wang", PASSWORD + "x", 401),
        ("wang", "", 422),
        ("Wang", PASSWORD, 401),
        ("nobody", PASSWORD, 401),
        ("' OR 1=1 --", "' OR 1=1 --", 401),
        ("w" * 300, PASSWORD, 422),
        ("wang", "p" * 999, 401),
        ("wang", "p" * 5000, 422),
        ("{{ 7*7 }}", "<script>", 401),
    ],
)
def test_who_gets_in(house: House, name: str, password: str, status: int) -> None:
    house.add_user("wang")
    client = house.visitor()
    assert log_in(client, name, password) == status
    assert ("session" in client.cookies) == (status == 303)


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(house: House) -> None:
    house.add_user("wang")
    answers = [
        house.visitor().post("/log-in", data={"name": name, "password": "wrong password"}).text
        for name in ("wang", "liu")
    ]
    assert answers[0].replace('value="wang"', "") == answers[1].replace('value="liu"', "")


def test_a_disabled_user_cannot_log_in(house: House) -> None:
    house.add_user("wang")
    house.disable("wang")
    assert log_in(house.visitor()) == 401


def test_guessing_is_slowed_down_and_nobody_is_locked_out(house: House) -> None:
    house.add_user("wang")
    client = house.visitor()
    assert [log_in(client, password=f"guess {n}") for n in range(FREE_TRIES)] == [401] * FREE_TRIES
    refused = client.post("/log-in", data={"name": "wang", "password": PASSWORD})
    assert refused.status_code == 429  # the right password too: it was not looked at
    house.clock.advance(int(refused.headers["retry-after"]))
    assert log_in(client) == 303
    assert log_in(client, password="guess") == 401  # forgiven: no wait


def test_a_thousand_guesses_in_ten_minutes_are_hardly_heard(house: House) -> None:
    house.add_user("wang")
    client = house.visitor()
    heard = 0
    for n in range(200):
        heard += log_in(client, password=f"guess {n}") == 401
        house.clock.advance(3)
    assert heard < 20


def test_what_is_logged(house: House) -> None:
    house.add_user("wang")
    client = house.visitor()
    log_in(client, password="wrong password")
    log_in(client, name="my password by mistake")
    log_in(client)
    client.post("/log-out", data={"csrf_token": house.csrf_token(client)})
    assert deeds(house) == [
        ("log_in_refused", "wang"),
        ("log_in_refused", ""),  # what nobody is called may be a password
        ("log_in", "wang"),
        ("log_out", "wang"),
    ]


def test_each_log_in_makes_a_new_token_and_ends_the_old_session(house: House) -> None:
    house.add_user("wang")
    client = house.visitor()
    client.cookies.set("session", "chosen by somebody else")
    log_in(client)
    first = client.cookies.get("session", domain="testserver.local")
    assert first != "chosen by somebody else" and len(first) >= 43
    with read(house.parts.engine) as connection:
        kept = connection.execute(select(sessions.c.token_sha256)).scalars().all()
    assert len(kept) == 1 and first not in kept


def test_a_second_log_in_ends_the_first_session_of_the_browser(house: House) -> None:
    house.add_user("wang")
    client = house.visitor()
    log_in(client)
    first = client.cookies["session"]
    log_in(client)
    assert house.visitor().get("/api/v1/calls", headers={"Cookie": f"session={first}"}).status_code == 401
    assert client.get("/api/v1/calls").status_code == 200


@pytest.mark.parametrize(
    ("web", "name", "secure"),
    [
        ({}, "session", False),
        ({"public_url": "https://crm.example.cn"}, "__Host-session", True),
        ({"public_url": "http://crm.example.cn"}, "session", False),
    ],
)
def test_the_cookie(tmp_path: Path, database_url: str, web: dict[str, str], name: str, secure: bool) -> None:
    house = open_house(tmp_path, database_url, **web)
    house.add_user("wang")
    answer = house.visitor().post("/log-in", data={"name": "wang", "password": PASSWORD})
    value, *attributes = answer.headers["set-cookie"].split("; ")
    assert value.startswith(f"{name}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert ("Secure" in attributes) is secure
    assert not any(one.startswith("Domain") for one in attributes)


def test_a_hash_of_another_cost_is_made_anew(house: House) -> None:
    from argon2 import PasswordHasher

    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    house.add_user("wang")
    with house.parts.engine.begin() as connection:
        connection.execute(users.update().values(password_hash=cheap))
    assert log_in(house.visitor()) == 303
    with read(house.parts.engine) as connection:
        stored = connection.execute(select(users.c.password_hash)).scalar_one()
    assert stored != cheap and "m=19456" in stored


@pytest.mark.parametrize(
    ("asked", "goes_to"),
    [
        ("/calls?party=138%2A", "/calls?party=138%2A"),
        ("/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/calls\r\nSet-Cookie: a=b", "/"),
        ("/网点", "/"),
        ("", "/"),
    ],
)
def test_where_the_browser_goes_next(house: House, asked: str, goes_to: str) -> None:
    assert local_path(asked) == goes_to
    house.add_user("wang")
    form = {"name": "wang", "password": PASSWORD, "back": asked}
    assert house.visitor().post("/log-in", data=form).headers["location"] == goes_to


def test_the_log_in_leads_back_to_what_was_asked_for(house: House) -> None:
    house.add_user("wang")
    client = house.visitor()
    sent = client.get("/calls?party=13*&direction=in").headers["location"]
    form = client.get(sent).text
    assert 'name="back" value="/calls?party=13*&amp;direction=in"' in form


def test_the_language_is_chosen_and_kept(house: House) -> None:
    client = house.visitor()
    assert '<html lang="zh-CN">' in client.get("/log-in").text
    answer = client.post("/language", data={"language": "en", "back": "/log-in"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/log-in")
    assert '<html lang="en">' in client.get("/log-in").text


@pytest.mark.parametrize("language", ["fr", "../en", "", "zh; Path=/x"])
def test_a_language_there_is_not_changes_nothing(house: House, language: str) -> None:
    client = house.visitor()
    client.post("/language", data={"language": language})
    assert '<html lang="zh-CN">' in client.get("/log-in", headers={"Cookie": f"language={language}"}).text


def test_the_language_can_be_chosen_on_an_error_page(house: House) -> None:
    client = house.visitor("agent")
    page = client.get("/nowhere").text
    assert 'action="/language"' in page and 'name="back" value="/nowhere"' in page
    assert 'href="/calls"' in page  # and it is known who is asking
    assert client.post("/language", data={"language": "en", "back": "/nowhere"}).status_code == 303
