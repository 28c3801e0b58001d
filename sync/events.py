"""Sync events: what a box tells head office, one frozen dataclass each.

Fields are only ever added (with a default), never renamed or re-meant. Times are UTC text (`sync.moment`),
ids are UUIDv7 text. `EVENT_TYPES` is the one list both ends and the documents use.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GapFact:
    """Samples missing from a recording."""

    start_sample: int  # within the recording, at its rate
    length_samples: int
    reason: str


@dataclass(frozen=True, slots=True)
class MarkFact:
    """Something that happened in a call."""

    at_ms: int  # since the call began
    kind: str  # answered | key | flash | reversal | waiting | second_call | tone | voice | fax | howler ...
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over: everything the box knows of it, its audio apart."""

    call_id: str
    line: int
    line_name: str
    direction: str  # in | out | unknown
    outcome: str  # answered | missed | voicemail | busy | no_answer | unknown
    started_utc: str  # first ring, or off hook
    ended_utc: str
    duration_ms: int  # talking: from answer (or off hook) to hang-up; 0 when missed
    answered_utc: str | None = None
    ring_count: int = 0
    caller_number: str | None = None
    caller_name: str | None = None
    caller_presentation: str | None = None  # available | withheld | unavailable | failed; None = nothing sent
    caller_standard: str | None = None  # bell202 | v23 | dtmf
    dialled: str | None = None  # digits keyed on an outgoing call, as keyed
    keys: str | None = None  # digits keyed in an incoming call
    end_reason: str = "hung_up"  # hung_up | not_answered | line_lost | loop_opened | too_long ...
    hook_known: bool = True  # False: the HAT was silent, states come from audio alone
    clock_quality: str = "unknown"  # ntp | rtc | unsynced | stepped | unknown
    is_fax: bool = False
    second_number: str | None = None  # who waited in the call, or was called after a hook flash
    second_name: str | None = None
    second_presentation: str | None = None  # as caller_presentation; dialled
    marks: tuple[MarkFact, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class RecordingReady:
    """The audio of a call is a finished file with this hash; the file follows on the bulk connection."""

    recording_id: str
    call_id: str
    started_utc: str
    rate_hz: int
    samples: int
    codec: str  # flac
    size_bytes: int
    sha256: str  # of the file, lower-case hex
    gaps: tuple[GapFact, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class RecordingLost:
    """A recording was begun and no audio of it could be kept; the reason says why."""

    recording_id: str
    call_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClockMeasured:
    """The box's clock was off in a stretch of entries of stream `evt`; their stamps stay as they are."""

    epoch: str
    after_seq: int  # the last entry before the stretch
    upto_seq: int | None  # the last entry in it; None while it lasts
    offset_ms: int  # to be added to the box's stamps
    error_ms: int
    quality: str  # measured | stepped


@dataclass(frozen=True, slots=True)
class CommunicationAdded:
    """What was said with whom, as somebody at the branch wrote it down (沟通记录)."""

    communication_id: str
    kind: str  # call | sms | visit | email | other
    at_utc: str  # when it took place
    content: str
    created_utc: str
    subject: str = ""
    feedback: str = ""
    customer_id: str | None = None  # at the branch, and at head office once its customer came by sheet
    customer_name: str = ""  # as it was then
    number: str = ""  # as it was written
    call_id: str | None = None
    from_popup: bool = False  # written in the pop-up of call_id (COM-05)
    creator_name: str = ""
    creator_number: str = ""  # employee number
    creator_group: str = ""


@dataclass(frozen=True, slots=True)
class CommunicationCleared:
    """A communication was taken out of the branch's lists (清除)."""

    communication_id: str
    cleared_utc: str


@dataclass(frozen=True, slots=True)
class GoneFact:
    """What was deleted by an order, and its tombstone in the box's chain of seals."""

    recording_id: str  # of a call that was deleted: the call's id
    sha256: str  # of the file that went; of a call: of the record that had been sealed
    link: int
    h: str  # of that link


@dataclass(frozen=True, slots=True)
class OrderAnswered:
    """What a box made of an order of head office (`sync.orders`); it repeats what was ordered."""

    order_id: str
    n: int
    order: str  # its kind
    outcome: str  # done | refused
    code: str  # why refused; of what is done: done, nothing_left ...
    answered_utc: str
    ordered_utc: str
    reason: str
    by: str
    approved_by: str = ""
    call_id: str | None = None
    days: dict[str, int] = field(default_factory=dict)
    gone: tuple[GoneFact, ...] = field(default=())
    key: str = ""  # public; the signature is over the canonical JSON of all this with an empty `sig`
    sig: str = ""


@dataclass(frozen=True, slots=True)
class ContactFact:
    """Somebody to speak with at a customer's."""

    name: str
    title: str = ""
    numbers: tuple[str, ...] = ()
    level: int = 0  # sync.particulars.LEVELS


@dataclass(frozen=True, slots=True)
class CustomerSaved:
    """A customer as the branch keeps it now, whole; of several the highest revision counts.

    The address is missing on purpose: head office seals it, and an entry is kept as it came.
    """

    customer_id: str
    revision: int  # 1 when it is added, one more with each save and with the delete
    saved_utc: str
    saved_by: str  # user of the branch
    name: str
    kind: str = "individual"  # individual | enterprise
    numbers: tuple[str, ...] = ()  # each with the branch's area code
    contacts: tuple[ContactFact, ...] = ()
    industry: str = ""
    tags: tuple[str, ...] = ()
    remark: str = ""
    creator_name: str = ""
    created_utc: str = ""
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class EntryErased:
    """Stands where an entry told of a call that was deleted by order; its bytes are nowhere kept."""

    call_id: str
    sha256: str  # of the entry that stood here
    size: int
    order_id: str


SyncEvent = (
    CallEnded
    | RecordingReady
    | RecordingLost
    | ClockMeasured
    | CommunicationAdded
    | CommunicationCleared
    | OrderAnswered
    | CustomerSaved
    | EntryErased
)

# In the order they are sent. crit: alarms, deletions; evt: call records; meta: recordings; log: the rest.
STREAMS = ("crit", "evt", "meta", "log")

# kind on the wire -> (dataclass, stream it travels in)
EVENT_TYPES: dict[str, tuple[type, str]] = {
    "call_ended": (CallEnded, "evt"),
    "recording_ready": (RecordingReady, "meta"),
    "recording_lost": (RecordingLost, "meta"),
    "clock_measured": (ClockMeasured, "crit"),
    "communication_added": (CommunicationAdded, "log"),
    "communication_cleared": (CommunicationCleared, "log"),
    "order_answered": (OrderAnswered, "crit"),
    "customer_saved": (CustomerSaved, "log"),
    "entry_erased": (EntryErased, "evt"),
}
