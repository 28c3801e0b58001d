"""The pages of customers and communications: found, added, changed, taken out; each user within the scope."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from edge.web.records import COMMUNICATION_KINDS
from sync.particulars import Contact
from sync.sheets import COMMUNICATIONS, CUSTOMERS, read_sheet
from tests.edge.customers.conftest import Shop

HOSTILE = '<script>alert("王")</script>'


def operations(shop: Shop, *kinds: str) -> list[tuple[str, str, str | None, str]]:
    return [one for one in shop.branch.operations() if one[0] in kinds]


def test_a_customer_from_the_form_to_the_history(shop: Shop) -> None:
    boss = shop.browser("boss")
    sent = shop.post(
        boss, "/customers/new", name=" 昆明东风商贸有限公司 ", kind="enterprise",
        numbers="138 0013 8000\n65123456", contacts="张经理|采购|13900139000；65123457\n李小姐",
        tags="高净值；家庭用户", remark="两行\r\n备注",
    )  # fmt: skip
    assert sent.status == 303
    page = sent.headers["Location"]
    assert "昆明东风商贸有限公司" in boss.get("/customers?text=" + quote("东风")).text
    saved = shop.post(
        boss, page, page, name="昆明东风", kind="enterprise", numbers="13800138000", contacts="", revision="1"
    )
    assert (saved.status, saved.headers["Location"]) == (303, page)
    text = boss.get(page).text
    assert "昆明东风商贸有限公司" in text and "张经理|采购|13900139000；65123457" in text  # in the history
    assert boss.get("/customers?text=" + quote("张经理")).text.count("昆明东风") == 0
    kinds = ("add_customer", "view_customer", "change_customer")
    assert {one[0] for one in operations(shop, *kinds)} == set(kinds)


def test_what_cannot_be_is_said_and_nothing_is_lost(shop: Shop) -> None:
    boss = shop.browser("boss")
    answer = shop.post(boss, "/customers/new", name=HOSTILE, numbers="not a number", remark="kept")
    assert answer.status == 400
    assert "cannot be a telephone number" in answer.text and "kept" in answer.text
    assert HOSTILE not in answer.text and "&lt;script&gt;" in answer.text
    assert "No customers yet" in boss.get("/customers").text


def test_whoever_saves_second_is_told(shop: Shop) -> None:
    boss, made = shop.browser("boss"), shop.customer("王小明", "13800138000")
    page = f"/customers/{made.id}"
    assert shop.post(boss, page, page, name="王大明", numbers="13800138000", revision="1").status == 303
    late = shop.post(boss, page, page, name="王中明", numbers="13800138000", revision="1")
    assert late.status == 400 and "changed this customer meanwhile" in late.text
    assert "王大明" in boss.get("/customers").text


@pytest.mark.parametrize(
    ("name", "level", "shares", "sees"),
    [
        ("super", "super", False, {"boss", "chief", "ann", "bob", "eve"}),
        ("sharing leader", "leader", True, {"boss", "chief", "ann", "bob", "eve"}),
        ("leader", "leader", False, {"boss", "chief", "ann", "bob"}),
        ("sharing ordinary", "ordinary", True, {"boss", "chief", "ann", "bob", "eve"}),
        ("ordinary", "ordinary", False, set()),
    ],
)
def test_scope_of_lists_details_and_exports(
    shop: Shop, name: str, level: str, shares: bool, sees: set[str]
) -> None:
    shop.hire("eve", "ordinary", group_id=shop.other_group_id)
    shop.hire(name, level, shares_customers=shares, shares_communications=shares)
    creators = ("boss", "chief", "ann", "bob", "eve")
    made = {creator: shop.customer(f"客户 of-{creator}", "13800138000", of=creator) for creator in creators}
    said = {creator: shop.communication(f"约定 by-{creator}", of=creator) for creator in creators}
    browser = shop.browser(name)
    for path in ("/customers", "/customers?text=" + quote("客户"), "/customers?text=138"):
        text = browser.get(path).text
        assert {creator for creator in creators if f"of-{creator}" in text} == sees
    for path in ("/communications", "/communications?text=" + quote("约定")):
        text = browser.get(path).text
        assert {creator for creator in creators if f"by-{creator}" in text} == sees
    opened = {creator for creator in creators if browser.get(f"/customers/{made[creator].id}").status == 200}
    assert opened == sees
    gone = {
        creator
        for creator in creators
        if shop.post(browser, f"/communications/{said[creator].id}/delete").status == 303
    }
    assert gone == sees


def test_own_records_are_the_ordinary_users_whole_world(shop: Shop) -> None:
    mine, theirs = shop.customer("我的客户", "13800138000", of="ann"), shop.customer("别人的", of="bob")
    ann = shop.browser("ann")
    assert ann.get(f"/customers/{mine.id}").status == 200
    refused = ann.get(f"/customers/{theirs.id}")
    assert refused.status == 404
    changed = shop.post(ann, f"/customers/{theirs.id}", name="x", revision="1")
    taken = shop.post(ann, f"/customers/{theirs.id}/delete")
    assert (changed.status, taken.status) == (404, 404)
    assert ("view_customer", "refused", "ann", theirs.id) in shop.branch.operations()


def test_a_right_less_is_a_page_less(shop: Shop) -> None:
    shop.hire("dan", "ordinary", rights=frozenset())
    dan = shop.browser("dan")
    for path in ("/customers", "/customers/new", "/customers/import", "/customers/export.xlsx",
                 "/communications", "/communications/import", "/popup/stream"):  # fmt: skip
        assert dan.get(path).status == 403, path


def test_taken_out_and_cleared(shop: Shop) -> None:
    for number in range(5):
        shop.customer(f"王 {number}", f"1380013800{number}")
    shop.customer("李四", "13900139000")
    boss = shop.browser("boss")
    one = shop.db.execute("SELECT id FROM customers WHERE name = '王 0'").fetchone()[0]
    assert shop.post(boss, f"/customers/{one}/delete").status == 303
    assert boss.get(f"/customers/{one}").status == 404
    assert shop.post(boss, "/customers/clear?text=" + quote("王")).status == 400  # not said that one is sure
    cleared = shop.post(boss, "/customers/clear?text=" + quote("王"), sure="yes")
    assert cleared.headers["Location"] == "/customers?cleared=4"
    text = boss.get("/customers").text
    assert "李四" in text and "王 " not in text
    kept = shop.db.execute("SELECT count(*) FROM customer_changes WHERE what = 'deleted'").fetchone()[0]
    assert kept == 5
    assert len(operations(shop, "delete_customer", "clear_customers")) == 5


def test_a_list_of_many_is_paged(shop: Shop) -> None:
    for number in range(55):
        shop.customer(f"客户{number:03}", f"138001380{number:02}")
    boss = shop.browser("boss")
    first = boss.get("/customers")
    assert "客户054" in first.text and "客户004" not in first.text
    older = first.text.split('href="/customers?older=')[1].split('"')[0]
    second = boss.get(f"/customers?older={older}").text
    assert "客户004" in second and "客户005" not in second
    assert boss.get("/customers?older=x").status == boss.get("/customers?kind=x").status == 400


def test_a_communication_by_hand(shop: Shop) -> None:
    made = shop.customer("王小明", "13800138000", contacts=(Contact("张三"),))
    boss = shop.browser("boss")
    form = boss.get(f"/communications/new?customer={made.id}").text
    assert "王小明" in form
    sent = shop.post(
        boss, "/communications/new", kind="visit", at="2026-11-22T11:30", content=HOSTILE, subject="门店",
        customer_id=made.id, from_popup="1", call_id="call-1",
    )  # fmt: skip
    assert sent.headers["Location"] == f"/customers/{made.id}"
    text = boss.get(f"/customers/{made.id}").text
    assert "&lt;script&gt;" in text and HOSTILE not in text and "2026-11-22 11:30" in text
    row = shop.db.execute("SELECT at_utc, call_id, from_popup FROM communications").fetchone()
    assert tuple(row) == ("2026-11-22T03:30:00.000Z", None, 0)  # a form makes no pop-up
    assert shop.post(boss, "/communications/new", kind="visit", at="later", content="x").status == 400
    assert shop.post(boss, "/communications/new", kind="visit", at="2026-11-22T11:30").status == 400


def heard(shop: Shop, name: str, **told: object) -> tuple[int, str]:
    """What `name` gets for the recording of a record, and what the list says of it."""
    made = shop.communication("说了", of=name, **told)
    browser = shop.browser(name)
    return browser.get(f"/communications/{made.id}/recording").status, browser.get("/communications").text


def test_the_recording_of_a_record(shop: Shop) -> None:
    shop.branch.call("call-1")
    shop.branch.recording("rec-1", "call-1")
    shop.branch.call("call-2")
    status, text = heard(shop, "ann", call_id="call-1", from_popup=True)
    assert status == 200 and "data-play" in text
    assert ("play", "done", "ann", "rec-1") in shop.branch.operations()
    status, text = heard(shop, "bob", call_id="call-1", from_popup=False)
    assert status == 403 and "Only records made in a pop-up" in text
    status, text = heard(shop, "chief", call_id="call-2", from_popup=True)
    assert status == 403 and "no finished recording" in text
    rights = shop.users["ann"].rights
    shop.hire("dan", "ordinary", rights=rights - {next(one for one in rights if one.value == "recordings")})
    status, text = heard(shop, "dan", call_id="call-1", from_popup=True)
    assert status == 403 and "no right to look up recordings" in text and "disabled" in text


@pytest.mark.parametrize("name", ["ann", "chief", "boss"])
def test_exports_and_clearing_keep_to_the_scope(shop: Shop, name: str) -> None:
    shop.hire("eve", "ordinary", group_id=shop.other_group_id)
    creators = ("ann", "bob", "eve")
    for creator in creators:
        shop.customer(f"客户 {creator}", "13800138000", of=creator)
        shop.communication(f"约定 {creator}", of=creator)
    sees = {"ann": {"ann"}, "chief": {"ann", "bob"}, "boss": set(creators)}[name]
    browser = shop.browser(name)
    for table, layout in (("customers", CUSTOMERS), ("communications", COMMUNICATIONS)):
        rows = read_sheet(layout, browser.get(f"/{table}/export.xlsx").body)
        assert {one for one in creators if any(one in " ".join(row) for row in rows)} == sees
        assert shop.post(browser, f"/{table}/clear", sure="yes").status == 303
        left = shop.browser("boss").get(f"/{table}").text
        assert {one for one in creators if f"客户 {one}" in left or f"约定 {one}" in left} == set(
            creators
        ) - sees


@pytest.mark.parametrize(("kind", "word"), [(kind, word.text) for kind, word in COMMUNICATION_KINDS.items()])
def test_every_kind_of_communication(shop: Shop, kind: str, word: str) -> None:
    boss = shop.browser("boss")
    sent = shop.post(
        boss, "/communications/new", kind=kind, at="2026-11-22T11:30", subject="门店", content="说了",
        feedback="满意",
    )  # fmt: skip
    assert sent.status == 303
    list_of_it = boss.get(f"/communications?kind={kind}").text.split("<tbody>")[1]
    assert all(text in list_of_it for text in (word, "门店", "说了", "满意"))


def test_one_timeline_with_links(shop: Shop) -> None:
    made = shop.customer("王小明", "+86 138-0013-8000", "0871-65123456转8001")
    shop.branch.recording("rec-1", shop.branch.call("call-1"))
    shop.branch.call("call-2")
    told = {"customer_id": made.id, "from_popup": True}
    shop.communication("先说的", call_id="call-1", **told)
    shop.branch.clock.advance(60)
    shop.communication("后说的", call_id="call-2", **told)
    boss = shop.browser("boss")
    page = boss.get(f"/customers/{made.id}").text
    assert page.index("后说的") < page.index("先说的")
    assert (
        'href="/calls/call-1"' in page and 'href="/calls/call-2"' in page
    )  # also where nothing is to be heard
    assert page.count("data-play=") == 1
    for path in ("/calls?text=%2A13800138000", "/calls?text=%2A87165123456"):
        assert f'href="{path}"' in page
    assert "call-1" in boss.get("/calls?text=%2A13800138000").text
