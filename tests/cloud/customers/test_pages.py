"""The pages of customers: what is found and shown to whom, and what forms do and refuse to do."""

from __future__ import annotations

import re

import pytest

from cloud.access.roles import ROLES, Right, rights_of
from cloud.store.communications import communication_added
from cloud.store.customer_writes import read_record
from cloud.store.database import read, write
from cloud.web import customer_words as words
from sync.arriving import Origin
from sync.events import CommunicationAdded
from sync.inbox import Told
from tests.cloud.customers.conftest import Firm
from tests.cloud.customers.people import ADDRESS, AT, BANK, IDENTITY, full_record, record

CLEAR = ("昆明东风商贸有限公司", "13800138000", "138 0013 8000", "65123456", "6512 3456", "张经理", "zhang@")
READERS = [role for role in ROLES if Right.READ_CUSTOMERS in rights_of(role)]


def form(**fields: object) -> dict[str, object]:
    """What somebody types for a new customer."""
    return {
        "name": "王小明",
        "kind": "individual",
        "numbers": "138 0013 8000\n0871-65123456",
        "box_id": "",
        "contact.name": ["李会计", ""],
        "contact.title": ["财务", ""],
        "contact.numbers": ["13911112222", ""],
        "contact.level": ["2", "0"],
        "package.service": ["broadband", ""],
        "package.name": ["500M", ""],
        "package.started_on": ["2025-03-01", ""],
        "package.expires_on": ["2026-03-20", ""],
    } | fields


@pytest.mark.parametrize("role", READERS)
def test_nobody_reads_a_secret_off_any_page(firm: Firm, role: str) -> None:
    """Without a grant, and without serving the customer, everything personal is masked everywhere."""
    counter = firm.counter(role)
    customer_id = firm.add(full_record(), "box-01")
    paths = ["/customers", "/customers?q=8000", f"/customers/{customer_id}/drawer"]
    paths += [f"/customers/{customer_id}?tab={tab}" for tab in words.TABS]
    paths += [f"/customers/{customer_id}/edit", "/customers/duplicates", "/customers/bin"]
    paths += ["/customers/import", "/customers/tags", "/customers/new"]
    for path in paths:
        text = counter.get(path).text
        assert "Project-Id-Version" not in text, path  # what an empty text is translated to
        for secret in (*CLEAR, IDENTITY, BANK, ADDRESS):
            assert secret not in text, (path, secret)


def test_who_serves_a_customer_sees_personal_fields_and_no_sensitive_one(firm: Firm) -> None:
    counter = firm.counter("account_manager")
    customer_id = firm.add(full_record(), "box-01")
    masked = counter.get(f"/customers/{customer_id}").text
    assert "138****8000" in masked and "昆明东风******公司" in masked and "****0123" in masked
    firm.serve(customer_id, "account_manager")
    text = counter.get(f"/customers/{customer_id}").text
    assert "昆明东风商贸有限公司" in text and ADDRESS in text and "138****8000" not in text
    assert BANK not in text and IDENTITY not in text


@pytest.mark.parametrize(
    ("asked", "status", "found"),
    [
        ("q=东风", 200, True),
        ("q=采购", 200, True),
        ("q=13800138000", 200, True),
        ("q=%2B86 138-0013-8000", 200, True),
        ("q=8000", 200, True),
        ("q=65123456", 200, True),
        ("q=" + IDENTITY, 200, True),
        ("q=" + BANK, 200, True),
        ("q=" + BANK[:-1], 200, False),
        ("q=0138", 200, False),
        ("q=1380013", 422, False),
        ("q=00138000", 422, False),
        ("kind=enterprise&service=broadband&consumption=high&state=active&branch=box-01", 200, True),
        ("kind=individual", 200, False),
        ("sort=changed", 200, True),
        ("sort=name", 422, False),
        ("kind=spaceship", 422, False),
        ("limit=0", 422, False),
        ("limit=100000", 422, False),
        ("cursor=forged", 422, False),
        ("cursor=WyJjaGFuZ2VkIiwgIiIsIDFd", 422, False),  # of another order
        ("q=" + "x" * 65, 422, False),
        ("q='; DROP TABLE customers --", 200, False),
        ('q=" OR 1', 200, False),
        ("q={{777*777}}", 200, False),
        ("q=%00", 422, False),
        ("tag=no-such-tag", 200, False),
    ],
)
def test_the_filter(firm: Firm, asked: str, status: int, found: bool) -> None:
    firm.add(full_record(), "box-01")
    answer = firm.counter("agent").get(f"/customers?{asked}")
    assert (answer.status_code, "昆明东风******公司" in answer.text) == (status, found)
    assert "603729" not in answer.text


def test_pages_follow_each_other(firm: Firm) -> None:
    for number in range(5):
        firm.add(record(f"客户{'甲乙丙丁戊'[number]}", kind="enterprise"))
    counter = firm.counter("agent")
    path, pages = "/customers?limit=2", 0
    seen: list[str] = []
    while path:
        text = counter.get(path).text
        seen += re.findall(r'name="id" value="([^"]+)"', text)
        onward = re.search(r'class="onward" href="([^"]+)"', text)
        path, pages = (onward[1].replace("&amp;", "&") if onward else ""), pages + 1
    assert (pages, len(seen), len(set(seen))) == (3, 5, 5)


def test_the_columns_chosen_are_remembered(firm: Firm) -> None:
    firm.add(full_record())
    counter = firm.counter("agent")
    counter.get("/customers?columns=tags&columns=nonsense")
    head = counter.get("/customers").text.split("<thead>")[1].split("</thead>")[0]
    assert "标签" in head and "地区" not in head


def test_a_new_customer_is_added_by_template(firm: Firm) -> None:
    counter = firm.counter("agent")
    answer = counter.post("/customers/new?template=household", form(identity="53010219900307123x"))
    assert answer.status_code == 303
    customer_id = answer.headers["location"].removeprefix("/customers/")
    with read(firm.house.parts.engine) as db:
        kept = read_record(db, firm.house.parts.ring, firm.row(customer_id))
    assert kept.what.numbers == ("138 0013 8000", "0871-65123456")
    assert [(one.name, one.level) for one in kept.what.contacts] == [("李会计", 2)]
    assert kept.identity == "53010219900307123X"
    assert kept.packages[0].expires_on == "2026-03-20"
    page = counter.get(f"/customers/{customer_id}").text
    assert "即将到期" in page and "王**" in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " "}, "请填写客户姓名"),
        ({"numbers": "abc"}, "不是电话号码"),
        ({"numbers": "", "contact.name": "", "contact.title": "", "contact.numbers": ""}, "至少需要一个电话"),
        (
            {"package.service": "", "package.name": "", "package.started_on": "", "package.expires_on": ""},
            "套餐",
        ),
        ({"package.service": "pigeon"}, "没有这个业务"),
        ({"package.expires_on": ["2020-01-01", ""]}, "早于开始日"),
        ({"joined_on": "2026-02-30"}, "日期格式"),
        ({"class_id": "no such"}, "没有这个分类"),
        ({"box_id": "box-99"}, "请选择客户所属网点"),
        ({"kind": "飞船"}, "没有这个类别"),
        ({"email": "<script>"}, "邮箱地址不正确"),
        ({"bank": "1"}, "银行账号"),
        ({"remark": "x" * 5000}, "文字过长"),
    ],
)
def test_a_new_customer_that_cannot_be_is_refused_in_words(
    firm: Firm, fields: dict[str, object], sentence: str
) -> None:
    counter = firm.counter("agent")
    answer = counter.post("/customers/new", form(**fields))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "<script>" not in answer.text.split("<main>")[1]
    assert "暂无客户" in counter.get("/customers").text


def test_empty_fields_keep_what_is_masked(firm: Firm) -> None:
    customer_id = firm.add(full_record(), "box-01")
    counter = firm.counter("agent")
    page = counter.get(f"/customers/{customer_id}/edit").text
    assert "已脱敏；留空则不修改" in page
    changed = {"version": "1", "region": "云南大理", "numbers": "13700001111", "kind": "enterprise"}
    packages = {"package.service": "broadband", "package.name": "500M", "package.started_on": "2025-03-01"}
    answer = counter.post(
        f"/customers/{customer_id}/edit",
        changed | packages | {"package.expires_on": "2026-03-20", "state": "active", "tags": "高净值"},
    )
    assert answer.status_code == 303
    with read(firm.house.parts.engine) as db:
        kept = read_record(db, firm.house.parts.ring, firm.row(customer_id))
    before = full_record()
    assert (kept.what.name, kept.what.address, kept.identity) == (
        before.what.name,
        before.what.address,
        IDENTITY,
    )
    assert kept.what.contacts == before.what.contacts
    assert kept.what.numbers == (*before.what.numbers, "13700001111")
    assert kept.region == "云南大理"
    history = counter.get(f"/customers/{customer_id}?tab=history").text
    assert "云南大理" in history and "13700001111" not in history


def test_of_two_who_save_the_second_is_shown_both(firm: Firm) -> None:
    customer_id = firm.add(record("王小明", "13800138000", region="云南"))
    one, two = firm.counter("agent"), firm.counter("manager")
    first = {"version": "1", "kind": "individual", "state": "active", "region": "昆明"}
    assert one.post(f"/customers/{customer_id}/edit", first).status_code == 303
    second = first | {"region": "大理"}
    answer = two.post(f"/customers/{customer_id}/edit", second)
    assert answer.status_code == 409
    assert "昆明" in answer.text and "大理" in answer.text and 'name="version" value="2"' in answer.text
    assert firm.row(customer_id)["region"] == "昆明"
    again = two.post(f"/customers/{customer_id}/edit", second | {"version": "2"})
    assert again.status_code == 303
    assert firm.row(customer_id)["region"] == "大理"


@pytest.mark.parametrize("version", ["", "x", "-1", "99999999999", "２"])
def test_without_its_version_nothing_is_saved(firm: Firm, version: str) -> None:
    customer_id = firm.add(record("王小明"))
    form = {"version": version, "kind": "individual", "state": "active", "region": "x"}
    assert firm.counter("agent").post(f"/customers/{customer_id}/edit", form).status_code == 409
    assert firm.row(customer_id)["region"] == ""


def test_only_who_manages_says_who_serves(firm: Firm) -> None:
    customer_id = firm.add(record("王小明"))
    counters = {role: firm.counter(role) for role in ("agent", "manager")}
    with read(firm.house.parts.engine) as db:
        agent = db.exec_driver_sql("SELECT id FROM users WHERE role = 'agent'").scalar_one()
    form = {"version": "1", "kind": "individual", "state": "active", "served_by": agent}
    for role, served in (("agent", None), ("manager", agent)):
        counters[role].post(f"/customers/{customer_id}/edit", form)
        assert firm.row(customer_id)["served_by"] == served


def test_batches(firm: Firm) -> None:
    ids = [firm.add(record(name)) for name in ("甲", "乙", "丙")]
    counter = firm.counter("manager")
    counter.post("/customers/tags", {"name": "家庭用户", "field": "", "is": "is", "value": ""})
    counter.post("/customers/classes", {"name": "重点"})
    page = counter.get("/customers").text
    tag, class_id = (re.search(rf'<option value="([^"]+)">{name}<', page)[1] for name in ("家庭用户", "重点"))  # type: ignore[index]
    assert (
        "2" in counter.post("/customers/batch", {"act": "tag", "tag": tag, "id": ids[:2]}).headers["location"]
    )
    counter.post("/customers/batch", {"act": "class", "class": class_id, "id": ids[1:]})
    assert counter.get(f"/customers?tag={tag}").text.count('name="id"') == 2
    assert counter.get(f"/customers?class={class_id}").text.count('name="id"') == 2
    counter.post("/customers/batch", {"act": "untag", "tag": tag, "id": ids})
    counter.post("/customers/batch", {"act": "delete", "id": [ids[2], "no such"]})
    assert counter.get("/customers").text.count('name="id"') == 2
    history = counter.get(f"/customers/{ids[0]}?tab=history").text
    assert history.count("修改标签") == 2 and "家庭用户" in history


@pytest.mark.parametrize(
    "form", [{"act": "delete"}, {"act": "explode", "id": "x"}, {"act": "tag", "id": "x"}]
)
def test_a_batch_that_says_too_little_is_refused(firm: Firm, form: dict[str, str]) -> None:
    assert firm.counter("manager").post("/customers/batch", form).status_code == 422


def test_an_agent_does_not_delete(firm: Firm) -> None:
    customer_id = firm.add(record("甲"))
    counter = firm.counter("agent")
    assert counter.post("/customers/batch", {"act": "delete", "id": customer_id}).status_code == 403
    assert counter.post(f"/customers/{customer_id}/delete").status_code == 403
    assert firm.row(customer_id) is not None


def test_the_recycle_bin_is_the_administrators(firm: Firm) -> None:
    customer_id = firm.add(record("王小明"))
    manager, admin = firm.counter("manager"), firm.counter("admin")
    assert manager.post(f"/customers/{customer_id}/delete", {"why": "销户"}).status_code == 303
    assert manager.get("/customers/bin").status_code == 403
    assert manager.post(f"/customers/bin/{customer_id}/restore").status_code == 403
    assert manager.get(f"/customers/{customer_id}").status_code == 404
    page = admin.get("/customers/bin").text
    assert "王**" in page and "销户" in page
    assert admin.post(f"/customers/bin/{customer_id}/restore").status_code == 303
    assert admin.get(f"/customers/{customer_id}").status_code == 200
    assert admin.post(f"/customers/bin/{customer_id}/restore").status_code == 404


def test_after_seven_days_there_is_nothing_to_restore(firm: Firm) -> None:
    customer_id = firm.add(record("王小明"))
    firm.counter("admin").post(f"/customers/{customer_id}/delete")
    firm.house.clock.advance(7 * 86400 + 1)
    admin = firm.counter("admin")
    assert admin.post(f"/customers/bin/{customer_id}/restore").status_code == 404
    assert "回收站为空" in admin.get("/customers/bin").text


def test_duplicates_are_compared_merged_and_parted(firm: Firm) -> None:
    one = firm.add(record("王小明", "13800138000", region="云南"))
    two = firm.add(record("王晓明", "13800138000", region="昆明", email="w@example.cn"))
    manager = firm.counter("manager")
    assert f"/customers/{one}/merge/{two}" in manager.get("/customers/duplicates").text
    page = manager.get(f"/customers/{one}/merge/{two}").text
    assert 'name="take.region"' in page and "13800138000" not in page
    form = {"version": "1", "other_version": "1", "take.region": "other", "take.name": "kept"}
    assert manager.post(f"/customers/{one}/merge/{two}", form | {"other_version": "7"}).status_code == 409
    assert manager.post(f"/customers/{one}/merge/{two}", form).status_code == 303
    row = firm.row(one)
    assert (row["region"], row["email"], row["name"]) == ("昆明", "w@example.cn", "王小明")
    assert firm.row(two) is None
    merge = re.search(r"/customers/merges/([^/]+)/undo", manager.get(f"/customers/{one}").text)
    assert merge
    assert manager.post(f"/customers/merges/{merge[1]}/undo").status_code == 303
    assert (firm.row(one)["region"], firm.row(two)["region"]) == ("云南", "昆明")
    assert manager.post(f"/customers/merges/{merge[1]}/undo").status_code == 404


def test_a_customer_is_not_merged_with_itself(firm: Firm) -> None:
    one = firm.add(record("王小明"))
    assert firm.counter("manager").get(f"/customers/{one}/merge/{one}").status_code == 404


def test_a_tag_with_a_rule(firm: Firm) -> None:
    firm.add(record("甲", consumption="high"))
    firm.add(record("乙", consumption="low"))
    manager = firm.counter("manager")
    rule = {"name": "高净值", "field": ["consumption", ""], "is": ["is", "is"], "value": ["高", ""]}
    assert manager.post("/customers/tags", rule).status_code == 303
    manager.post("/customers/tags/apply")
    page = manager.get("/customers/tags").text
    assert "消费水平 是 “高”" in page and "1 个客户" in page
    assert manager.post("/customers/tags", rule).status_code == 422  # the name is taken
    bad = rule | {"name": "x", "field": "identity", "value": "53"}
    assert "规则没有这个字段" in manager.post("/customers/tags", bad).text
    tag = re.search(r"/customers/tags\?tag=([^\"]+)", page)
    assert tag
    assert 'value="高"' in manager.get(f"/customers/tags?tag={tag[1]}").text
    manager.post(f"/customers/tags/{tag[1]}/delete")
    assert "暂无标签" in manager.get("/customers/tags").text


def test_classes_are_kept_by_who_manages(firm: Firm) -> None:
    manager = firm.counter("manager")
    assert manager.post("/customers/classes", {"name": "重点"}).status_code == 303
    assert manager.post("/customers/classes", {"name": "重点"}).status_code == 422
    assert manager.post("/customers/classes", {"name": "a;b"}).status_code == 422
    assert firm.counter("agent").post("/customers/classes", {"name": "x"}).status_code == 403


def test_the_organisation_chart(firm: Firm) -> None:
    customer_id = firm.add(full_record(), "box-01")
    counter = firm.counter("agent")
    path = f"/customers/{customer_id}/chart"
    counter.post(path, {"kind": "department", "name": "采购部", "parent": ""})
    page = counter.get(f"/customers/{customer_id}?tab=chart").text
    (department,) = re.findall(r"/chart/([^/]+)/remove", page)
    assert counter.post(path, {"kind": "person", "name": "赵六", "parent": department}).status_code == 303
    page = counter.get(f"/customers/{customer_id}?tab=chart").text
    assert "采购部" in page and "赵**" in page and 'class="person d1"' in page
    person = next(one for one in re.findall(r"/chart/([^/]+)/remove", page) if one != department)
    for refused in ({"kind": "post", "parent": person}, {"kind": "person", "parent": "x"}, {"kind": "king"}):
        assert counter.post(path, {"name": "x", "parent": ""} | refused).status_code == 422
    assert counter.post(f"{path}/{department}/remove").status_code == 303
    assert 'class="person d0"' in counter.get(f"/customers/{customer_id}?tab=chart").text
    assert counter.post(f"{path}/{department}/remove").status_code == 404
    assert "组织架构" in counter.get(f"/customers/{customer_id}?tab=history").text


def test_calls_and_communications_stand_with_the_customer(firm: Firm) -> None:
    customer_id = firm.add(full_record(), "box-01")
    firm.house.add_call(caller_number="087165123456")
    firm.house.add_call(caller_number="13999999999")
    told = CommunicationAdded("c1", "visit", AT, "请回电 13800138000", AT, number="13800138000")
    with write(firm.house.parts.engine) as db:
        communication_added(db, [Told(Origin("box-01", AT), told, "e", 1)])
    counter = firm.counter("manager")
    assert counter.get(f"/customers/{customer_id}?tab=calls").text.count('class="time"') == 1
    page = counter.get(f"/customers/{customer_id}?tab=communications").text
    assert "请回电 138****8000" in page
    assert "没有合同功能" in counter.get(f"/customers/{customer_id}?tab=contracts").text


def test_sync_by_hand_says_when_and_needs_a_branch(firm: Firm) -> None:
    ours, theirs = firm.add(record("甲")), firm.add(record("乙"), "box-01")
    firm.house.set_aside()
    counter = firm.counter("agent")
    assert "尚未同步" in counter.get(f"/customers/{theirs}").text
    assert counter.post(f"/customers/{theirs}/sync").status_code == 303
    assert "2026-03-02 12:00:00" in counter.get(f"/customers/{theirs}").text
    assert counter.post(f"/customers/{ours}/sync").status_code == 409


def test_a_form_from_elsewhere_changes_nothing(firm: Firm) -> None:
    customer_id = firm.add(record("王小明"))
    client = firm.counter("admin").client
    for path in (f"/customers/{customer_id}/delete", "/customers/new", "/customers/batch"):
        assert client.post(path, data={"csrf_token": "forged", "act": "delete"}).status_code == 403
    assert firm.row(customer_id) is not None


def test_without_the_key_nothing_is_shown_half(firm: Firm) -> None:
    customer_id = firm.add(full_record())
    firm.house.parts.keys.path.unlink()
    answer = firm.counter("agent").get(f"/customers/{customer_id}")
    assert answer.status_code == 503
    assert "密钥缺失" in answer.text


def test_every_look_and_change_stands_in_the_trail(firm: Firm) -> None:
    customer_id = firm.add(full_record())
    counter = firm.counter("manager")
    counter.get(f"/customers?q={IDENTITY}")
    counter.get(f"/customers/{customer_id}")
    counter.post(f"/customers/{customer_id}/delete")
    with read(firm.house.parts.engine) as db:
        rows = db.exec_driver_sql(
            "SELECT action, object_id, query FROM access_log WHERE kind = 'customers' ORDER BY id"
        ).all()
    assert [(row[0], row[1]) for row in rows] == [
        ("search_number", ""),
        ("view", customer_id),
        ("delete", customer_id),
    ]
    assert not any(IDENTITY in row[2] for row in rows)
