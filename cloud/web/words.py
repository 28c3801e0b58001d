"""What people call the values that boxes send; translated where they are shown."""

from __future__ import annotations

from sync.locale import marked

DIRECTIONS = {"in": marked("Incoming"), "out": marked("Outgoing"), "unknown": marked("Unknown")}
OUTCOMES = {
    "answered": marked("Answered"),
    "missed": marked("Missed"),
    "voicemail": marked("Voicemail"),
    "busy": marked("Busy"),
    "no_answer": marked("No answer"),
    "unknown": marked("Unknown"),
}
PRESENTATIONS = {
    "withheld": marked("Number withheld"),
    "unavailable": marked("Number unavailable"),
    "failed": marked("Number not readable"),
}
RECORDING_STATES = {
    "stored": marked("Stored"),
    "announced": marked("On its way"),
    "lost": marked("Lost"),
    "deleted": marked("Deleted"),
}
STANDARDS = {"bell202": marked("Bell 202 (FSK)"), "v23": marked("V.23 (FSK)"), "dtmf": marked("DTMF")}
END_REASONS = {
    "hung_up": marked("Hung up"),
    "not_answered": marked("Not answered"),
    "line_lost": marked("The line was lost"),
    "loop_opened": marked("The exchange let the line go"),
    "too_long": marked("The longest call was reached"),
    "recorder_restarted": marked("The recorder restarted"),
}
GAP_REASONS = {
    "overrun": marked("the box was too slow"),
    "disk_full": marked("the disk was full"),
    "disk_error": marked("the disk failed"),
    "device_lost": marked("the audio device was gone"),
    "ring_overtaken": marked("the recorder was too slow"),
    "restart": marked("the recorder was restarted"),
}
CLOCKS = {
    "ntp": marked("set by the network"),
    "rtc": marked("from the box's clock chip"),
    "unsynced": marked("not set"),
    "stepped": marked("set in mid call"),
    "unknown": marked("Unknown"),
}
TROUBLES = {
    "two_boxes": marked("Two boxes use the same identity"),
    "other_history": marked("Its manifests do not fit those received before"),
    "key_changed": marked("It signs with another key than before"),
    "differs": marked("An entry there differs from the one here"),
    "altered_here": marked("Something stored here was altered"),
    "over_quota": marked("It sent more than it may"),
    "clock": marked("Its clock is wrong"),
    "late_hour": marked("An hour is still not complete after a day"),
    "order_refused": marked("It does not take an order of head office"),
    "wal": marked("A program has been reading the database for too long"),
}
QUARANTINE_CODES = {
    "unknown_kind": marked("of a kind not known here"),
    "not_as_agreed": marked("not as agreed"),
    "apply_failed": marked("could not be applied"),
    "wrong_seq": marked("under a wrong number"),
    "not_an_entry": marked("not readable"),
    "not_a_batch": marked("not readable"),
    "not_a_manifest": marked("not a manifest to be believed"),
    "damaged": marked("damaged here, sent again"),
    "twin": marked("two entries with one number"),
    "wrong_box": marked("in the name of another box"),
}
HOUR_STATES = {
    "closed": marked("Complete"),
    "waiting": marked("Waits for audio"),
    "open": marked("Something is missing"),
    "quiet": marked("Nothing happened"),
    "unknown": marked("Not heard from"),
    "running": marked("Not over yet"),
    "later": marked("Still to come"),
}
STREAMS = {  # of entries
    "crit": marked("Urgent"),
    "evt": marked("Calls and events"),
    "meta": marked("Recordings announced"),
    "log": marked("Log"),
}
HOUR_SIGNS = {  # so that nobody has to tell colours apart
    "closed": "✓",
    "waiting": "½",
    "open": "≠",
    "quiet": "·",
    "unknown": "?",
    "running": "…",
    "later": "",
}
HAPPENINGS = {  # of webhooks
    "call_ended": marked("A call ended"),
    "recording_stored": marked("A recording is stored"),
    "report_settled": marked("A report of a wrong record was answered"),
}
DELIVERY_STATES = {
    "waiting": marked("Waiting"),
    "done": marked("Arrived"),
    "dead": marked("Given up"),
    "gone": marked("Not sent"),
}
RIGHTS = {
    "enter": marked("Enter"),
    "read_calls": marked("Read calls"),
    "play_recordings": marked("Play recordings"),
    "export": marked("Export"),
    "change_calls": marked("Change calls"),
    "read_customers": marked("Read customers"),
    "change_customers": marked("Change customers"),
    "manage_customers": marked("Manage customers: sheets, duplicates, tags"),
    "restore_customers": marked("Restore deleted customers"),
    "read_branches": marked("Read branches"),
    "settle_reports": marked("Settle reports of wrong records"),
    "settle_quarantine": marked("Settle the quarantine"),
    "read_audit": marked("Read the audit"),
    "read_orders": marked("Read orders to branches"),
    "report_calls": marked("Report calls of another telephone system"),
}
ACTIONS = {  # cloud.access.log.Action
    "log_in": marked("Logged in"),
    "log_in_refused": marked("Log-in refused"),
    "log_out": marked("Logged out"),
    "view": marked("Viewed"),
    "search": marked("Searched"),
    "search_number": marked("Searched for a number"),
    "reveal": marked("Made a value clear"),
    "play": marked("Listened"),
    "download": marked("Downloaded"),
    "export": marked("Exported"),
    "create": marked("Created"),
    "update": marked("Changed"),
    "delete": marked("Deleted"),
    "restore": marked("Restored"),
    "grant": marked("Granted access"),
    "revoke": marked("Revoked access"),
    "break_glass": marked("Broke the glass"),
    "retention": marked("Kept long enough, let go"),
    "quarantine_retry": marked("Tried a set-aside entry again"),
    "quarantine_dismiss": marked("Dismissed a set-aside entry"),
}
OBJECTS = {  # what else audit rows are about, besides kinds of record
    "users": marked("Users"),
    "quarantine": marked("Set aside"),
    "routes": marked("A page that was refused"),
    "findings": marked("Findings of abnormal use"),
    "applications": marked("Applications"),
    "purpose": marked("Purpose chosen"),
    "tokens": marked("Access tokens"),
    "webhooks": marked("Webhooks"),
}
CHANNELS = {
    "web": marked("Page"),
    "api": marked("Interface"),
    "command": marked("Command line"),
    "worker": marked("By itself"),
}
REASONS = {  # why not, in a word or two; cloud.access.decision.SENTENCES says it in full
    "kind": marked("no rule"),
    "role": marked("not this role"),
    "purpose": marked("not for this purpose"),
    "identity": marked("identity not checked"),
    "code": marked("code not entered"),
    "own": marked("not their own"),
    "served": marked("not served by them"),
    "branch": marked("not their branch"),
    "window": marked("too far back"),
    "spent": marked("used up"),
    "grant": marked("no approval"),
    "not_there": marked("not there"),
    "too_often": marked("too often"),
    "forged": marked("not from our page"),
    "wrong_password": marked("wrong password"),
}
