"""Recordings in a bucket of any store that speaks S3: the same promises as a folder, kept by its hashes.

    <prefix>objects/ab/abcd...    the content whose SHA-256 is abcd...

An upload is there whole or not at all, and the store checks the SHA-256 of what reached it. boto3 is loaded
only by installations that use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.config import S3Settings
from cloud.objects import BLOCK, FolderObjects, NoSuchObject, Objects, StoreUnreachable, checked_key

SCHEME = "s3://"
TIMEOUT_S = 10
ABSENT = ("404", "NoSuchKey", "NotFound")


def open_objects(place: str, folder: Path, s3: S3Settings) -> Objects:
    """The store at `place`: s3://bucket/prefix, or else `folder`."""
    if not place.startswith(SCHEME):
        return FolderObjects(folder)
    bucket, _, prefix = place.removeprefix(SCHEME).partition("/")
    return S3Objects(_client(s3), bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else "")


@dataclass(frozen=True, slots=True)
class S3Objects:
    """Recordings in `bucket`, their keys after `prefix`."""

    client: Any  # of boto3, which makes its classes at run time
    bucket: str
    prefix: str = ""

    def take(self, file: Path, sha256: str) -> str:
        """See Objects."""
        if self.size(sha256) == file.stat().st_size:
            return sha256
        with self._telling():
            self.client.upload_file(
                str(file), self.bucket, self._name(sha256), ExtraArgs={"ChecksumAlgorithm": "SHA256"}
            )
        if self.size(sha256) != file.stat().st_size:
            raise StoreUnreachable(f"{self.bucket}: {sha256} was sent and is not there whole")
        return sha256

    def size(self, key: str) -> int | None:
        """See Objects."""
        try:
            with self._telling():
                return int(self.client.head_object(Bucket=self.bucket, Key=self._name(key))["ContentLength"])
        except NoSuchObject:
            checked_key(key)
            return None

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """See Objects."""
        size = self.size(key)
        if size is None:
            raise NoSuchObject(key)
        end = min(start + length, size)
        if start >= end:
            return iter(())
        with self._telling():
            found = self.client.get_object(
                Bucket=self.bucket, Key=self._name(key), Range=f"bytes={start}-{end - 1}"
            )
        blocks: Iterator[bytes] = found["Body"].iter_chunks(BLOCK)
        return blocks

    def delete(self, key: str) -> None:
        """See Objects."""
        with self._telling():
            self.client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def _name(self, key: str) -> str:
        return f"{self.prefix}objects/{checked_key(key)[:2]}/{key}"

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Errors of the client as ours: nothing there, or a store that cannot be used now."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT:
                raise NoSuchObject(str(error)) from error
            raise StoreUnreachable(f"{self.bucket}: {error}") from error
        except (BotoCoreError, Boto3Error) as error:
            raise StoreUnreachable(f"{self.bucket}: {error}") from error


def _client(s3: S3Settings) -> Any:
    import boto3
    from botocore.config import Config

    secret = Path(s3.secret_key_file).read_text(encoding="utf-8").strip() if s3.secret_key_file else None
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint or None,
        region_name=s3.region or None,
        aws_access_key_id=s3.access_key or None,  # None: as the machine's own settings for S3 say
        aws_secret_access_key=secret,
        config=Config(
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            retries={"max_attempts": 3},
            s3={"addressing_style": "path"},  # a store of one's own rarely has a name for each bucket
        ),
    )
