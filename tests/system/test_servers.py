"""The servers that the other tests stand on are what they seem: S3, PostgreSQL and MLflow, and they can fail."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionError, ReadTimeoutError
from pyarrow import fs

from tests.system.conftest import BUCKET
from tests.system.mlflow_server import MlflowServer
from tests.system.postgres import Postgres
from tests.system.proxy import FaultProxy
from tests.system.swift import ACCOUNT, REGION, SECRET, USER, Swift

NEVER = {"mode": "standard", "total_max_attempts": 1}
OFTEN = {"mode": "standard", "total_max_attempts": 5}


def test_s3_keeps_what_it_was_given(s3: Swift) -> None:
    client = s3.client()
    content = os.urandom(1000)
    names = [f"given/{i} ü.bin" for i in range(12)]
    for name in names:
        client.put_object(Bucket=BUCKET, Key=name, Body=content)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="given/", PaginationConfig={"PageSize": 5}
    )
    assert sorted(o["Key"] for page in pages for o in page["Contents"]) == sorted(names)
    assert client.get_object(Bucket=BUCKET, Key=names[3])["Body"].read() == content
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": name} for name in names]})
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="given/")["KeyCount"] == 0


def test_s3_puts_parts_together(s3: Swift, faulty: FaultProxy, tmp_path: Path) -> None:
    content = os.urandom(20 * 2**20)
    (tmp_path / "big").write_bytes(content)
    s3.client(faulty.endpoint).upload_file(str(tmp_path / "big"), BUCKET, "big")
    assert sum("uploadId=" in request and request.startswith("PUT") for request in faulty.seen) >= 3
    stored = s3.client().get_object(Bucket=BUCKET, Key="big")["Body"].read()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()


def test_pyarrow_and_boto3_read_each_other(s3: Swift, faulty: FaultProxy) -> None:
    arrow = fs.S3FileSystem(
        access_key=f"{ACCOUNT}:{USER}", secret_key=SECRET, endpoint_override=faulty.endpoint, scheme="http",
        region=REGION,
    )  # fmt: skip
    content = os.urandom(12 * 2**20)
    with arrow.open_output_stream(f"{BUCKET}/arrow/one") as file:
        file.write(content)
    assert s3.client().get_object(Bucket=BUCKET, Key="arrow/one")["Body"].read() == content
    s3.client().put_object(Bucket=BUCKET, Key="arrow/two", Body=content)
    with arrow.open_input_file(f"{BUCKET}/arrow/two") as file:
        assert file.read() == content


def test_s3_refuses_a_wrong_secret(s3: Swift) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.client(secret="guessed").list_objects_v2(Bucket=BUCKET)


def test_s3_writes_only_what_is_new_when_asked_to(s3: Swift) -> None:
    client = s3.client()
    client.put_object(Bucket=BUCKET, Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=BUCKET, Key="once", Body=b"second", IfNoneMatch="*")
    assert client.get_object(Bucket=BUCKET, Key="once")["Body"].read() == b"first"


def test_every_third_request_is_turned_away(s3: Swift, faulty: FaultProxy) -> None:
    faulty.every = 3
    client = s3.client(faulty.endpoint, retries=NEVER)
    outcomes = []
    for i in range(9):
        try:
            client.put_object(Bucket=BUCKET, Key=f"third/{i}", Body=b"x")
            outcomes.append(200)
        except ClientError as error:
            outcomes.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
    assert outcomes == [200, 200, 503] * 3
    assert faulty.refused == 3
    assert s3.client().list_objects_v2(Bucket=BUCKET, Prefix="third/")["KeyCount"] == 6


def test_who_tries_again_gets_through_what_is_turned_away(s3: Swift, faulty: FaultProxy) -> None:
    faulty.every = 3
    client = s3.client(faulty.endpoint, retries=OFTEN)
    for i in range(9):
        client.put_object(Bucket=BUCKET, Key=f"again/{i}", Body=b"x")
    assert faulty.refused >= 3
    assert s3.client().list_objects_v2(Bucket=BUCKET, Prefix="again/")["KeyCount"] == 9


def test_a_proxy_that_refuses_and_comes_back(s3: Swift, faulty: FaultProxy) -> None:
    client = s3.client(faulty.endpoint, retries=NEVER)
    client.put_object(Bucket=BUCKET, Key="refused", Body=b"before")
    faulty.refuse()
    with pytest.raises(ConnectionError):
        client.put_object(Bucket=BUCKET, Key="refused", Body=b"while")
    faulty.heal()
    assert client.get_object(Bucket=BUCKET, Key="refused")["Body"].read() == b"before"


def test_a_proxy_that_is_slow(s3: Swift, faulty: FaultProxy) -> None:
    client = s3.client(faulty.endpoint)
    client.list_objects_v2(Bucket=BUCKET, MaxKeys=1)
    faulty.delay_s = 1.0
    start = time.monotonic()
    client.list_objects_v2(Bucket=BUCKET, MaxKeys=1)
    assert time.monotonic() - start >= 1.0


def test_s3_that_hangs_and_s3_that_is_down_come_back_with_all_data(s3: Swift) -> None:
    client = s3.client(retries=NEVER, read_timeout=1, connect_timeout=1)
    client.put_object(Bucket=BUCKET, Key="outage", Body=b"before")
    s3.pause()
    try:
        with pytest.raises(ReadTimeoutError):
            client.get_object(Bucket=BUCKET, Key="outage")
    finally:
        s3.resume()
    s3.stop_front()
    with pytest.raises(ConnectionError):
        client.get_object(Bucket=BUCKET, Key="outage")
    s3.start_front()
    assert client.get_object(Bucket=BUCKET, Key="outage")["Body"].read() == b"before"


def test_a_run_goes_to_postgresql_and_its_files_to_s3(
    mlflow_server: MlflowServer, postgres: Postgres, s3: Swift, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_server.uri)
    run = client.create_run(client.create_experiment("servers"))
    client.log_metric(run.info.run_id, "fid", 12.5, step=7)
    (tmp_path / "grid.txt").write_text("ten by ten")
    client.log_artifact(run.info.run_id, str(tmp_path / "grid.txt"), "samples")
    where = f"run_uuid = '{run.info.run_id}'"
    assert postgres.query("mlflow", f"SELECT key, value, step FROM metrics WHERE {where}") == [("fid", 12.5, 7)]
    listed = s3.client().list_objects_v2(Bucket=BUCKET, Prefix="mlflow/")["Contents"]
    (key,) = [o["Key"] for o in listed if o["Key"].endswith(f"{run.info.run_id}/artifacts/samples/grid.txt")]
    assert s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"ten by ten"


def test_mlflow_that_was_killed_knows_its_runs(mlflow_server: MlflowServer) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_server.uri)
    run = client.create_run(client.create_experiment("killed"))
    mlflow_server.kill()
    assert not mlflow_server.answers()
    mlflow_server.start()
    assert client.get_run(run.info.run_id).info.status == "RUNNING"
