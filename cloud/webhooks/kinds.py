"""The kinds of happening that a hook may be told of; what each says stands in `cloud.webhooks.events`."""

from __future__ import annotations

CALL_ENDED = "call_ended"  # a call of a branch has arrived
RECORDING_STORED = "recording_stored"  # the audio of one can be played
REPORT_SETTLED = "report_settled"  # that the record of a call is wrong: it was answered
CUSTOMER_SAVED = "customer_saved"  # here, or at a branch; only the event feed tells of it
