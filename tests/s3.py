"""A store that speaks S3, over HTTP on a port of its own: moto's server, in this process."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.server import ThreadedMotoServer

from cloud.config import S3Settings
from cloud.s3 import S3Objects, open_objects


@dataclass(slots=True)
class S3Server:
    """The server, and buckets made on demand."""

    folder: Path
    _server: Any = None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def start(self) -> None:
        """Listen."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        (self.folder / "secret").write_text("any text is a secret here\n")

    @property
    def settings(self) -> S3Settings:
        """How to reach it."""
        host, port = self._server.get_host_and_port()
        return S3Settings(
            endpoint=f"http://{host}:{port}",
            region="us-east-1",
            access_key="tests",
            secret_key_file=str(self.folder / "secret"),
        )

    def make_bucket(self) -> str:
        """A new bucket; returns where recordings go in it."""
        place = f"s3://recordings-{next(self._numbers)}/branch/audio"
        objects = open_objects(place, self.folder, self.settings)
        assert isinstance(objects, S3Objects)
        objects.client.create_bucket(Bucket=objects.bucket)
        return place

    def stop(self) -> None:
        """End it."""
        self._server.stop()
