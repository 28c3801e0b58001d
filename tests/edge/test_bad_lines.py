"""A box behind a bad line: delay, jitter, resets, torn records, damaged bytes. Real TLS, real broker."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

import pytest

from tests.proxy import Fault, Proxy
from tests.sync.station import Station, call_ended, until


def carried(station: Station, fault: Fault, audio: bytes, calls: int) -> tuple[float, int, int]:
    """Seconds until all is there behind that line, faults that struck, MQTT bytes of the audio."""
    with ExitStack() as stack:
        proxy = Proxy(station.port, fault)
        stack.callback(proxy.close)
        office = station.office()
        stack.callback(office.close)
        until(lambda: office.ingest.ready, office)
        box = station.box(port=proxy.port)
        stack.callback(box.close)
        _, ready = box.record(audio)
        events = [call_ended() for _ in range(calls)]
        box.put(*events)
        begun_s = time.monotonic()
        until(lambda: box.owes == 0, box, office, within_s=40)
        took_s = time.monotonic() - begun_s
        assert office.audio(ready.sha256) == audio
        assert {row["id"] for row in office.rows("calls")} >= {event.call_id for event in events}
        assert len(office.rows("calls")) == calls + 1
        assert office.rows("quarantine") == []
        return took_s, proxy.struck, box.syncer.files_published


@pytest.mark.parametrize("kind", ["reset", "close", "flip"])
def test_a_connection_that_breaks_in_a_chunk_costs_no_more_than_what_was_on_the_way(
    station: Station, kind: str
) -> None:
    """A reset, a torn TLS record, a byte changed on the way: TLS lets none of it through."""
    audio = os.urandom(8_000_000)
    _, struck, sent = carried(station, Fault(kind=kind, after_bytes=3_000_000, times=2), audio, 300)
    assert struck == 2
    assert (
        sent <= 1.02 * len(audio) + struck * 2_200_000
    )  # the largest window; from its beginning it is 14 MB


def test_delay_and_jitter_do_not_choke_it(station: Station) -> None:
    audio = os.urandom(2_000_000)
    took_s, _, sent = carried(station, Fault(delay_s=0.08, jitter_s=0.05), audio, 200)
    assert took_s < 12.0  # the round trip is 0.2 s: one chunk at a time would take 50
    assert sent <= 1.02 * len(audio)
