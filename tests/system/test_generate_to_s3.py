"""`ganflow generate` to a real S3 server that also turns requests away, is gone for a while, or outlives its client."""

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.methods import generator
from tests.generation.writers.made import CLASSES, SPEC, model
from tests.support.project import ROOT
from tests.system.conftest import BUCKET
from tests.system.process import wait_until
from tests.system.proxy import FaultProxy
from tests.system.swift import Swift

N = 300


class Command:
    """`ganflow generate` as a process in a folder of its own.

    Args:
        folder: with the model.
        environment: what tells it of S3.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.log = folder, folder / "log"
        self.environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ganflow.cli", "generate", "--model", "model", "-n", str(N), *arguments]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def run(self, *arguments: str, status: int = 0) -> None:
        assert self.start(*arguments).wait(600) == status, self.log.read_text()


@pytest.fixture
def command(faulty: FaultProxy, s3: Swift, tmp_path: Path) -> Command:
    """The command, with a model beside it, whose requests go through the proxy."""
    (tmp_path / "model").mkdir()
    generator.save(tmp_path / "model" / generator.FILE, model().network, SPEC)
    return Command(tmp_path, s3.environment(faulty.endpoint))


def objects(s3: Swift, prefix: str) -> dict[str, bytes]:
    """What lies below a prefix, read past the proxy."""
    client = s3.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key.removeprefix(prefix): client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def check(found: dict[str, bytes], seed: int) -> None:
    """A PNG each, by class, and the record."""
    expected = model().sample(N, seed)
    names = {f"{CLASSES[i % 3]}/{i:06d}.png": expected[i] for i in range(N)}
    assert set(found) == {*names, "samples.json"}
    for name, image in names.items():
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found[name]))), image)


def count(proxy: FaultProxy, *begins: str) -> int:
    return sum(request.startswith(begins) for request in list(proxy.seen))


def after(proxy: FaultProxy, puts: int) -> Callable[[], bool]:
    return lambda: count(proxy, "PUT ") >= puts


def test_every_image_arrives_although_requests_are_turned_away(command: Command, s3: Swift, faulty: FaultProxy) -> None:
    faulty.every = 3
    command.run("--seed", "1", "--by-class", "--out", f"s3://{BUCKET}/busy/")
    check(objects(s3, "busy/"), 1)
    assert faulty.refused >= N // 3
    lists = count(faulty, f"GET /{BUCKET}?")
    assert 3 <= lists <= 12, "each class is listed once, but for those that were turned away"
    assert count(faulty, "HEAD") == 0, "nobody asks for images one by one"
    assert count(faulty, "GET") - lists <= 6, "the record, which is not there"


def test_killed_and_run_again_it_sends_what_is_missing(command: Command, s3: Swift, faulty: FaultProxy) -> None:
    faulty.delay_s = 0.05
    out = ("--by-class", "--batch", "20", "--out", f"s3://{BUCKET}/killed/")
    running = command.start("--seed", "2", *out)
    wait_until(after(faulty, N // 3), "a third is sent", every_s=0.01)
    running.kill()
    assert running.wait(60) == -9
    there = objects(s3, "killed/")
    assert N // 6 < len(there) < N
    faulty.delay_s, before = 0.0, count(faulty, "PUT ")
    command.run("--seed", "2", *out)
    found = objects(s3, "killed/")
    assert {name: found[name] for name in there} == there
    assert count(faulty, "PUT ") - before <= N + 1 - len(there), "none is sent twice"
    command.run("--seed", "2", "--by-class", "--batch", "20", "--out", f"s3://{BUCKET}/undisturbed/")
    assert found == objects(s3, "undisturbed/")
    command.run("--seed", "3", *out, status=2)
    line = command.log.read_text().splitlines()[-1]
    place = f"out=s3://{BUCKET}/killed/"
    says = "samples with seed=2 were begun there, not 3; name another place, or remove what is there"
    assert line == f"ganflow: {place}: {says}"


def test_an_outage_is_waited_for_and_said_once(command: Command, s3: Swift, faulty: FaultProxy) -> None:
    faulty.delay_s = 0.02
    running = command.start("--seed", "4", "--by-class", "--batch", "20", "--out", f"s3://{BUCKET}/away/")
    wait_until(after(faulty, N // 4), "a quarter is sent", every_s=0.01)
    faulty.refuse()
    wait_until(lambda: "waiting for it, at most 600 s (--patience)" in command.log.read_text(), "the outage is seen")
    assert running.poll() is None
    faulty.heal()
    assert running.wait(600) == 0, command.log.read_text()
    check(objects(s3, "away/"), 4)
    assert "works again, after" in command.log.read_text()
    assert command.log.read_text().count("waiting for it") <= 2


def test_one_file_grows_here_and_arrives_whole(command: Command, s3: Swift, faulty: FaultProxy) -> None:
    faulty.every = 3
    command.run("--seed", "5", "--out", f"s3://{BUCKET}/one/x.npz")
    command.run("--seed", "5", "--out", f"s3://{BUCKET}/one/x.png")
    found = objects(s3, "one/")
    assert sorted(found) == ["x.npz", "x.png"]
    assert zipfile.ZipFile(io.BytesIO(found["x.npz"])).testzip() is None
    np.testing.assert_array_equal(np.load(io.BytesIO(found["x.npz"]))["images"], model().sample(N, 5))
    assert Image.open(io.BytesIO(found["x.png"])).format == "PNG"
    assert sorted(path.name for path in command.folder.iterdir()) == ["log", "model"]


def test_no_such_bucket_is_one_line(command: Command) -> None:
    command.run("--out", "s3://nobodys/x/", status=2)
    line = command.log.read_text().splitlines()[-1]
    assert line.startswith("ganflow: s3://nobodys/x")
    assert line.endswith("there is no such bucket (NoSuchBucket)")
