"""`ganflow serve` against `mlflow models serve`: the same version of the same registered model, by turns in one run.

Bounded clients with connections that stay open ask both for arrays of n samples, a block of requests each by turns, so
that a machine whose speed drifts slows both. Then a replica of ganflow's is killed amid requests.

    python benchmarks/serving.py [REQUESTS] [CLIENTS] [N]                 2000 8 4; the network is dcgan, 32×32×3
"""

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch

from ganflow.config.schema import Config, RegisterConfig, TrackingConfig
from ganflow.methods import generator
from ganflow.terminal.console import entry_point
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import registration
from ganflow.tracking.runs import run_record

NAME, BLOCK, PATIENCE_S = "served", 250, 300
SPEC = generator.GeneratorSpec({"name": "dcgan"}, 64, (3, 32, 32), 10)
SERVERS = {
    "ganflow serve": ["-m", "ganflow.cli", "serve", f"models:/{NAME}/1", "--port"],
    "mlflow models serve": [
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        f"models:/{NAME}/1",
        "--env-manager",
        "local",
        "-p",
    ],
}


@dataclass
class Asked:
    """What came of the requests to one server."""

    path: str
    body: Callable[[int], bytes]
    port: int = 0
    process: psutil.Process | None = None
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[object] = field(default_factory=Counter)
    busy_s: float = 0.0

    def block(self, seeds: range, clients: int) -> None:
        """Ask for these seeds, so many at a time."""
        local, start = threading.local(), time.perf_counter()

        def one(seed: int) -> None:
            if not hasattr(local, "connection"):
                local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            begun = time.perf_counter()
            try:
                local.connection.request("POST", self.path, self.body(seed), {"Content-Type": "application/json"})
                response = local.connection.getresponse()
                response.read()
                self.statuses[response.status] += 1
            except (OSError, http.client.HTTPException) as error:
                self.statuses[type(error).__name__] += 1
                local.connection.close()
            self.seconds.append(time.perf_counter() - begun)

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(one, seeds))
        self.busy_s += time.perf_counter() - start

    def __str__(self) -> str:
        ordered = sorted(self.seconds)
        p99 = ordered[int(len(ordered) * 0.99)]
        return (
            f"{len(ordered) / self.busy_s:6.1f} requests/s, median {statistics.median(ordered) * 1000:6.1f} ms, "
            f"p99 {p99 * 1000:6.1f} ms, {dict(self.statuses)}"
        )


def register(folder: Path) -> str:
    """Fresh weights as version 1; the store's address."""
    tracking = TrackingConfig(uri=f"sqlite:///{folder}/mlflow.db", experiment="serving")
    client = mlflow_client.connect(tracking)
    torch.manual_seed(0)
    generator.save(folder / generator.FILE, SPEC.build(), SPEC)
    run_id = client.create_run(mlflow_client.experiment(client, tracking)).info.run_id
    digest = run_record.file_digest(folder / generator.FILE)
    run_record.RunRecord(run_id, "e", "f00d", "bench", digest, "ab" * 32).write(folder / run_record.FILE)
    registration.register(Config(tracking=tracking, register=RegisterConfig(NAME, exports=[])), folder, {})
    return tracking.uri


@contextmanager
def running(name: str, asked: Asked, folder: Path, uri: str) -> Iterator[None]:
    """A server that answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        asked.port = probe.getsockname()[1]
    env = {**os.environ, "MLFLOW_TRACKING_URI": uri, "PYTHONPATH": os.getcwd()}
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *SERVERS[name], str(asked.port)], cwd=folder, env=env, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    asked.process, end = psutil.Process(process.pid), time.monotonic() + PATIENCE_S
    try:
        while True:
            asked.block(range(1), 1)
            if asked.statuses.pop(200, 0):
                break
            if time.monotonic() > end or process.poll() is not None:
                sys.exit(f"{name} does not answer:\n{(folder / f'{name}.log').read_text()}")
            time.sleep(0.5)
        asked.statuses.clear()
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def kill_a_replica(asked: Asked) -> None:
    """SIGKILL one of Ray's replicas."""
    assert asked.process is not None
    children = asked.process.children(recursive=True)
    next(child for child in children if "ServeReplica" in " ".join(child.cmdline())).kill()


@entry_point
def main(requests: str = "2000", clients: str = "8", n: str = "4") -> None:
    compare(int(requests), int(clients), int(n))


def compare(requests: int, clients: int, n: int) -> None:
    """Ask both by turns, and tell how fast each was."""
    both = {
        "ganflow serve": Asked("/generate", lambda s: json.dumps({"n": n, "seed": s, "format": "npy"}).encode()),
        "ganflow serve, JSON": Asked("/generate", lambda s: json.dumps({"n": n, "seed": s, "format": "json"}).encode()),
        "mlflow models serve": Asked(
            "/invocations", lambda s: json.dumps({"inputs": [0], "params": {"n": n, "seed": s}}).encode()
        ),
    }
    ours, same, theirs = both.values()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        uri = register(folder)
        with running("ganflow serve", ours, folder, uri), running("mlflow models serve", theirs, folder, uri):
            same.port = ours.port
            for asked in both.values():
                asked.block(range(50), clients)  # warm-up
                asked.seconds, asked.busy_s, asked.statuses = [], 0.0, Counter()
            for first in range(0, requests, BLOCK):
                for asked in both.values():
                    asked.block(range(first, min(first + BLOCK, requests)), clients)
            for name, asked in both.items():
                print(f"{name:20s} {asked}")
            ratio = (len(ours.seconds) / ours.busy_s) / (len(theirs.seconds) / theirs.busy_s)
            print(f"{requests} requests for {n} samples, {clients} clients: ganflow {ratio:.2f} times as many a second")
            killed = Asked(ours.path, ours.body, ours.port, ours.process)
            timer = threading.Timer(0.5, kill_a_replica, [killed])
            timer.start()
            killed.block(range(requests), clients)
            timer.join()
            print(f"a replica killed     {killed}, longest {max(killed.seconds):.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
