"""One MQTT 5 connection over TLS with a client certificate; the only module that knows paho.

It has no thread: `step` does what the socket is ready for, `wait` sleeps until some link's socket is. Nothing
is remembered between connections, because outbox and inbox know better what is still owed: every `connect`
makes a new paho client with clean start and session expiry 0.

    LinkError         the connection failed (sync.reasons)
    PacketTooLarge    a message above what the broker takes (its CONNACK); not sent
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from sync.reasons import LinkError, check_certificate, explained

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
MAX_IN_FLIGHT = 100
DEFAULT_MAX_PACKET = 300_000
PACKET_OVERHEAD = 16  # fixed header, lengths, packet id, properties of a PUBLISH


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
    max_packet: int = DEFAULT_MAX_PACKET
    published_bytes: int = 0  # of MQTT packets, ever
    _client: mqtt.Client | None = None
    _arrived: deque[Arrived] = field(default_factory=deque)
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
        return self._client is not None

    @property
    def room(self) -> int:
        """How many more messages may be in flight to the broker."""
        return MAX_IN_FLIGHT - len(self._unacked)

    def connect(self, now: datetime) -> None:
        """Connect, `up` follows; blocks for at most a few times CONNECT_TIMEOUT_S. Raises LinkError."""
        self.close()
        self._failure, self._last_error, self._admitted = None, "", False
        self.max_packet = DEFAULT_MAX_PACKET
        check_certificate(self.settings.cert_file, now, self.address)
        client = self._new_client()
        try:
            client.connect(
                self.settings.host,
                self.settings.port,
                keepalive=KEEPALIVE_S,
                clean_start=True,
                properties=_session_ends_with_connection(),
            )
        except OSError as error:
            raise explained(error, self.address) from error
        self._client = client

    def close(self) -> None:
        """Say goodbye if there is anyone to say it to."""
        client, self._client = self._client, None
        self.up = False
        self._arrived.clear()
        self._unacked.clear()
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            client.loop_write()

    def step(self) -> list[Arrived]:
        """Read and write what the socket is ready for; the messages that arrived. LinkError when it ended."""
        client = self._client
        if client is None:
            return []
        readable, writable, _ = _ready([self], 0.0)
        if writable:
            client.loop_write()
        if readable:
            self._read_all(client)
        client.loop_misc()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self.close()
            raise failure
        arrived = list(self._arrived)
        self._arrived.clear()
        return arrived

    def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 1; PacketTooLarge if the broker would cut the connection for it."""
        size = len(payload) + len(topic.encode()) + PACKET_OVERHEAD
        if size > self.max_packet:
            raise PacketTooLarge(f"{topic}: {size} bytes, the broker takes {self.max_packet}")
        if self._client is None:
            raise LinkError("closed", self.address, "not connected")
        sent = self._client.publish(topic, payload, qos=1)
        if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._unacked.add(sent.mid)
            self.published_bytes += size

    def done(self, arrived: Arrived) -> None:
        """Acknowledge to the broker (only with `manual_ack`): room for another message."""
        if self._client is not None:
            self._client.ack(arrived.mid, 1)

    def _read_all(self, client: mqtt.Client) -> None:
        client.loop_read()
        sock = client.socket()
        # TLS may hold decrypted bytes that select does not know of.
        while isinstance(sock, ssl.SSLSocket) and sock.pending() and client.socket() is sock:
            client.loop_read()

    def _new_client(self) -> mqtt.Client:
        settings = self.settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.cert_file.stem,  # the broker puts the certificate's name in its place
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=settings.manual_ack,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.tls_set_context(tls_context(self.settings, self.address))
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_log = self._on_log
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
        _, mid = client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self.settings.topics])
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

    def _on_log(self, _client: mqtt.Client, _userdata: object, level: int, text: str) -> None:
        if level == mqtt.MQTT_LOG_ERR:  # paho reports a TLS alert from the broker nowhere else
            self._last_error = text


def wait(links: Iterable[Link], timeout_s: float) -> None:
    """Sleep until a link's socket is ready, at most `timeout_s`."""
    _ready(links, timeout_s)


def tls_context(settings: LinkSettings, address: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, our authority only, our certificate shown; LinkError if a file is of no use."""
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        raise LinkError("own_certificate_unusable", address, str(error)) from error
    return context


def utc_now() -> datetime:
    """The wall clock, with its zone."""
    return datetime.now(UTC)


def _ready(links: Iterable[Link], timeout_s: float) -> tuple[bool, bool, bool]:
    poll = select.poll()
    for link in links:
        sock = link._client.socket() if link._client else None
        if link._client is not None and sock is not None:
            poll.register(sock, select.POLLIN | (select.POLLOUT if link._client.want_write() else 0))
            if isinstance(sock, ssl.SSLSocket) and sock.pending():
                timeout_s = 0.0
    events = [event for _, event in poll.poll(timeout_s * 1000)]
    readable = any(event & ~select.POLLOUT for event in events)
    return readable, any(event & select.POLLOUT for event in events), bool(events)


def _session_ends_with_connection() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 0
    properties.ReceiveMaximum = MAX_IN_FLIGHT
    return properties


def _no_delay(_client: mqtt.Client, _userdata: object, sock: object) -> None:
    assert isinstance(sock, socket.socket)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
