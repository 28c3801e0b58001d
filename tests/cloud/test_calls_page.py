"""The list of calls and one call, as pages and as API: filters, paging, freshness, hostile texts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from cloud.access.units import Unit
from cloud.store.database import write
from cloud.store.units import add_unit, place_box
from sync.moment import to_text
from tests.cloud.customers.people import add, record
from tests.cloud.house import NOON, House

CALLS = {  # name -> what differs from an answered call of 13800138000 at noon on 2026-03-02 in Shanghai
    "plain": {},
    "kunming": {"box_id": "box-02", "caller_name": "王小明"},
    "out": {"direction": "out", "caller_number": None, "dialled": "087165123456"},
    "missed": {"outcome": "missed", "caller_number": "95588", "caller_name": "Bank_1 100%"},
    "withheld": {"caller_number": None, "caller_presentation": "withheld"},
    "first minute": {"started_utc": "2026-03-01T16:00:00.000Z"},  # of 2 March in Shanghai
    "day before": {"started_utc": "2026-03-01T15:59:59.999Z"},
    "day after": {"started_utc": "2026-03-02T16:00:00.000Z"},
}
ALL = set(CALLS)
ON_THE_DAY = ALL - {"day before", "day after"}
PLAIN_NUMBER = ALL - {"out", "missed", "withheld"}


@pytest.fixture
def names(house: House) -> dict[str, str]:
    """Id -> name of each of CALLS, which are in the database."""
    house.add_box("box-01", "Dali")
    house.add_box("box-02", "昆明")
    return {house.add_call(**fields): name for name, fields in CALLS.items()}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, ALL),
        ({"branch": "box-02"}, {"kunming"}),
        ({"branch": "box-09"}, set()),
        ({"direction": "out"}, {"out"}),
        ({"outcome": "missed"}, {"missed"}),
        ({"outcome": "missed", "direction": "out"}, set()),
        ({"party": "13800138000"}, PLAIN_NUMBER),
        ({"party": " +86 138-0013-8000 "}, PLAIN_NUMBER),
        ({"party": "8000"}, PLAIN_NUMBER),
        ({"party": "*8000"}, PLAIN_NUMBER),
        ({"party": "138*8000"}, PLAIN_NUMBER),
        ({"party": "8001"}, set()),
        ({"party": "0871-65123456"}, {"out"}),
        ({"party": "王小明"}, {"kunming"}),
        ({"party": "小明"}, set()),  # a whole name, or it would be guessed
        ({"party": "Bank_1 100%"}, {"missed"}),
        ({"party": "%"}, set()),
        ({"party": "'; DROP TABLE calls; --"}, set()),
        ({"days": "today"}, ON_THE_DAY),
        ({"days": "yesterday"}, {"day before"}),
        ({"shortest": "60", "longest": "60"}, ALL),
        ({"shortest": "61"}, set()),
        ({"recorded": "no"}, ALL),
        ({"recorded": "yes"}, set()),
        ({"gap": "no"}, ALL),
        ({"branch": "box-01", "line": "2"}, ALL - {"kunming"}),
        ({"branch": "box-01", "line": "3"}, set()),
        ({"mark": "star"}, set()),
        ({"tag": "VIP"}, set()),
        ({"from": "2026-03-02"}, ALL - {"day before"}),
        ({"to": "2026-03-02"}, ALL - {"day after"}),
        ({"from": "2026-03-02", "to": "2026-03-02"}, ON_THE_DAY),
        ({"from": "2026-03-03", "to": "2026-03-02"}, set()),
        ({"direction": "", "party": "", "from": ""}, ALL),
    ],
)
def test_filters(house: House, names: dict[str, str], query: dict[str, str], wanted: set[str]) -> None:
    client = house.visitor("manager")
    found = client.get("/api/v1/calls", params=query).json()["calls"]
    assert {names[call["id"]] for call in found} == wanted
    page = client.get("/calls", params=query).text
    assert {names[one] for one in re.findall(r'id="call-([^"]+)"', page)} == wanted


@pytest.mark.parametrize(
    "query",
    [
        {"direction": "sideways"},
        {"outcome": "answered'"},
        {"from": "2026-02-30"},
        {"to": "yesterday"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31"},
        {"from": "2026-3-2-1"},
        {"party": "1" * 65},
        {"party": "a\0b"},
        {"unit": "nowhere"},
        {"line": "2"},
        {"party": "138*"},
        {"party": "*"},
        {"sort": "caller_number"},
        {"shortest": "1.5"},
        {"cursor": "forged"},
        {"cursor": "AAAA"},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "-1"},
        {"limit": "1e2"},
        {"limit": "٣"},
        {"limit": "9" * 5000},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_a_sentence(house: House, query: dict[str, str]) -> None:
    client = house.visitor("agent")
    client.cookies.set("language", "en")
    answer = client.get("/api/v1/calls", params=query)
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(".") and answer.json()["status"] == 422
    page = client.get("/calls", params=query)
    assert page.status_code == 422 and answer.json()["detail"] in page.text
    assert client.get("/calls/rows", params=query).status_code == 422


def test_all_faults_of_a_filter_are_told_at_once(house: House) -> None:
    client = house.visitor("agent")
    page = client.get("/calls", params={"direction": "x", "from": "y", "limit": "z"}).text
    assert page.count('class="fault"') == 3


def test_an_unknown_field_is_refused_by_the_api(house: House) -> None:
    answer = house.visitor("agent").get("/api/v1/calls?orderby=caller_number")
    assert answer.status_code == 422 and "orderby" in answer.json()["detail"]


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_paging_visits_each_call_once_newest_first(house: House, limit: int) -> None:
    total = 60 if limit == 1 else 1000
    moments = [to_text(NOON - timedelta(seconds=n // 5)) for n in range(total)]  # five at the same moment
    ids = set(house.add_calls([{"started_utc": moment} for moment in moments]))
    client = house.visitor("agent")
    seen: list[tuple[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/v1/calls", params={"limit": limit, "cursor": cursor}).json()
        assert 0 < len(page["calls"]) <= limit
        seen += [(call["started_utc"], call["id"]) for call in page["calls"]]
        assert len(seen) <= total
        cursor = page["next"]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == total and {one for _, one in seen} == ids


def test_oldest_first_pages_the_other_way(house: House) -> None:
    ids = house.add_calls([{"started_utc": to_text(NOON + timedelta(seconds=n))} for n in range(5)])
    client = house.visitor("agent")
    first = client.get("/api/v1/calls?sort=started&limit=3").json()
    second = client.get(
        "/api/v1/calls", params={"sort": "started", "limit": 3, "cursor": first["next"]}
    ).json()
    assert [call["id"] for call in (*first["calls"], *second["calls"])] == ids


def test_a_cursor_is_of_no_use_in_another_list(house: House) -> None:
    house.add_calls([{}] * 3)
    client = house.visitor("agent")
    cursor = client.get("/api/v1/calls?limit=1").json()["next"]
    assert client.get("/api/v1/calls", params={"limit": 2, "cursor": cursor}).status_code == 200
    for other in ({"direction": "in"}, {"sort": "started"}, {"cursor": cursor[:-2] + "AA"}):
        assert client.get("/api/v1/calls", params={"cursor": cursor, **other}).status_code == 422


def test_digits_that_are_masked_cannot_be_guessed_by_searching(house: House) -> None:
    house.add_call()
    client = house.visitor("agent")
    assert client.get("/api/v1/calls").json()["calls"][0]["caller_number"] == "138****8000"
    for typed in ("00138000", "*0138000", "1380*8000"):
        answer = client.get("/api/v1/calls", params={"party": typed})
        assert (answer.status_code, answer.json().get("calls")) == (403, None)


def test_calls_of_a_unit_and_of_a_customer(house: House) -> None:
    house.add_box("box-01", "Dali")
    house.add_box("box-02", "Kunming")
    with write(house.parts.engine) as db:
        add_unit(db, Unit("yn", "云南", "province", "national"))
        place_box(db, "box-02", "yn")
    here, there = house.add_call(), house.add_call(box_id="box-02", caller_number="95588")
    client = house.visitor("manager")
    assert [call["id"] for call in client.get("/api/v1/calls?unit=yn").json()["calls"]] == [there]
    assert client.get("/api/v1/calls?unit=yn&branch=box-01").json()["calls"] == []
    assert "云南" in client.get("/calls").text
    customer = add(house.parts.engine, record("王小明", "138 0013 8000"))
    assert [call["id"] for call in client.get(f"/api/v1/calls?customer={customer}").json()["calls"]] == [here]
    assert client.get("/api/v1/calls?customer=nobody").json()["calls"] == []
    assert house.visitor("maintainer").get(f"/api/v1/calls?customer={customer}").status_code in (403, 422)


def test_calls_that_come_in_meanwhile_do_not_shift_the_pages(house: House) -> None:
    for n in range(4):
        house.add_call(started_utc=to_text(NOON - timedelta(seconds=n)))
    client = house.visitor("agent")
    first = client.get("/api/v1/calls?limit=2").json()
    house.add_call(started_utc=to_text(NOON + timedelta(seconds=9)))
    second = client.get("/api/v1/calls", params={"limit": 2, "cursor": first["next"]}).json()
    assert not {call["id"] for call in first["calls"]} & {call["id"] for call in second["calls"]}
    assert len(second["calls"]) == 2 and second["next"] is None


def test_the_page_leads_to_earlier_calls_and_keeps_the_filter(house: House) -> None:
    house.add_calls([{"started_utc": to_text(NOON - timedelta(seconds=n))} for n in range(51)])
    client = house.visitor("agent")
    first = client.get("/calls?direction=in").text
    onward = re.search(r'class="onward" href="([^"]+)"', first)
    assert onward and "direction=in" in onward[1]
    second = client.get(onward[1].replace("&amp;", "&")).text
    assert second.count('id="call-') == 1
    assert "every 1s" in first and "every 1s" not in second  # only the newest page refreshes itself


def poll_path(text: str) -> str:
    found = re.search(r'hx-get="([^"]+)" hx-trigger="every 1s"', text)
    assert found
    return found[1].replace("&amp;", "&")


def test_the_list_is_sent_again_only_when_it_has_changed(house: House) -> None:
    client = house.visitor("agent")
    poll = poll_path(client.get("/calls").text)
    assert client.get(poll).status_code == 204
    call_id = house.add_call()
    changed = client.get(poll)
    assert changed.status_code == 200 and f'id="call-{call_id}"' in changed.text
    assert "<html" not in changed.text
    assert client.get(poll_path(changed.text)).status_code == 204
    house.add_recording(call_id, b"fLaC")  # not only new calls count
    assert client.get(poll_path(changed.text)).status_code == 200


def test_only_what_came_in_since_is_marked_as_new(house: House) -> None:
    house.add_call()
    client = house.visitor("agent")
    page = client.get("/calls").text
    house.add_call(received_utc=to_text(NOON + timedelta(hours=1)))
    assert 'class="new"' not in page
    assert client.get(poll_path(page)).text.count('class="new"') == 1


def test_the_list_refreshes_within_its_filter(house: House) -> None:
    client = house.visitor("manager")
    poll = poll_path(client.get("/calls?direction=out&party=087165123456").text)
    house.add_call()
    assert client.get(poll).status_code == 204
    house.add_call(direction="out", dialled="087165123456")
    assert client.get(poll).status_code == 200


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7*7 }}{% for x in y %}",
    "javascript:alert(1)",
    "</td></tr></table>",
    "&lt;b&gt;",
    "\u202egnp.exe",
    "a\x00b\x1b[31m",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_from_the_telephone_line_stay_texts(house: House, text: str) -> None:
    fields = ("caller_name", "caller_number", "line_name", "keys", "end_reason", "clock_quality", "box_id")
    call_id = house.add_call(**dict.fromkeys(fields, text))
    recording_id = house.add_recording(call_id, b"fLaC")
    house.add_gap(recording_id, 10, 20, text)
    lost = house.add_call(duration_ms=1)
    house.add_recording(lost, state="lost", samples=None, rate_hz=None, lost_reason=text)
    client = house.visitor("admin")
    for path in ("/calls", f"/calls/{call_id}", f"/calls/{lost}", f"/calls/{call_id}/recordings"):
        page = client.get(path).text
        assert "<script>alert" not in page and "<img src=x" not in page and " onmouseover='" not in page
        assert "</td></tr></table>" not in page and "49{%" not in page
    assert client.get(f"/api/v1/calls/{call_id}").json()["line_name"] in (text, text.replace("\0", "\ufffd"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_filter_stays_a_text(house: House, text: str) -> None:
    page = house.visitor("agent").get("/calls", params={"party": text, "direction": text, "cursor": text})
    assert page.status_code == 422
    assert "<script>alert" not in page.text and "<img src=x" not in page.text


def test_the_call_page_tells_what_is_known(house: House) -> None:
    house.add_box("box-01", "大理网点")
    call_id = house.add_call(caller_name="王小明", keys="12#", hook_known=False)
    recording_id = house.add_recording(call_id, b"fLaC" * 10)
    house.add_gap(recording_id, 40_000, 8000, "overrun")
    client = house.visitor("agent")
    client.cookies.set("language", "en")
    page = client.get(f"/calls/{call_id}").text
    for text in ("大理网点", "138****8000", "王**", "2026-03-02 12:00:00", "Front desk (2)"):
        assert text in page
    for text in ("138 0013 8000", "13800138000", "王小明", "12#"):
        assert text not in page
    assert f'src="/api/v1/recordings/{recording_id}/audio"' in page
    assert "Gap at 0:05, 1.000 s missing" in page and "the box was too slow" in page
    assert "judged by sound alone" in page
    assert "/recordings?seen=" not in page  # everything has arrived


def test_a_recording_on_its_way_appears_by_itself(house: House) -> None:
    call_id = house.add_call()
    client = house.visitor("agent")
    poll = poll_path(client.get(f"/calls/{call_id}").text)
    assert client.get(poll).status_code == 204
    house.add_recording(call_id)
    announced = client.get(poll).text
    assert "<audio" not in announced
    assert client.get(poll_path(announced)).status_code == 204
    house.add_recording(call_id, b"fLaC")
    assert "<audio" in client.get(poll_path(announced)).text


def test_a_missed_call_waits_for_no_recording(house: House) -> None:
    call_id = house.add_call(outcome="missed", answered_utc=None, duration_ms=0)
    assert "/recordings?seen=" not in house.visitor("agent").get(f"/calls/{call_id}").text


@pytest.mark.parametrize("path", ["/calls/none", "/api/v1/calls/none", "/calls/none/recordings"])
def test_a_call_there_is_not(house: House, path: str) -> None:
    answer = house.visitor("agent").get(path)
    assert answer.status_code == 404 and "没有这条通话。" in answer.text


def test_a_value_from_a_newer_box_is_shown_as_it_came(house: House) -> None:
    call_id = house.add_call(end_reason="transferred", outcome="parked")
    page = house.visitor("agent").get(f"/calls/{call_id}").text
    assert "transferred" in page and "parked" in page


def test_branches(house: House) -> None:
    house.add_box("box-01", "大理")
    house.add_box("box-02", "昆明")
    today = house.add_call()
    house.add_call(started_utc="2026-03-01T15:59:59.999Z")  # yesterday in Shanghai
    house.add_call(started_utc="2026-03-01T16:00:00.000Z")  # today there, yesterday in UTC
    house.add_recording(today)
    house.add_recording(today, b"fLaC")
    page = house.visitor("manager").get("/branches").text
    rows = page.split("<tr>")[2:]
    figures = [re.findall(r'<td class="figure[^>]*>(\d+)<', row) for row in rows]
    assert figures == [["2", "1"], ["0", "0"]]
    assert "大理" in rows[0] and "/calls?branch=box-01" in rows[0]
    assert "/calls?branch" not in house.visitor("maintainer").get("/branches").text
