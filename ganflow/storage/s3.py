"""Storage in S3, or in any server that speaks its API. The only home of ``boto3``.

Credentials, region and endpoint come from where boto3 finds them (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, a
profile, the machine's role); credentials are never printed.
"""

import contextlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from ganflow.errors import GanflowError
from ganflow.storage.base import MissingError, Storage, StorageError
from ganflow.terminal.progress import progress
from ganflow.terminal.redaction import redact

SCHEME = "s3://"
KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
AT_A_TIME = 16  # transfers
PART = 64 * 2**20  # of a multipart upload: S3 takes 10,000 of them, so 640 GB
MISSING = ("NoSuchKey", "404", "NotFound")
REASONS = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "these credentials may not do that",
    "InvalidAccessKeyId": "the access key is unknown there",
    "SignatureDoesNotMatch": "the access key or its secret is wrong",
    "ExpiredToken": "the credentials have expired",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "SlowDown": "the server asks for fewer requests",
    "503": "the server is busy",
    "ServiceUnavailable": "the server is busy",
}
# A clock may step back, credentials may be renewed; SlowDown and the like pass by themselves.
PASSING = (
    "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "RequestTimeTooSkewed", "ExpiredToken",
    "Throttling",
)  # fmt: skip


class Bucket(Storage):
    """The objects below ``s3://bucket/prefix``: S3 shows an object only when it is complete.

    Args:
        uri: where.
        attempts: at every request. Few by default: callers that can wait ask again, and say so (``Patient``).
    """

    def __init__(self, uri: str, attempts: int = 3) -> None:
        bucket, _, key = uri.removeprefix(SCHEME).partition("/")
        if not bucket:
            raise GanflowError(f"{uri} names no bucket; {SCHEME}bucket/key does")
        if "@" in bucket:  # it would stand in messages, logs and in dvc.lock
            raise GanflowError(f"{redact(uri)}: keys do not belong in an address; set {KEYS}")
        self.bucket, self.key, self.uri, self.attempts = bucket, key.strip("/"), uri.rstrip("/"), attempts

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        retries = {"mode": "standard", "max_attempts": self.attempts}
        session = boto3.session.Session()  # boto3's default session would keep the credentials that it found first
        return session.client("s3", config=Config(connect_timeout=10, retries=retries, max_pool_connections=AT_A_TIME))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_client"}

    def write(self, name: str, content: bytes) -> None:
        with _explained(self._uri(name)):
            if len(content) < PART:  # a simple put says why it was refused; an upload in parts wraps that
                self._client.put_object(Bucket=self.bucket, Key=self._key(name), Body=content)
            else:
                self._client.upload_fileobj(io.BytesIO(content), self.bucket, self._key(name), Config=self._parts())

    def read(self, name: str) -> bytes:
        with _explained(self._uri(name)):
            return bytes(self._client.get_object(Bucket=self.bucket, Key=self._key(name))["Body"].read())

    def names(self, prefix: str = "") -> list[str]:
        above = self._key("")
        with _explained(self.uri):
            return sorted(item["Key"].removeprefix(above) for item in self._objects(above + prefix))

    def remove(self, name: str) -> None:
        with _explained(self._uri(name)):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(name))

    def upload(self, path: Path, name: str) -> None:
        with _explained(self._uri(name)):
            self._client.upload_file(str(path), self.bucket, self._key(name), Config=self._parts())

    def download(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _explained(self._uri(name)):
            self._client.download_file(self.bucket, self._key(name), str(path))

    def move(self, to: Storage) -> None:
        assert isinstance(to, Bucket)
        for old in to.names():
            to.remove(old)
        for name in self.names():
            with _explained(self._uri(name)):
                source = {"Bucket": self.bucket, "Key": self._key(name)}
                self._client.copy(source, to.bucket, to._key(name))
            self.remove(name)

    def tidy(self) -> None:
        with _explained(self.uri):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self._key("")
            )
            for item in [upload for page in pages for upload in page.get("Uploads", [])]:
                self._client.abort_multipart_upload(Bucket=self.bucket, Key=item["Key"], UploadId=item["UploadId"])

    def below(self, name: str) -> "Bucket":
        return Bucket(f"{self.uri}/{name}", self.attempts)

    def fetch_all(self, target: Path) -> bool:
        """Bring the object of this name, or else all below it, into a folder; whether it was the one object.

        Raises:
            GanflowError: there is none, or one whose name leads out of the folder.
        """
        with _explained(self.uri):
            objects = self._find()
            if not objects:
                raise GanflowError(f"{self.uri}: bucket {self.bucket} holds no object of that name and none below it")
            alone = bool(objects[0]["Key"] == self.key)
            folder = self.key.rpartition("/")[0] if alone else self.key
            self._download_all(objects, f"{folder}/" if folder else "", target)
        return alone

    def held(self) -> list[tuple[str, int, str]]:
        """Key, size and ETag of the object of this name, or else of all below it; in order."""
        with _explained(self.uri):
            return sorted((item["Key"], int(item["Size"]), str(item["ETag"])) for item in self._find())

    def _key(self, name: str) -> str:
        return f"{self.key}/{name}" if self.key else name

    def _uri(self, name: str) -> str:
        return f"{SCHEME}{self.bucket}/{self._key(name)}"

    def _parts(self) -> Any:
        from boto3.s3.transfer import TransferConfig

        return TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)

    def _objects(self, prefix: str) -> list[dict[str, Any]]:
        """All objects whose keys begin so; folder markers are none."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [o for page in pages for o in page.get("Contents", []) if not o["Key"].endswith("/")]

    def _find(self) -> list[dict[str, Any]]:
        """The object called ``key``, else all below ``key/``."""
        listed = self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.key, MaxKeys=1).get("Contents", [])
        if self.key and listed and listed[0]["Key"] == self.key:  # of all names with this prefix it sorts first
            return list(listed)
        return self._objects(self._key(""))

    def _download_all(self, objects: list[dict[str, Any]], folder: str, target: Path) -> None:
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(use_threads=len(objects) == 1)  # many objects: one thread each

        def fetch(item: dict[str, Any]) -> int:
            name = PurePosixPath(item["Key"].removeprefix(folder))
            if name.is_absolute() or ".." in name.parts:
                whole = f"{SCHEME}{self.bucket}/{item['Key']}"
                raise GanflowError(f"{whole}: an object's name must not lead out of its folder")
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._client.download_file(self.bucket, item["Key"], str(path), Config=config)
            return int(item["Size"])

        total = sum(int(item["Size"]) for item in objects)
        with progress(total, "download", "B") as advance, ThreadPoolExecutor(AT_A_TIME) as pool:
            for size in pool.map(fetch, objects):
                advance(size)


@contextlib.contextmanager
def _explained(uri: str) -> Iterator[None]:
    """Tell what boto3 raises in one line."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions as aws

    try:
        yield
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound):
        raise StorageError(f"{uri}: no credentials; set {KEYS}") from None
    except aws.ClientError as error:
        raise _refused(uri, error.response) from None
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        endpoint = getattr(error, "kwargs", {}).get("endpoint_url", "")
        host = "/".join(str(endpoint).split("/")[:3]) or "the server"
        why = f"{host} does not answer; is AWS_ENDPOINT_URL right, and the network up?"
        raise StorageError(f"{uri}: {why}", passing=True) from None
    except (aws.BotoCoreError, Boto3Error, ValueError) as error:
        raise StorageError(f"{uri}: {' '.join(str(error).split())}", passing=True) from None


def _refused(uri: str, response: dict[str, Any]) -> StorageError:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    if code in MISSING:
        return MissingError(f"{uri} is not there")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return StorageError(
        f"{uri}: {REASONS.get(code, 'the server refused it')} ({code})",
        passing=status >= 500 or code.startswith(PASSING),
    )
