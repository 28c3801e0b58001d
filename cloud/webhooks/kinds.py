"""The kinds of happening that a hook may be told of; what each says stands in `cloud.webhooks.events`."""

from __future__ import annotations

CALL_ENDED = "call_ended"  # a call of a branch has arrived
RECORDING_STORED = "recording_stored"  # the audio of one can be played
