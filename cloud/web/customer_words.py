"""What people call the values of customers; translated where they are shown."""

from __future__ import annotations

from sync.locale import marked

KINDS = {"individual": marked("Individual"), "enterprise": marked("Enterprise")}
STATES = {"active": marked("Active"), "closed": marked("Closed account")}
CONSUMPTIONS = {"high": marked("High"), "middle": marked("Middle"), "low": marked("Low")}
SERVICES = {
    "mobile": marked("Mobile"),
    "broadband": marked("Broadband"),
    "landline": marked("Landline"),
    "trunk": marked("Leased line"),
    "tv": marked("Television"),
    "other": marked("Other"),
}
LEVELS = {
    0: marked("not given"),
    1: marked("Decides"),
    2: marked("Recommends"),
    3: marked("Day to day"),
}
NODE_KINDS = {"department": marked("Department"), "post": marked("Post"), "person": marked("Person")}
NUMBER_KINDS = {
    "mobile": marked("Mobile"),
    "fixed": marked("Landline"),
    "service": marked("Service number"),
    "foreign": marked("Abroad"),
    "extension": marked("Extension"),
    "unknown": marked("Unknown"),
}
EXPIRIES = {
    "open": marked("no end given"),
    "running": marked("running"),
    "soon": marked("ends soon"),
    "over": marked("over"),
}
SORTS = {"newest": marked("Newest"), "changed": marked("Last changed"), "region": marked("Region")}
COMMUNICATIONS = {
    "call": marked("Call"),
    "sms": marked("Text message"),
    "visit": marked("Visit"),
    "email": marked("E-mail"),
    "other": marked("Other"),
}
DEEDS = {
    "add": marked("Added"),
    "import": marked("Added from a sheet"),
    "change": marked("Changed"),
    "branch": marked("Changed at the branch"),
    "delete": marked("Deleted"),
    "restore": marked("Restored"),
    "merge": marked("Another record was merged into it"),
    "part": marked("Merged into another record"),
    "unmerge": marked("Merge undone"),
    "chart": marked("Organisation chart changed"),
    "tag": marked("Tags changed"),
    "serve": marked("Handed over"),
    "vouch": marked("Numbers confirmed"),
}
FIELDS = {
    "name": marked("Name"),
    "kind": marked("Type"),
    "numbers": marked("Numbers"),
    "contacts": marked("Contacts"),
    "address": marked("Address"),
    "industry": marked("Industry"),
    "tags": marked("Tags"),
    "remark": marked("Remarks"),
    "region": marked("Region"),
    "class_id": marked("Class"),
    "state": marked("State"),
    "consumption": marked("Consumption"),
    "joined_on": marked("On the network since"),
    "email": marked("E-mail"),
    "identity": marked("Identity number"),
    "bank": marked("Bank account"),
    "packages": marked("Packages"),
    "chart": marked("Organisation"),
    "served_by": marked("Served by"),
}
COLUMNS = {  # of the list, in their order
    "number": marked("Number"),
    "kind": marked("Type"),
    "class": marked("Class"),
    "region": marked("Region"),
    "branch": marked("Branch"),
    "packages": marked("Packages"),
    "consumption": marked("Consumption"),
    "tags": marked("Tags"),
    "changed": marked("Last changed"),
}
SHOWN_AT_FIRST = ("number", "kind", "class", "region", "branch", "packages", "tags")
TABS = {
    "basic": marked("Basics"),
    "contacts": marked("Contacts"),
    "chart": marked("Organisation"),
    "communications": marked("Communications"),
    "calls": marked("Calls and recordings"),
    "contracts": marked("Contracts"),
    "history": marked("Change history"),
}
FAULTS = {
    "no_name": marked("A customer needs a name."),
    "no_such_kind": marked("There is no such kind."),
    "too_long": marked("One of the texts is too long."),
    "too_many": marked("There are too many contacts or numbers."),
    "separator": marked("Names, tags and numbers are written without ; | and line breaks."),
    "contact_without_name": marked("A contact needs a name."),
    "too_many_tags": marked("There are too many tags, or one is too long."),
    "not_a_number": marked("One of the numbers cannot be a telephone number."),
    "no_such_state": marked("There is no such state."),
    "no_such_consumption": marked("There is no such level of consumption."),
    "no_such_service": marked("There is no such service."),
    "no_day": marked("A day is written like 2026-02-03."),
    "ends_before": marked("A package ends before it begins."),
    "no_email": marked("This is no e-mail address."),
    "no_identity": marked("An identity number has letters and digits only."),
    "no_bank": marked("A bank account has 8 to 34 digits."),
    "too_many_packages": marked("There are too many packages."),
    "needs_contact": marked("A new customer needs a number or a contact."),
    "needs_package": marked("A new customer needs at least one package."),
    "no_such_class": marked("There is no such class."),
    "no_such_person": marked("There is nobody of that name who serves customers."),
    "no_such_branch": marked("Choose the customer's branch."),
    "masked": marked("A value with the stars of a mask cannot be saved: leave out what you see masked."),
    "known_id": marked("There is a record with this id already."),
    "id_twice": marked("The id stands twice in this file."),
    "bad_id": marked("The id cannot be read."),
    "no_time": marked("The time cannot be read."),
}
RULE_FIELDS = {
    "kind": marked("Type"),
    "state": marked("State"),
    "consumption": marked("Consumption"),
    "region": marked("Region"),
    "industry": marked("Industry"),
    "remark": marked("Remarks"),
    "class": marked("Class"),
    "service": marked("Service"),
    "package": marked("Name of a package"),
    "months_on_network": marked("Months on the network"),
    "expires_in_days": marked("Days until a package ends"),
    "packages": marked("How many packages"),
    "numbers": marked("How many numbers"),
}
RULE_CHOICES = {"kind": KINDS, "state": STATES, "consumption": CONSUMPTIONS, "service": SERVICES}
COMPARISONS = {
    "is": marked("is"),
    "is_not": marked("is not"),
    "contains": marked("contains"),
    "at_least": marked("at least"),
    "at_most": marked("at most"),
}
RULE_FAULTS = {
    "no_condition": marked("A rule needs a condition; without one the tag is given by hand."),
    "too_many_conditions": marked("A rule has at most five conditions."),
    "no_such_field": marked("There is no such field for a rule."),
    "no_such_comparison": marked("This field cannot be compared so."),
    "no_value": marked("A condition needs a value of at most 60 characters."),
    "no_number": marked("This condition needs a whole number."),
    "no_tag_name": marked(
        "A tag or class needs a name of at most 30 characters, without ; | and line breaks."
    ),
    "known_name": marked("This name is taken."),
}
SHARED = {
    "identity": marked("The same identity number"),
    "number": marked("The same number"),
    "company": marked("Companies of the same name"),
}
