"""Object storage: what ``s3://`` names, brought to this machine. The only home of ``boto3``.

Credentials, region and endpoint come from where boto3 finds them (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, a
profile); credentials are never printed.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from ganflow.data.progress import progress
from ganflow.errors import GanflowError

SCHEME = "s3://"
DOWNLOADS = 16  # at a time
REASONS = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "these credentials may not read it",
    "InvalidAccessKeyId": "the access key is unknown there",
    "SignatureDoesNotMatch": "the access key or its secret is wrong",
    "ExpiredToken": "the credentials have expired",
}


def localize(uri: str, scratch: Path) -> Path:
    """Bring a file or a folder to this machine.

    Args:
        uri: a local path, returned as it is, or ``s3://bucket/key``: one object, or every object below ``key/``.
        scratch: where downloads go.

    Returns:
        The local file or folder.

    Raises:
        GanflowError: nothing of that name, no credentials, or nobody who answers.
    """
    if not uri.startswith(SCHEME):
        return Path(uri)
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    key = key.rstrip("/")
    if not bucket:
        raise GanflowError(f"{uri} names no bucket; s3://bucket/key does")
    target = scratch / "s3"
    with _explained(uri):
        client = _client()
        objects = _find(client, bucket, key)
        if not objects:
            raise GanflowError(f"{uri}: bucket {bucket} holds no object of that name and none below it")
        alone = objects[0]["Key"] == key
        folder = key.rpartition("/")[0] if alone else key
        _download(client, bucket, objects, f"{folder}/" if folder else "", target)
    return target / PurePosixPath(key).name if alone else target


def _client() -> Any:
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "max_attempts": 3}
    session = boto3.session.Session()  # boto3's default session would keep the credentials that it found first
    return session.client("s3", config=Config(connect_timeout=10, retries=retries, max_pool_connections=DOWNLOADS))


def _find(client: Any, bucket: str, key: str) -> list[dict[str, Any]]:
    """The object called ``key``, else all below ``key/``. Folder markers are none."""
    first = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if key and first and first[0]["Key"] == key:  # of all names with this prefix the name itself sorts first
        return list(first)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{key}/" if key else "")
    return [o for page in pages for o in page.get("Contents", []) if not o["Key"].endswith("/")]


def _download(client: Any, bucket: str, objects: list[dict[str, Any]], folder: str, target: Path) -> None:
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(use_threads=len(objects) == 1)  # many objects: one thread each

    def fetch(item: dict[str, Any]) -> int:
        name = PurePosixPath(item["Key"].removeprefix(folder))
        if name.is_absolute() or ".." in name.parts:
            raise GanflowError(f"{SCHEME}{bucket}/{item['Key']}: an object's name must not lead out of its folder")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, item["Key"], str(path), Config=config)
        return int(item["Size"])

    total = sum(int(item["Size"]) for item in objects)
    with progress(total, "download", "B") as advance, ThreadPoolExecutor(DOWNLOADS) as pool:
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
        keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        raise GanflowError(f"{uri}: no credentials; set {keys}") from None
    except aws.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        raise GanflowError(f"{uri}: {REASONS.get(code, 'the server refused it')} ({code})") from None
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        endpoint = getattr(error, "kwargs", {}).get("endpoint_url", "")
        host = "/".join(str(endpoint).split("/")[:3]) or "the server"
        raise GanflowError(f"{uri}: {host} does not answer; is AWS_ENDPOINT_URL right, and the network up?") from None
    except (aws.BotoCoreError, Boto3Error, ValueError) as error:
        raise GanflowError(f"{uri}: {' '.join(str(error).split())}") from None
