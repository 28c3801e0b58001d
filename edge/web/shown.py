"""How facts are put before people: words and icons for states, local times, lengths, callers.

Tables of marked texts (translated where they are shown) and pure functions that the templates use as filters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from edge.store.listing import CallRow
from sync.locale import marked
from sync.moment import from_text, to_text

# What a search of calls may ask for, as in its address.
ASKED = ("text", "line", "direction", "outcome", "from", "to", "tag", "starred")


@dataclass(frozen=True, slots=True)
class Word:
    """A state as people see it: never by colour (`tone`) alone."""

    text: str
    icon: str  # a symbol of static/icons.svg
    tone: str  # a class of static/page.css: quiet | well | call | talk | alarm


LINE_STATES: dict[str, Word] = {
    "idle": Word(marked("Idle"), "on-hook", "quiet"),
    "ringing": Word(marked("Ringing"), "ringing", "call"),
    "talking": Word(marked("Talking"), "talking", "talk"),
    "dialling": Word(marked("Dialling"), "dialling", "talk"),
    "calling": Word(marked("Outgoing call"), "outgoing", "talk"),
    "held": Word(marked("Answered by the box"), "listen", "talk"),
    "released": Word(marked("Let go by the exchange"), "talking", "quiet"),
    "left_off": Word(marked("Left off hook"), "talking", "alarm"),
    "line_lost": Word(marked("No line"), "unplugged", "alarm"),
    "audio_lost": Word(marked("No audio"), "muted", "alarm"),
    "unknown": Word(marked("State unknown"), "unknown", "quiet"),
}
DIRECTIONS: dict[str, Word] = {
    "in": Word(marked("Incoming"), "incoming", "quiet"),
    "out": Word(marked("Outgoing"), "outgoing", "quiet"),
    "unknown": Word(marked("Direction unknown"), "unknown", "quiet"),
}
OUTCOMES: dict[str, Word] = {
    "answered": Word(marked("Answered"), "talking", "quiet"),
    "missed": Word(marked("Missed"), "missed", "alarm"),
    "voicemail": Word(marked("Voicemail"), "listen", "call"),
    "busy": Word(marked("Was busy"), "muted", "quiet"),
    "no_answer": Word(marked("Did not answer"), "missed", "quiet"),
    "open": Word(marked("In progress"), "talking", "talk"),
    "unknown": Word(marked("Outcome unknown"), "unknown", "quiet"),
}
RECORDING_STATES: dict[str, Word] = {
    "ready": Word(marked("Recorded"), "play", "quiet"),
    "recording": Word(marked("Being recorded"), "record", "talk"),
    "part": Word(marked("Being saved"), "record", "talk"),
    "lost": Word(marked("Recording lost"), "warning", "alarm"),
    "deleted_age": Word(marked("Audio deleted: its time was over"), "gap", "quiet"),
    "deleted_size": Word(marked("Audio deleted: more than the space set for it"), "gap", "quiet"),
    "deleted_count": Word(marked("Audio deleted: more than the number kept"), "gap", "quiet"),
    "deleted_space": Word(marked("Audio deleted to make room"), "gap", "quiet"),
    "deleted_unconfirmed": Word(
        marked("Audio deleted, the disk was full; it is nowhere else"), "warning", "alarm"
    ),
    "deleted_ordered": Word(marked("Audio deleted by order of head office"), "gap", "quiet"),
    "deleted_erased": Word(marked("Audio deleted by a person"), "gap", "quiet"),
}
PROOFS: dict[str, Word] = {
    "whole": Word(marked("Sealed and unchanged"), "proof", "well"),
    "changed": Word(marked("Changed since it was sealed"), "warning", "alarm"),
    "unsigned": Word(marked("Sealed without a signature"), "warning", "call"),
}
HEARD: dict[str, Word] = {
    "play": Word(marked("Play"), "play", "quiet"),
    "download": Word(marked("Download"), "download", "quiet"),
    "listen": Word(marked("Listening live"), "listen", "quiet"),
}
UPLOAD_STATES: dict[str, Word] = {
    "new": Word(marked("Waits for head office"), "waiting", "quiet"),
    "stored": Word(marked("At head office"), "done", "quiet"),
    "refused": Word(marked("Refused by head office"), "warning", "alarm"),
    "deleted": Word(marked("Deleted before it was sent"), "warning", "alarm"),
}
END_REASONS = {
    "hung_up": marked("Hung up"),
    "not_answered": marked("Rang out"),
    "line_lost": marked("The line was lost"),
    "loop_opened": marked("The exchange let the line go"),
    "too_long": marked("The longest call was reached"),
    "recorder_restarted": marked("The recorder was restarted"),
}
GAP_REASONS = {
    "overrun": marked("the box was too slow"),
    "device_lost": marked("the device was gone"),
    "disk_full": marked("the disk was full"),
    "disk_error": marked("the disk failed"),
    "ring_overtaken": marked("the recorder was too slow"),
    "restart": marked("the recorder was restarted"),
}
CLOCK_QUALITIES = {
    "ntp": marked("set by the network"),
    "rtc": marked("from the box's own clock"),
    "unsynced": marked("not set, times may be wrong"),
    "stepped": marked("set in mid call; the call keeps the time it began by"),
    "unknown": marked("not known"),
}
PRESENTATIONS = {
    "withheld": marked("Number withheld"),
    "unavailable": marked("Number not available"),
    "failed": marked("Caller ID not readable"),
}
NO_NUMBER = marked("No number")

# What happens in a call (edge.call.MARKS), and what its details are called where they are no number.
MARKS: dict[str, Word] = {
    "answered": Word(marked("Answered"), "talking", "quiet"),
    "key": Word(marked("Keys pressed"), "dialling", "quiet"),
    "flash": Word(marked("Hook flash"), "on-hook", "quiet"),
    "reversal": Word(marked("Polarity reversed"), "proof", "quiet"),
    "waiting": Word(marked("Another call waits"), "incoming", "call"),
    "second_call": Word(marked("A second call is dialled"), "outgoing", "quiet"),
    "tone": Word(marked("Tone heard"), "listen", "quiet"),
    "voice": Word(marked("First speech"), "talking", "quiet"),
    "fax": Word(marked("Fax tone"), "print", "quiet"),
    "howler": Word(marked("Howler: put the phone down"), "warning", "alarm"),
    "loop_open": Word(marked("The exchange opened the loop"), "unplugged", "quiet"),
    "held": Word(marked("The box holds the line"), "listen", "quiet"),
    "taken_over": Word(marked("A phone took over"), "talking", "quiet"),
}
MARK_DETAILS = {
    "busy": marked("busy"),
    "congestion": marked("congestion"),
    "ringback": marked("ringing"),
    "cng": marked("calling fax"),
    "ced": marked("answering fax"),
    "tone": marked("by a tone"),
    "alert": marked("by an alert to the phone"),
    "acknowledged": marked("the phone acknowledged it"),
    **PRESENTATIONS,
}


def word(table: dict[str, Word], state: str | None) -> Word:
    """The word for `state`; one that is not in the table stands for itself."""
    return table.get(state or "unknown") or Word(visible(state or ""), "unknown", "quiet")


def visible(text: str) -> str:
    """`text` from outside with what nobody can see (controls, direction marks) made visible."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _hidden(one) else one for one in text)


def visible_lines(text: str) -> str:
    """The same for a text of several lines, whose ends stay."""
    return "\n".join(visible(line) for line in text.replace("\r\n", "\n").split("\n"))


def _hidden(one: str) -> bool:
    return unicodedata.category(one) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def other_party(call: CallRow) -> str | None:
    """The other side's number: who called, or what was dialled; None when there is none."""
    number = call.dialled if call.direction == "out" else call.caller_number
    return visible(number) if number else None


def digits(number: str) -> str:
    """What the Calls page is asked for a customer's number: how it ends, without country, 0 and extension."""
    own = re.sub("[^0-9]", "", re.split("转|分机|ext|#", number, maxsplit=1)[0])
    return "*" + own[-11:].removeprefix("0")


def number_words(call: CallRow) -> str:
    """A marked text that says why there is no number."""
    return PRESENTATIONS.get(call.caller_presentation or "", NO_NUMBER)


def length(duration_ms: int) -> str:
    """Milliseconds as 0:07, 12:34 or 1:02:03."""
    seconds = max(0, duration_ms) // 1000
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def between_ms(start_utc: str, end_utc: str) -> int:
    """Milliseconds from one moment to another."""
    return (from_text(end_utc) - from_text(start_utc)) // timedelta(milliseconds=1)


def local(moment_utc: str, zone: ZoneInfo) -> datetime:
    """A moment's UTC text as local time."""
    return from_text(moment_utc).astimezone(zone)


def clock_time(moment_utc: str, zone: ZoneInfo) -> str:
    """14:05:09, local."""
    return local(moment_utc, zone).strftime("%H:%M:%S")


def day_time(moment_utc: str, zone: ZoneInfo) -> str:
    """2026-11-22 14:05:09, local."""
    return local(moment_utc, zone).strftime("%Y-%m-%d %H:%M:%S")


def recent_time(moment_utc: str, now_utc: str, zone: ZoneInfo) -> str:
    """14:05:09 when it was today, else 11-21 14:05, local."""
    moment = local(moment_utc, zone)
    today = moment.date() == local(now_utc, zone).date()
    return moment.strftime("%H:%M:%S" if today else "%m-%d %H:%M")


def midnight_utc(day: date, zone: ZoneInfo) -> str:
    """The moment at which `day` begins in `zone`."""
    return to_text(datetime.combine(day, time(), zone).astimezone(UTC))


def size(size_bytes: int) -> str:
    """Bytes as B, kB, MB or GB (powers of 1,000)."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 1e6:
        return f"{size_bytes / 1e3:.0f} kB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.2f} GB"
