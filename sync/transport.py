"""One MQTT 5 connection over TLS with a client certificate; the only module that knows paho.

It has no thread: `step` does what the socket is ready for, `wait` sleeps until some link's socket is. The way
to the broker is sync.dial's; paho gets the socket when hands are shaken, so that nothing here ever waits.
Nothing is remembered between connections, because outbox and inbox know better what is still owed: each has
a new paho client with clean start and session expiry 0.

    LinkError         the connection failed (sync.reasons)
    PacketTooLarge    a message above what the broker takes (its CONNACK); not sent
"""

from __future__ import annotations

import logging
import select
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from sync.dial import Dial, Lookup
from sync.reasons import LinkError, check_certificate, explained
from sync.records import RecordSocket

KEEPALIVE_S = 30
ADMIT_S = 10.0  # for the broker to answer once hands are shaken
MAX_IN_FLIGHT = 100
ENOUGH_BYTES = 1_000_000  # that have arrived: the rest waits for the next step
DEFAULT_MAX_PACKET = 300_000
PACKET_OVERHEAD = 16  # fixed header, lengths, packet id, properties of a PUBLISH


class _Client(mqtt.Client):
    """paho on a socket that is connected already."""

    ready_socket: ssl.SSLSocket

    def _create_socket(self) -> ssl.SSLSocket:
        return self.ready_socket


class _Errors(logging.Handler):
    """What paho logs as an error: it reports a TLS alert from the broker nowhere else.

    By a logger that wants nothing else, because for `on_log` paho would put every packet into words.
    """

    def __init__(self, heard: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._heard = heard
        self.logger = logging.Logger("paho", logging.ERROR)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on."""
        self._heard(record.getMessage())


class PacketTooLarge(ValueError):
    """A message larger than the broker takes."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where to connect, and as whom."""

    host: str
    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path
    topics: tuple[str, ...]  # to subscribe to
    manual_ack: bool = False  # MQTT acks wait for `Link.done`


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from the broker."""

    topic: str
    payload: bytes
    mid: int


@dataclass(slots=True)
class Link:
    """One connection; down until `connect`, up once the broker granted the subscriptions."""

    settings: LinkSettings
    up: bool = False
    topics: frozenset[str] = frozenset()  # besides those of the settings; see `listen`
    max_packet: int = DEFAULT_MAX_PACKET
    will: Callable[[], tuple[str, bytes]] | None = None  # topic and payload, for each connection anew
    published_bytes: int = 0  # of MQTT packets, ever
    _dial: Dial | None = None
    _lookup: Lookup = field(default_factory=Lookup)
    _admit_by_s: float = 0.0
    _client: mqtt.Client | None = None
    _arrived: deque[Arrived] = field(default_factory=deque)
    _arrived_bytes: int = 0
    _polled: tuple[bool, bool] | None = None  # can be read, can be written: as `wait` found it, used once
    _failure: LinkError | None = None
    _unacked: set[int] = field(default_factory=set)
    _wanted: int = 0  # mid of the SUBSCRIBE
    _last_error: str = ""
    _admitted: bool = False  # the broker answered CONNECT; one that does not trust us just hangs up

    @property
    def address(self) -> str:
        """host:port, for people."""
        return f"{self.settings.host}:{self.settings.port}"

    @property
    def connecting(self) -> bool:
        """Whether there is a connection, up or on its way."""
        return self._client is not None or self._dial is not None

    @property
    def room(self) -> int:
        """How many more messages may be in flight to the broker."""
        return MAX_IN_FLIGHT - len(self._unacked)

    def connect(self, now: datetime) -> None:
        """Begin to connect; `up` follows from `step`. LinkError if that cannot even begin."""
        self.close()
        self._failure, self._last_error, self._admitted = None, "", False
        self.max_packet = DEFAULT_MAX_PACKET
        settings = self.settings
        check_certificate(settings.cert_file, now, self.address)
        context = tls_context(settings, self.address)
        self._dial = Dial(self._lookup, settings.host, settings.port, context, time.monotonic())

    def close(self) -> None:
        """Say goodbye if there is anyone to say it to."""
        client, self._client = self._client, None
        dial, self._dial = self._dial, None
        self.up, self._polled = False, None
        self._arrived.clear()
        self._arrived_bytes = 0
        self._unacked.clear()
        if dial is not None:
            dial.close()
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            client.loop_write()

    def step(self) -> list[Arrived]:
        """Read and write what the socket is ready for; the messages that arrived. LinkError when it ended."""
        if self._dial is not None:
            self._go_on_dialling(self._dial)
        client = self._client
        if client is None:
            return []
        if self._polled is None:
            wait([self], 0.0)
        readable, writable = self._polled or (False, False)
        self._polled = None
        if writable:
            client.loop_write()
        if readable or self._has_more(client):
            self._read_all(client)
        client.loop_misc()
        if not self._admitted and time.monotonic() > self._admit_by_s:
            self._fail("timeout", "")
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self.close()
            raise failure
        arrived = list(self._arrived)
        self._arrived.clear()
        self._arrived_bytes = 0
        return arrived

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, at_once: bool = True, certain: bool = True
    ) -> None:
        """Send, now or with what follows; PacketTooLarge if the broker would cut the connection.

        `certain` is QoS 1; the rest is for what the next message says again, and costs half as many packets.
        """
        size = len(payload) + len(topic.encode()) + PACKET_OVERHEAD
        if size > self.max_packet:
            raise PacketTooLarge(f"{topic}: {size} bytes, the broker takes {self.max_packet}")
        if self._client is None:
            raise LinkError("closed", self.address, "not connected")
        sent = self._client.publish(topic, payload, qos=1 if certain else 0, retain=retain)
        if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.published_bytes += size
            if certain:
                self._unacked.add(sent.mid)
        if at_once:
            self.flush()

    def flush(self) -> None:
        """Send what is held: small messages and acknowledgements."""
        sock = self._client.socket() if self._client else None
        if isinstance(sock, RecordSocket):
            sock.flush()

    def listen(self, topics: Iterable[str]) -> None:
        """Subscribe to these besides the topics of the settings, and no longer to those of before."""
        before, self.topics = self.topics, frozenset(topics)
        if self._client is None or not self._admitted:
            return  # comes with the connection
        if gone := sorted(before - self.topics):
            self._client.unsubscribe(gone)
        if new := sorted(self.topics - before):
            self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in new])

    def done(self, arrived: Arrived) -> None:
        """Acknowledge to the broker (only with `manual_ack`): room for another message."""
        if self._client is not None:
            self._client.ack(arrived.mid, 1)

    def _go_on_dialling(self, dial: Dial) -> None:
        now_s = time.monotonic()
        try:
            ready = dial.step(now_s)
        except OSError as error:
            self.close()
            raise explained(error, self.address) from error
        if ready is None:
            return
        self._dial, self._admit_by_s = None, now_s + ADMIT_S
        self._client = client = self._new_client(ready)
        settings = self.settings
        if self.will is not None:
            topic, payload = self.will()
            client.will_set(topic, payload, qos=1, retain=True)
        try:
            client.connect(
                settings.host,
                settings.port,
                keepalive=KEEPALIVE_S,
                clean_start=True,
                properties=_session_ends_with_connection(),
            )
        except OSError as error:  # it went away this very moment
            self.close()
            raise explained(error, self.address) from error

    def _read_all(self, client: mqtt.Client) -> None:
        """What has arrived, as much as is worth one transaction: who answers it does so at once."""
        sock = client.socket()
        while client.socket() is sock and len(self._arrived) < MAX_IN_FLIGHT:
            client.loop_read()
            if self._arrived_bytes > ENOUGH_BYTES or (isinstance(sock, RecordSocket) and sock.dry):
                break

    def _has_more(self, client: mqtt.Client) -> bool:
        """Whether TLS holds decrypted bytes, or an error, that poll does not know of."""
        sock = client.socket()
        return isinstance(sock, RecordSocket) and (sock.broken or sock.pending() > 0)

    def _new_client(self, ready: ssl.SSLSocket) -> mqtt.Client:
        settings = self.settings
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.cert_file.stem,  # the broker puts the certificate's name in its place
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=settings.manual_ack,
            reconnect_on_failure=False,
        )
        client.ready_socket = ready
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.enable_logger(_Errors(self._heard_error).logger)
        return client

    def _fail(self, code: str, detail: str) -> None:
        if self._failure is None:
            self._failure = LinkError(code, self.address, detail)

    def _on_connect(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._fail("not_accepted", str(reason))
            return
        self._admitted = True
        self.max_packet = getattr(properties, "MaximumPacketSize", DEFAULT_MAX_PACKET)
        topics = [*self.settings.topics, *sorted(self.topics)]
        if not topics:
            self.up = True
            return
        _, mid = client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        self._wanted = mid or 0

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._fail("not_allowed", ", ".join(refused))
        elif mid == self._wanted:
            self.up = True

    def _on_message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        self._arrived.append(Arrived(message.topic, bytes(message.payload), message.mid))
        self._arrived_bytes += len(message.payload)

    def _on_publish(
        self,
        _client: mqtt.Client,
        _userdata: object,
        mid: int,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._unacked.discard(mid)

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        detail = self._last_error or str(reason)
        self._fail("closed" if self._admitted else "not_accepted", detail)

    def _heard_error(self, text: str) -> None:
        self._last_error = text


def wait(links: Iterable[Link], timeout_s: float, also: Iterable[int] = ()) -> None:
    """Sleep until a link's socket is ready, or `also` a file descriptor can be read, at most `timeout_s`."""
    poll = select.poll()
    for descriptor in also:
        poll.register(descriptor, select.POLLIN)
    polled: dict[int, Link] = {}
    for link in links:
        sock = link._client.socket() if link._client else None
        if link._client is not None and isinstance(sock, RecordSocket):
            sock.flush()
            wants_write = link._client.want_write() or sock.holds
            poll.register(sock, select.POLLIN | (select.POLLOUT if wants_write else 0))
            polled[sock.fileno()] = link
            link._polled = (False, False)
            if sock.broken or sock.pending():
                timeout_s = 0.0
        elif link._dial is not None and link._dial.waits_on is not None:
            poll.register(*link._dial.waits_on)
    for descriptor, event in poll.poll(timeout_s * 1000):
        if descriptor in polled:
            polled[descriptor]._polled = (bool(event & ~select.POLLOUT), bool(event & select.POLLOUT))


def tls_context(settings: LinkSettings, address: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, our authority only, our certificate shown; LinkError if a file is of no use."""
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file))
        context.sslsocket_class = RecordSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise LinkError("own_certificate_unusable", address, str(error)) from error
    return context


def utc_now() -> datetime:
    """The wall clock, with its zone."""
    return datetime.now(UTC)


def _session_ends_with_connection() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 0
    properties.ReceiveMaximum = MAX_IN_FLIGHT
    return properties
