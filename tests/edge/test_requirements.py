"""Pop-up, customer and communication requirements (POP, COM): which test shows each."""

from __future__ import annotations

import pytest

from tests.named import functions_of, not_there

RULES, CARDS = "edge/test_popup.py::test_", "edge/customers/test_popup_page.py::test_"
PAGES, SHEETS = "edge/customers/test_pages.py::test_", "edge/customers/test_sheets_page.py::test_"
USERS, ROUTES = "edge/web/test_operators.py::test_", "edge/web/test_rights.py::test_"
BROWSER = "browser/test_popup.py::test_"

SHOWN_BY: dict[str, tuple[str, ...]] = {
    "POP-01": (f"{CARDS}no_number_no_card", f"{RULES}r0_binds_every_level"),
    "POP-02": (f"{CARDS}a_line_that_does_not_pop_up", f"{USERS}groups_and_lines"),
    "POP-03": (f"{CARDS}every_operator_is_judged_on_their_own",),
    "POP-04": (f"{RULES}r0_binds_every_level",),
    "POP-05": (f"{USERS}a_change_is_told_in_the_operation_log",),
    "POP-06": (f"{RULES}all_1536_combinations", f"{CARDS}every_operator_is_judged_on_their_own"),
    "POP-07": (f"{CARDS}a_stranger_becomes_a_customer_with_a_note",),
    "POP-08": (f"{BROWSER}a_stranger_calls_and_becomes_a_customer",),
    "POP-09": (f"{CARDS}the_minimal_card_is_off_until_it_is_on",),
    "POP-10": (
        f"{RULES}a_creator_who_changed_group_since",
        f"{CARDS}who_moves_keeps_the_group_of_the_making",
    ),
    "POP-11": (f"{CARDS}an_operator_of_several_lines",),
    "POP-12": (f"{CARDS}only_incoming_calls",),
    "POP-13": (
        f"{RULES}each_of_several_records_is_judged_on_its_own",
        f"{CARDS}several_records_for_one_number",
    ),
    "POP-14": ("edge/customers/test_without_head_office.py::test_a_card_needs_nothing_but_the_box",),
    "POP-20": (
        f"{PAGES}a_customer_from_the_form_to_the_history",
        f"{PAGES}taken_out_and_cleared",
        f"{SHEETS}out_of_one_box_and_into_an_empty_one",
    ),
    "POP-21": (f"{ROUTES}every_route_for_every_level_with_one_right", f"{PAGES}a_right_less_is_a_page_less"),
    "POP-22": (f"{PAGES}scope_of_lists_details_and_exports",),
    "POP-23": (f"{PAGES}scope_of_lists_details_and_exports",),
    "POP-24": (f"{PAGES}own_records_are_the_ordinary_users_whole_world",),
    "POP-25": (f"{SHEETS}the_first_column_that_differs_is_named",),
    "POP-26": (f"{SHEETS}out_of_one_box_and_into_an_empty_one",),
    "COM-01": (f"{PAGES}a_communication_by_hand", f"{SHEETS}out_of_one_box_and_into_an_empty_one"),
    "COM-02": (f"{ROUTES}every_route_for_every_level_with_one_right",),
    "COM-03": (f"{PAGES}scope_of_lists_details_and_exports",),
    "COM-04": (f"{SHEETS}out_of_one_box_and_into_an_empty_one",),
    "COM-05": (f"{PAGES}the_recording_of_a_record",),
    "COM-06": (f"{PAGES}every_kind_of_communication",),
    "COM-07": (f"{PAGES}one_timeline_with_links",),
}
NUMBERS = {
    *(f"POP-{at:02}" for at in (*range(1, 15), *range(20, 27))),
    *(f"COM-{at:02}" for at in range(1, 8)),
}


def test_every_number_is_shown_by_tests_that_are_there() -> None:
    assert set(SHOWN_BY) == NUMBERS
    assert not_there(name for names in SHOWN_BY.values() for name in names) == []


@pytest.mark.parametrize("name", ["edge/test_popup.py::test_nothing", "edge/test_none.py::test_x", "nothing"])
def test_a_name_that_is_no_test_is_found_out(name: str) -> None:
    assert not_there([name]) == [name]
    assert "test_a_name_that_is_no_test_is_found_out" in functions_of("edge/test_requirements.py")
