"""What goes wrong while a training stage runs over hosts, and how the stage came out of it.

A fault is a function of the field and the training that runs there. It does its harm when it is called, undoes what a
person or a cloud would undo (a machine comes back, the same command is given again), and returns.
"""

import hashlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from tests.support.project import Project
from tests.system import clock
from tests.system.hosts import Host, Network
from tests.system.mlflow_server import MlflowServer
from tests.system.postgres import Postgres
from tests.system.process import wait_until
from tests.system.proxy import FaultProxy
from tests.system.ray_nodes import RAY, RayNodes
from tests.system.swift import Swift

BUILD = Path("build")
WEIGHTS = "model/generator.safetensors"
COMMAND = ("python", "-m", "pipelines.train")
PATIENCE_S = 900.0  # for a training with a fault, on a machine that others use, too
CURVE = "D/adversarial"
START_S = 2.0  # no worker starts faster: it has to load torch
REST_S, WORK_S = 1.9, 0.1  # in turn, while time passes slowly


@dataclass
class Field:
    """Three nodes, a host that only drives, and servers that all of them reach over the network."""

    network: Network
    nodes: RayNodes
    driver: Host
    s3: Swift
    to_s3: FaultProxy
    postgres: Postgres
    mlflow: MlflowServer
    to_mlflow: FaultProxy
    half_asleep: bool = False  # Ray's nodes, for five minutes after a clock was put right

    def repair(self) -> None:
        """All is well again: cables, power, servers, one Ray node per host."""
        self.to_s3.heal()
        self.to_mlflow.heal()
        self.network.repair()
        for process in self.driver.processes():
            with suppress(Exception):
                process.kill()
        whole = self.nodes.running() and self.nodes.alive() == [host.address for host in self.nodes.hosts]
        if self.half_asleep or not whole:
            self.nodes.stop()
            self.nodes.start()
            self.half_asleep = False

    def place_of(self, worker: int) -> Host:
        """A host that a worker runs on: the first or the second such host."""
        self.wait_until(lambda: len(self.places()) > worker, "workers are on two hosts")
        return self.places()[worker]

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait while Ray's nodes that have ended are started again: a last report may outrun the fault before."""
        wait_until(lambda: self.nodes.supervise() or holds(), what)

    def places(self) -> list[Host]:
        """The hosts that workers run on."""
        return [host for host in self.nodes.hosts if host.on and host.processes("ray::RayTrainWorker")]

    def pass_slowly(self, seconds: float, holds: Callable[[], bool]) -> None:
        """Let time pass, and more until something holds, while training goes on a little at a time, however quick."""
        end, deadline = time.monotonic() + seconds, time.monotonic() + PATIENCE_S
        done, workers = False, self._workers()
        while not done:
            assert time.monotonic() < deadline, "what a server's absence must say does not come"
            with stopped(workers):
                time.sleep(REST_S)
                done = time.monotonic() > end and holds()
                workers = self._workers()
            time.sleep(WORK_S)

    def _workers(self) -> list[psutil.Process]:
        return [worker for host in self.nodes.hosts for worker in host.processes("ray::RayTrainWorker")]


@contextmanager
def stopped(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Processes stand still in the block; those that have ended are passed over."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@dataclass
class Training:
    """The train stage of a project, driven from the field's driver.

    Args:
        field: where.
        name: of the project, its storage and its experiment.
        storage: ``s3://…`` or a path that all hosts share.
        overrides: of the configuration.
        home: where the project is on the driver.
    """

    field: Field
    name: str
    storage: str
    overrides: tuple[str, ...] = ()
    home: str = "/tmp"
    lines: list[tuple[float, str]] = field(default_factory=list)  # of the log, with the time at which they came
    _read: int = 0  # characters of the log that are in ``lines``

    def __post_init__(self) -> None:
        places = (
            f"cluster.address={self.field.nodes.address}", f"cluster.storage={self.storage}",
            f"tracking.uri={self.field.to_mlflow.endpoint}", f"tracking.experiment={self.name}",
        )  # fmt: skip
        self.project = Project(self.field.driver.path(f"{self.home}/{self.name}"), *places, *self.overrides)
        (self.project.folder / "reports/tune").mkdir(parents=True)
        (self.project.folder / "reports/tune/best.yaml").write_text("overrides: []\n")

    def start(self) -> None:
        """Give the command."""
        self.process = self.give(*COMMAND)

    def give(self, *command: str) -> subprocess.Popen[str]:
        """Start any command in the project, on the driver."""
        inside = f"{self.home}/{self.name}"
        env = {"PYTHONPATH": inside, "OMP_NUM_THREADS": "1", **self.field.s3.environment(self.field.to_s3.endpoint)}
        env["PATH"] = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        line = f"cd {inside} && exec {shlex.join(command)}"
        return self.field.driver.start("bash", "-c", line, log=self.project.folder / "log", **env)

    def kill(self) -> None:
        """SIGKILL the driver, and it alone."""
        (driver,) = self.field.driver.processes(" ".join(COMMAND))
        driver.kill()
        self.process.wait(30)

    def wait(self) -> int:
        """Wait for the end, and note when each line of the log came."""
        wait_until(lambda: self._look() or self.process.poll() is not None, f"{self.name} ends", PATIENCE_S)
        self.read_log()
        return int(self.process.returncode)

    def _look(self) -> None:
        """What goes on meanwhile: somebody reads the log and starts Ray's nodes again that have ended."""
        self.read_log()
        self.field.nodes.supervise()

    def read_log(self) -> None:
        """Note what is new in the log."""
        whole, newline, _ = self.project.log()[self._read :].rpartition("\n")
        if newline:
            self._read += len(whole) + 1
            now = time.time()
            self.lines += [(now, line) for line in whole.split("\n")]

    def says(self, text: str) -> Callable[[], bool]:
        """Whether the log has a text that was not there at this call."""
        before = len(self.project.log())
        return lambda: text in self.project.log()[before:]

    def checkpoints(self) -> list[str]:
        """The stored checkpoints of the run, oldest first."""
        names = [name for name in self.stored() if "/checkpoint-" in name and name.endswith(".pt")]
        return sorted(name for name in names if ".finished/" not in name)

    def stored(self) -> list[str]:
        """All names below the storage."""
        if not self.storage.startswith("s3://"):
            root = self.field.driver.path(self.storage)
            return [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
        bucket, prefix = self._bucket()
        pages = self.field.s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])]

    def damage(self, name: str) -> None:
        """Flip a bit in the middle of a stored file."""
        bucket, prefix = self._bucket()
        client = self.field.s3.client()
        content = bytearray(client.get_object(Bucket=bucket, Key=prefix + name)["Body"].read())
        content[len(content) // 2] ^= 1
        client.put_object(Bucket=bucket, Key=prefix + name, Body=bytes(content))

    def until(self, images: int, fault: str, since: float) -> None:
        """Wait until it has a checkpoint, and has come further since a time, to so many images at least."""

        def there() -> bool:
            self._look()
            if self.process.poll() is not None:
                return True
            reports = self.reports()
            before = max((step for when, step in reports if when <= since), default=0)
            now = max((step for _, step in reports), default=0)
            return bool(self.checkpoints()) and now > before and now >= images

        wait_until(there, f"{self.name}: {images} images, for {fault}", PATIENCE_S, every_s=0.3)
        assert self.process.poll() is None, f"{self.name} ended before {fault}:\n{self.project.log()}"

    def reports(self) -> list[tuple[float, int]]:
        """When training told of how many images, as the tracking server has it."""
        found = self.field.postgres.query(
            "mlflow",
            "SELECT m.timestamp, m.step FROM metrics m JOIN runs r USING (run_uuid) JOIN experiments e "
            f"USING (experiment_id) WHERE e.name = '{self.name}' AND m.key = '{CURVE}' ORDER BY m.timestamp",
        )
        return [(float(str(at)) / 1000, int(str(step))) for at, step in found]

    def _bucket(self) -> tuple[str, str]:
        bucket, _, prefix = self.storage.removeprefix("s3://").partition("/")
        return bucket, f"{prefix}/"


Fault = Callable[[Field, Training], None]


@dataclass(frozen=True)
class Suffered:
    """What one fault cost."""

    repeated: int  # images that were trained on once more
    standstill_s: float | None  # the longest time in which training came no further; None: it came no further at all


@dataclass(frozen=True)
class Outcome:
    """How a training with faults ended."""

    status: int
    digest: str | None  # of the weights
    faults: dict[str, Suffered]
    log: str

    def keep(self, name: str) -> None:
        """Write it where people who keep the docs right look for it."""
        BUILD.mkdir(exist_ok=True)
        (BUILD / f"{name}.txt").write_text(f"{self}\n", encoding="utf-8")

    def __str__(self) -> str:
        rows = [f"exit {self.status}"]
        for name, cost in self.faults.items():
            still = "for good" if cost.standstill_s is None else f"{cost.standstill_s:.0f} s"
            rows.append(f"{name}: {cost.repeated} images again, stood still {still}")
        return "\n".join([*rows, self.log])


def endure(training: Training, data: Path, faults: dict[str, Fault], first: int, every: int = 0) -> Outcome:
    """Train, and let the faults happen one after the other.

    Args:
        training: not started yet.
        data: its prepared data set.
        faults: by name, in their order.
        first: images after which the first one happens.
        every: further images after which the next one does.
    """
    shutil.copytree(data, training.project.folder / "data")
    training.start()
    times, since = {}, 0.0
    for number, (name, fault) in enumerate(faults.items()):
        training.until(first + number * every, name, since)
        times[name] = time.time()
        try:
            fault(training.field, training)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}\n{training.project.log()}") from error
        since = time.time()
    status = training.wait()
    weights = training.project.folder / WEIGHTS
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else None
    ends = [*list(times.values())[1:], float("inf")]
    reports = training.reports()
    costs = {
        name: Suffered(_repeated(training.lines, reports, at, end), _standstill(reports, at, end))
        for (name, at), end in zip(times.items(), ends, strict=True)
    }
    return Outcome(status, digest, costs, training.project.log())


def _standstill(reports: list[tuple[float, int]], start: float, end: float) -> float | None:
    times = [max((when for when, _ in reports if when <= start), default=start)]
    times += [when for when, _ in reports if start < when <= end]
    return max((later - earlier for earlier, later in pairwise(times)), default=None)


def _repeated(lines: list[tuple[float, str]], reports: list[tuple[float, int]], start: float, end: float) -> int:
    """What each "goes on after N images" lost against what had been reported by then."""
    lost = 0
    for at, line in lines:
        if "train goes on after " in line and start < at <= end:
            kept = int(line.partition("goes on after ")[2].split()[0].replace(",", ""))
            lost += max(0, _reached(reports, at) - kept)
    return lost


def _reached(reports: list[tuple[float, int]], at: float) -> int:
    """How far the workers had come that ended before others went on, whose line was read at this time.

    The others may have reported before anyone read their line, but only after a gap in which workers can start.
    """
    before = [report for report in reports if report[0] < at]
    times = [*(when for when, _ in before), at]
    gaps = [i for i, (one, next_one) in enumerate(pairwise(times)) if next_one - one > START_S]
    return max((step for _, step in before[: gaps[-1] + 1 if gaps else None]), default=0)


def worker_killed(field: Field, training: Training) -> None:
    """The kernel kills one worker, as it does when memory runs out."""
    field.place_of(1).processes("ray::RayTrainWorker")[0].kill()


def node_lost(field: Field, training: Training) -> None:
    """A machine loses its power, and another takes its place."""
    host = field.place_of(1)
    host.power_off()
    host.boot()


def node_lost_for_good(field: Field, training: Training) -> None:
    """A machine loses its power, and no other comes."""
    field.place_of(1).power_off()


def cable(seconds: float) -> Fault:
    """A machine's cable is pulled for so long."""

    def pulled(field: Field, training: Training) -> None:
        host = field.place_of(1)
        host.cut()
        time.sleep(seconds)
        host.heal()

    return pulled


def clocks_wrong(seconds: int) -> Fault:
    """The clocks of the machines that work jump by so much, and are put right when S3 has refused a request for it."""

    def jumped(field: Field, training: Training) -> None:
        hosts, refused = field.places(), training.says("clock is wrong")
        for host in hosts:
            clock.step(host, seconds)
        field.wait_until(refused, "S3 refuses a request for its time")
        for host in hosts:
            clock.step(host, 0)
        field.half_asleep = True

    return jumped


def drained(field: Field, training: Training) -> None:
    """A spot machine is told that it has 20 s, loses its power then, and another takes its place."""
    host = field.place_of(1)
    notice_s = 20
    reason = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot notice"]
    deadline = ["--deadline-remaining-seconds", str(notice_s)]
    start = time.monotonic()
    node = ["--address", field.nodes.address, "--node-id", field.nodes.id_of(host)]
    field.nodes.head.run(RAY, "drain-node", *node, *reason, *deadline, **field.nodes.env)
    time.sleep(max(0.0, notice_s - (time.monotonic() - start)))
    host.power_off()
    host.boot()


def driver_killed(field: Field, training: Training) -> None:
    """The driver is killed, and the same command is given again."""
    training.kill()
    training.start()


def gcs_killed(field: Field, training: Training) -> None:
    """The cluster's directory is killed, and the head is started again with what it had written down."""
    (gcs,) = [p for p in field.nodes.head.processes() if p.name() == "gcs_server"]
    gcs.kill()


def s3_down(seconds: float) -> Fault:
    """S3 is away for so long, and until a checkpoint waits for it."""

    def down(field: Field, training: Training) -> None:
        field.to_s3.refuse()
        field.s3.stop_front()
        field.pass_slowly(seconds, training.says("does not answer"))
        field.s3.start_front()
        field.to_s3.heal()

    return down


def s3_busy(field: Field, training: Training) -> None:
    """S3 answers 503 to every third request, until a later fault ends that."""
    field.to_s3.every = 3


def mlflow_down(seconds: float) -> Fault:
    """The tracking server is away for so long, and until that is noticed."""

    def down(field: Field, training: Training) -> None:
        field.to_mlflow.refuse()
        field.mlflow.kill()
        field.pass_slowly(seconds, training.says("training goes on and keeps what it logs"))
        field.mlflow.start()
        field.to_mlflow.heal()

    return down


def disk_full(field: Field, training: Training) -> None:
    """The disk of the storage is full until somebody makes room."""
    ballast = field.network.shared / "ballast"
    with suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(2**16))
            file.flush()
    field.wait_until(training.says("No space left"), "it is seen that the disk is full")
    ballast.unlink()


def newest_damaged(field: Field, training: Training) -> None:
    """The driver is killed, the newest checkpoint is damaged, and the same command is given again."""
    training.kill()
    # Workers may write one more before they see that their driver is gone.
    wait_until(lambda: not any(host.processes("ray::RayTrainWorker") for host in field.nodes.hosts), "workers end")
    training.damage(training.checkpoints()[-1])
    training.start()


def nothing(field: Field, training: Training) -> None:
    """No fault."""
