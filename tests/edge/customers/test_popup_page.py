"""The pop-up over HTTP: who gets which card, what a save does, and that nobody saves a card not theirs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.store.groups import LineRule, set_line_rules
from edge.store.popup_settings import NoSuchRule, NumberRules, number_rules, save_number_rules
from sync.db import write
from tests.edge.customers.conftest import BY, Shop, token
from tests.edge.web.conftest import Browser


def cards(browser: Browser) -> dict[str, str]:
    """The first cards that the stream tells of."""
    answer, chunks = browser.start("GET", "/popup/stream")
    assert answer.status == 200, answer.status
    try:
        for chunk in chunks:
            name, _, data = chunk.decode().strip().partition("\ndata: ")
            if name == "event: cards":
                return json.loads(data)
    finally:
        chunks.close()
    raise AssertionError("the stream told nothing")


def save(shop: Shop, browser: Browser, call_id: str, **fields: str) -> Any:
    return browser.post(f"/popup/{call_id}", {"form_token": token(browser)} | fields)


def test_every_operator_is_judged_on_their_own(shop: Shop) -> None:
    shop.customer("王小明", "13800138000", of="ann")
    shop.hire("far", "ordinary", lines=frozenset({2}))
    shop.hire("deaf", "super", rights=frozenset())
    shop.ring("call-1", "013800138000")
    popped = {}
    for name in ("boss", "chief", "ann", "bob", "far"):
        popped[name] = "王小明" in cards(shop.browser(name)).get("call-1", "")
    assert popped == {"boss": True, "chief": True, "ann": True, "bob": False, "far": False}
    assert shop.browser("deaf").get("/popup/stream").status == 403
    seen = [one for one in shop.branch.operations() if one[0] == "pop_up"]
    assert seen == [("pop_up", "done", name, "call-1") for name in ("boss", "chief", "ann")]


@pytest.mark.parametrize("number", [None, "", "P"])
def test_no_number_no_card(shop: Shop, number: str | None) -> None:
    shop.ring("call-1", number)
    assert cards(shop.browser("boss")) == {}


@pytest.mark.parametrize("values", [{"direction": "out", "dialled": "13800138000"}, {"direction": "unknown"}])
def test_only_incoming_calls(shop: Shop, values: dict[str, str]) -> None:
    shop.ring("call-1", "13800138000", **values)
    assert cards(shop.browser("boss")) == {}


def test_a_line_that_does_not_pop_up(shop: Shop) -> None:
    set_line_rules(shop.db, (LineRule(1, shop.group_id, pops_up=False),), BY, shop.now)
    shop.ring("call-1", "13800138000")
    assert cards(shop.browser("boss")) == {}


def test_a_card_lasts_as_long_as_it_rings(shop: Shop) -> None:
    shop.ring("call-1", "13800138000")
    boss = shop.browser("boss")
    assert list(cards(boss)) == ["call-1"]
    shop.db.execute("UPDATE lines SET state = 'talking'")
    assert cards(boss) == {}
    assert boss.get("/popup/call-1").status == 200  # for the page one goes to while writing
    shop.branch.clock.advance(13 * 3600)
    assert shop.browser("boss").get("/popup/call-1").status == 404


def test_a_stranger_becomes_a_customer_with_a_note(shop: Shop) -> None:
    shop.ring("call-1", "13800138000")
    ann = shop.browser("ann")
    html = cards(ann)["call-1"]
    assert "Not a customer yet" in html and "138 0013 8000" in html and 'name="name"' in html
    answer = save(shop, ann, "call-1", name="王小明", kind="individual", content="要装宽带")
    assert answer.status == 200 and "王小明" in json.loads(answer.text)["html"]
    row = shop.db.execute("SELECT * FROM communications").fetchone()
    assert (row["call_id"], row["from_popup"], row["customer_name"]) == ("call-1", 1, "王小明")
    assert (row["creator_number"], row["creator_group_id"]) == ("ann", shop.group_id)
    known = shop.db.execute("SELECT * FROM customers").fetchone()
    assert (known["creator_number"], known["creator_group_id"], known["id"]) == (
        "ann",
        shop.group_id,
        row["customer_id"],
    )
    shop.ring("call-2", "+8613800138000")
    assert "王小明" in cards(ann)["call-2"] and "call-2" not in cards(shop.browser("bob"))


def test_nothing_is_half_saved(shop: Shop) -> None:
    shop.ring("call-1", "13800138000")
    ann = shop.browser("ann")
    answer = save(shop, ann, "call-1", name="王小明", content="x" * 5000)
    assert answer.status == 400 and "too long" in json.loads(answer.text)["fault"]
    assert shop.db.execute("SELECT count(*) FROM customers").fetchone()[0] == 0
    answer = save(shop, ann, "call-1", name="a;b", content="x")
    assert answer.status == 400
    assert shop.db.execute("SELECT count(*) FROM communications").fetchone()[0] == 0


def test_nobody_saves_a_card_they_were_not_given(shop: Shop) -> None:
    theirs = shop.customer("别人的", "13800138000", of="ann")
    shop.ring("call-1", "13800138000")
    bob = shop.browser("bob")
    assert bob.get("/popup/call-1").status == 404
    assert save(shop, bob, "call-1", customer_id=theirs.id, content="x").status == 404
    assert ("pop_up", "refused", "bob", "call-1") in shop.branch.operations()
    shop.ring("call-2", "13900139000")  # a stranger, who may be written down, but not as ann's customer
    assert save(shop, bob, "call-2", customer_id=theirs.id, content="说了").status == 200
    row = shop.db.execute("SELECT customer_id, creator_number FROM communications").fetchone()
    assert tuple(row) == (None, "bob")


def test_a_save_needs_a_form_of_ours_and_the_rights(shop: Shop) -> None:
    shop.ring("call-1", "13800138000")
    assert shop.browser("ann").post("/popup/call-1", {"content": "x"}).status == 403
    rights = frozenset(one for one in shop.users["ann"].rights if one.value == "pop_up")
    shop.hire("dan", "ordinary", rights=rights)
    dan = shop.browser("dan")
    html = cards(dan)["call-1"]
    assert "<button>" not in html and 'name="content"' not in html
    form = {"form_token": token(dan, "/password"), "content": "x"}
    assert dan.post("/popup/call-1", form).status == 403
    assert dan.post("/popup/call-1", form | {"content": "", "name": "x"}).status == 403


def test_several_records_for_one_number(shop: Shop) -> None:
    for name, of in (("一号", "ann"), ("二号", "bob"), ("三号", "boss")):
        shop.customer(name, "13800138000", of=of)
    shop.ring("call-1", "13800138000")
    seen = {name: cards(shop.browser(name))["call-1"] for name in ("ann", "chief", "boss")}
    assert [[who in html for who in ("一号", "二号", "三号")] for html in seen.values()] == [
        [True, False, False], [True, True, True], [True, True, True],
    ]  # fmt: skip


def test_what_is_not_sure_is_said(shop: Shop) -> None:
    shop.customer("总机的人", "0871-65123456转8001")
    shop.ring("call-1", "087165123456")
    assert "may be" in cards(shop.browser("boss"))["call-1"]


def test_the_branchs_own_area(shop: Shop) -> None:
    shop.customer("本地人", "0871-65123456")
    shop.ring("call-1", "65123456")
    assert "may be" in cards(shop.browser("boss"))["call-1"]
    save_number_rules(shop.db, NumberRules("0871"), BY, shop.now)
    html = cards(shop.browser("boss"))["call-1"]
    assert "may be" not in html and "0871-6512 3456" in html


def test_the_minimal_card_is_off_until_it_is_on(shop: Shop) -> None:
    shop.customer("别人的", "13800138000", of="ann", remark="秘密")
    shop.ring("call-1", "13800138000")
    bob = shop.browser("bob")
    assert cards(bob) == {}
    save_number_rules(shop.db, NumberRules(offers_minimal_card=True), BY, shop.now)
    html = cards(bob)["call-1"]
    assert "138 0013 8000" in html and "Front" in html
    assert "别人的" not in html and "秘密" not in html and "<form" not in html
    assert save(shop, bob, "call-1", content="x").status == 403


@pytest.mark.parametrize("rules", [NumberRules("871x"), NumberRules("0999999"), NumberRules("0871", "8")])
def test_settings_that_cannot_be(shop: Shop, rules: NumberRules) -> None:
    with pytest.raises(NoSuchRule):
        save_number_rules(shop.db, rules, BY, shop.now)
    assert number_rules(shop.db) == NumberRules()


def test_a_hostile_caller_name_stays_a_text(shop: Shop) -> None:
    shop.ring("call-1", "13800138000", caller_name="<img src=x onerror=alert(1)>\u202e")
    html = cards(shop.browser("boss"))["call-1"]
    assert "<img" not in html and "&lt;img" in html and "\u202e" not in html


def test_a_stream_ends_with_its_session_and_its_right(shop: Shop) -> None:
    boss = shop.browser("boss")
    _, chunks = boss.start("GET", "/popup/stream")
    assert next(chunks).startswith(b"retry")
    assert next(chunks).startswith(b"event: cards")
    with shop.db:
        shop.db.execute("DELETE FROM sessions")
    assert list(chunks) == []
    chunks.close()


def test_an_operator_of_several_lines(shop: Shop) -> None:
    set_line_rules(shop.db, (LineRule(1, shop.group_id), LineRule(2, shop.group_id)), BY, shop.now)
    shop.branch.line(3)
    set_line_rules(shop.db, (LineRule(3, shop.group_id),), BY, shop.now)
    shop.hire("two", "ordinary", lines=frozenset({1, 2}))
    for line in (1, 2, 3):
        shop.ring(f"call-{line}", "13800138000", line=line)
    assert set(cards(shop.browser("two"))) == {"call-1", "call-2"}


def test_who_moves_keeps_the_group_of_the_making(shop: Shop) -> None:
    shop.customer("王小明", "13800138000", of="ann")
    shop.ring("call-1", "13800138000")
    assert "王小明" in cards(shop.browser("ann"))["call-1"]
    with write(shop.db):  # ann goes to the other group, and so does the line
        shop.db.execute("UPDATE users SET group_id = ? WHERE name = 'ann'", (shop.other_group_id,))
        shop.db.execute("UPDATE line_groups SET group_id = ? WHERE line = 1", (shop.other_group_id,))
    assert cards(shop.browser("ann")) == {}  # R10: her own record, but of the group she was in
