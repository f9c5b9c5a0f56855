"""Replicas on somebody's cluster: they run the driver's code, answer from every node, and leave nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.nodes import nodes
from tests.support.patience import patience
from tests.support.project import Project, title, wait_until

pytestmark = pytest.mark.slow

ASK = """
import asyncio, hashlib, sys
import numpy as np, torch
from ganflow.cluster.jobs.replicas import replicas
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.config.schema import ClusterConfig
from ganflow.serving.model import Model
from ganflow.serving.request import Asked

spec = GeneratorSpec({"name": "mlp", "widths": [16]}, 4, (1, 8, 8), 0)
torch.manual_seed(0)
made = Generator(spec.build(), spec)

async def ask(backend):
    model = Model("m", made.digest(), made, backend.add(made.content()))
    asked = [Asked(3, seed, format="npy") for seed in range(40)]
    answers = await asyncio.gather(*(backend.answer(model, one) for one in asked))
    for one, answer in zip(asked, answers):
        drawn = np.frombuffer(answer[-3 * 64:], np.uint8).reshape(3, 8, 8, 1)
        assert np.abs(drawn.astype(int) - made.sample(3, one.seed)).max() <= 1
    assert await backend.ready()

with replicas(ClusterConfig(address=sys.argv[1]), "asked", 2, 16) as backend:
    asyncio.run(ask(backend))
    print("answered", flush=True)
    sys.stdin.readline()
"""


def titled(what: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if what in title(process)]


def test_on_a_cluster(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "ask.py").write_text(ASK)
    before = {process.pid for process in titled("ServeReplica:asked")}
    with nodes(1, 1) as cluster:
        env = {**os.environ, "PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1", "RAY_AUTH_MODE": "disabled"}
        asking = subprocess.Popen(
            [sys.executable, "ask.py", cluster.address], cwd=tmp_path, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert asking.stdout is not None
        said = asking.stdout.readline()
        running = [process for process in titled("ServeReplica:asked") if process.pid not in before]
        homes = {process.ppid() for process in running}  # the nodes' raylets
        _, errors = asking.communicate("\n", timeout=patience(120))
        assert said == "answered\n", errors
        assert asking.returncode == 0, errors
        assert len(running) == len(homes) == 2, "one on each node"
        below = [child for node in cluster.processes for child in psutil.Process(node.pid).children(recursive=True)]
        assert len(below) > 2, "the nodes still run"
        wait_until(lambda: not {p.pid for p in titled("Serve")} & {p.pid for p in below}, "all of Serve has ended")
