"""Puts head office's processes together from their parts; the only place that knows all of them."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from datetime import UTC, datetime

import uvicorn

from cloud import ingest, pki, worker
from cloud.config import Settings
from cloud.field_keys import KeyFile
from cloud.s3 import open_objects
from cloud.store.database import open_engine
from cloud.web.app import build_app
from cloud.web.parts import Clock, Parts
from cloud.web.views import Views
from sync.topics import worker_name

_log = logging.getLogger(__name__)


class CertificateUnusable(RuntimeError):
    """The page's certificate or key cannot be used; the message names them."""


def system_clock() -> Clock:
    """The machine's own clocks."""
    return Clock(now=lambda: datetime.now(UTC), monotonic_s=time.monotonic)


def open_parts(settings: Settings, clock: Clock) -> Parts:
    """What the page works with; makes the data folder and the tables that are missing."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Parts(
        settings=settings,
        engine=open_engine(settings.database),
        objects=open_objects(settings.objects, settings.objects_folder, settings.s3),
        views=Views(settings.organisation, settings.zone),
        clock=clock,
        keys=KeyFile(settings.keys_file),
    )


def run_web(settings: Settings) -> None:
    """Serve the page until the process is told to stop (SIGTERM, SIGINT)."""
    web = settings.web
    config = uvicorn.Config(
        build_app(open_parts(settings, system_clock())),
        ssl_certfile=web.cert or None,
        ssl_keyfile=web.key or None,
        proxy_headers=bool(web.public_url),  # believed from this machine only
        access_log=False,  # addresses hold the numbers that were searched for
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one, and names no file
        raise CertificateUnusable(f"web.cert {web.cert}, web.key {web.key}: {error}") from error
    with socket.create_server((web.host, web.port), reuse_port=False) as listener:
        _log.info("listening on %s://%s:%d", "https" if web.cert else "http", web.host, web.port)
        uvicorn.Server(config).run(sockets=[listener])


def run_worker(settings: Settings) -> None:
    """Do what head office does by itself until the process is told to stop."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock = system_clock()
    works = worker.Works(settings, open_engine(settings.database))
    worker.run(works, _told_to_stop(), clock.now, clock.monotonic_s)


def run_ingest(settings: Settings, number: int = 1) -> None:
    """Take in what the boxes send until the process is told to stop."""
    broker = settings.broker
    own = pki.Pair(broker.cert, broker.key)
    if number > 1:
        own = pki.pair_of(broker.cert.parent, worker_name(number))
    for file in (broker.ca, own.cert, own.key):
        file.open().close()  # a missing or forbidden file ends here, with its name
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    stop = _told_to_stop()
    ingest.run(
        ingest.IngestSettings(
            database_url=settings.database,
            objects=open_objects(settings.objects, settings.objects_folder, settings.s3),
            incoming_folder=settings.objects_folder / "incoming",
            host=broker.host,
            port=broker.port,
            ca_file=broker.ca,
            cert_file=own.cert,
            key_file=own.key,
            witness_file=settings.data / "witness.key",
            worker=str(number),
        ),
        stop,
    )


def _told_to_stop() -> threading.Event:
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    return stop
