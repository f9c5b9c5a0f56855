"""`ganflow doctor`: what would stop or slow a run, found on every node before the run is paid for."""

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ganflow.cluster.doctor.examination import FAULT, NOTE, OK, Examination, NodeReport
from ganflow.cluster.doctor.node_probe import NodeFacts, Probe, facts, try_storage
from ganflow.cluster.session.cluster_address import address_of
from ganflow.cluster.session.session import session
from ganflow.config import project_folder
from ganflow.config.schema import Config
from ganflow.errors import GanflowError
from ganflow.storage import Storage, open_storage

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "doctor"})

ANSWER_S = 60.0  # a worker process starts and the code travels
LOOK_S = 120.0
CLOCK_S = 2.0  # drain deadlines and signatures are points in time
CALLS = 7
FREE = 5 * 2**30  # bytes


def examine(config: Config, *, bandwidth: bool = True) -> Examination:
    """Look at the cluster that the configuration names, or at this machine."""
    named = address_of(config.cluster.address)
    examination = Examination(named.value if named else "this machine")
    logger.info(f"connecting to {examination.address}")
    with session(config.cluster):
        examination.nodes = _nodes()
        with _probes(examination) as probes:
            logger.info(f"looking around on {len(probes)} of {len(examination.nodes)} nodes")
            _look(examination, probes, config.cluster.cache)
            _clocks(examination, probes)
            logger.info(f"trying {config.cluster.storage}")
            _storage(examination, probes, config.cluster.storage)
        _workers(examination, config, named is not None)
        if bandwidth:
            logger.info("measuring the all-reduce")
            _bandwidth(examination, config.cluster.interface)
    return examination


def _nodes() -> list[NodeReport]:
    import ray

    driver = ray.get_runtime_context().get_node_id()
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    reports = [
        NodeReport(
            node["NodeID"], node["NodeManagerAddress"], node["NodeID"] == driver, int(node["Resources"].get("CPU", 0)),
            int(node["Resources"].get("GPU", 0)),
        )
        for node in alive
    ]  # fmt: skip
    return sorted(
        reports, key=lambda node: (not node.driver, [int(p) if p.isdecimal() else 0 for p in node.ip.split(".")])
    )


@contextmanager
def _probes(examination: Examination) -> Iterator[dict[str, Any]]:
    """An actor on each node that answers, by the node's id."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    start = time.monotonic()
    actors: dict[str, Any] = {}
    waiting: dict[Any, NodeReport] = {}
    for node in examination.nodes:
        on = NodeAffinitySchedulingStrategy(node.node_id, soft=False)
        actors[node.node_id] = ray.remote(num_cpus=0)(Probe).options(scheduling_strategy=on).remote()
        waiting[actors[node.node_id].clock.remote()] = node
    answering = {}
    try:
        while waiting and time.monotonic() < start + ANSWER_S:
            for probe in ray.wait(list(waiting), timeout=1.0)[0]:
                node = waiting.pop(probe)
                try:
                    ray.get(probe)
                except RayError as error:
                    examination.fault(node, f"no worker starts there: {_line(error)}")
                    continue
                node.answer_s = round(time.monotonic() - start, 1)
                answering[node.node_id] = actors[node.node_id]
                logger.info(f"node {node.ip} answers after {node.answer_s:.1f} s")
        for node in waiting.values():
            examination.fault(
                node, f"does not answer within {ANSWER_S:.0f} s though Ray counts it; is it cut off? restart Ray there"
            )
        yield answering
    finally:
        for actor in actors.values():
            ray.kill(actor)


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:200] if lines else ''}"


def _gather(examination: Examination, calls: dict[Any, NodeReport], what: str) -> Iterator[tuple[NodeReport, Any]]:
    """The nodes' answers; a node that does not answer is a fault."""
    import ray
    from ray.exceptions import RayError

    done, late = ray.wait(list(calls), num_returns=len(calls), timeout=LOOK_S) if calls else ([], [])
    for reference in late:
        examination.fault(calls[reference], f"{what} takes more than {LOOK_S:.0f} s; is its disk or network stuck?")
    for reference in done:
        try:
            yield calls[reference], ray.get(reference)
        except RayError as error:
            examination.fault(calls[reference], f"{what} failed: {_line(error)}")


def _look(examination: Examination, probes: dict[str, Any], cache: str) -> None:
    ours: list[NodeFacts] = []
    thread = threading.Thread(target=lambda: ours.append(facts(cache)))
    thread.start()
    calls = {probes[node.node_id].facts.remote(cache): node for node in examination.nodes if node.node_id in probes}
    for node, answer in _gather(examination, calls, "looking around"):
        node.facts = answer
    thread.join()
    for node in examination.nodes:
        if node.facts is not None:
            for text in _misfits(node, node.facts, ours[0], cache):
                examination.fault(node, text)


def _misfits(node: NodeReport, its: NodeFacts, ours: NodeFacts, cache: str) -> Iterator[str]:
    for name in ("python", "ray", "torch"):
        mine, theirs = (getattr(versions, name).partition("+")[0] for versions in (ours, its))
        if mine != theirs:
            yield f"{name} is {theirs} there and {mine} here; install what requirements.lock says on both"
    if its.code != ours.code:
        yield f"imports ganflow from {its.place}, and not this one; is PYTHONPATH set where `ray start` ran?"
    if len(its.gpus) < node.gpus:
        built = f"torch {its.torch} for CUDA {its.cuda or 'none'}, driver {its.gpu_driver or 'none'}"
        yield f"Ray offers {node.gpus} GPUs, torch sees {len(its.gpus)} ({built}); install a torch that fits the driver"
    if node.works and its.cache_fault is not None:
        yield f"cluster.cache={cache}: {its.cache_fault}; name a folder that can be"
    if node.works and its.free < FREE:
        yield f"cluster.cache={cache}: {its.free / 2**30:.1f} GB are free; name a larger disk, or make room"


def _clocks(examination: Examination, probes: dict[str, Any]) -> None:
    """Each node's clock against this one, by the quickest of several calls."""
    from ray.exceptions import RayError

    for node in examination.nodes:
        if node.node_id not in probes or node.facts is None:
            continue
        try:
            node.clock_margin_s, node.clock_s = min(_offset(probes[node.node_id]) for _ in range(CALLS))
        except RayError as error:
            examination.fault(node, f"asking its clock failed: {_line(error)}")
            continue
        if abs(node.clock_s) - node.clock_margin_s > CLOCK_S:
            way = "ahead of" if node.clock_s > 0 else "behind"
            examination.fault(
                node, f"its clock is {abs(node.clock_s):.1f} s {way} the driver's; run chrony or ntpd on both"
            )


def _offset(probe: Any) -> tuple[float, float]:
    """Half of a call's time, and how far the clock there was ahead at its middle."""
    import ray

    before = time.time()
    theirs = ray.get(probe.clock.remote(), timeout=LOOK_S)
    after = time.time()
    return (after - before) / 2, theirs - (before + after) / 2


def _storage(examination: Examination, probes: dict[str, Any], place: str) -> None:
    place = place if "://" in place else str(project_folder.place(place).absolute())
    token = f"doctor-{secrets.token_hex(4)}"
    storage = None
    try:
        storage = open_storage(place)
        storage.write(f"{token}-shared", b"the driver was here")
        seconds, fault = try_storage(place, f"{token}-driver", f"{token}-shared")
        if fault is not None:
            raise GanflowError(fault)
        examination.add("storage", OK, f"{place}: the driver reads, writes and removes in {seconds * 1000:.0f} ms")
        asked = [node for node in examination.nodes if node.node_id in probes and node.works]
        calls = {
            probes[node.node_id].try_storage.remote(place, f"{token}-{node.node_id[:12]}", f"{token}-shared"): node
            for node in asked
        }
        for node, (seconds, fault) in _gather(examination, calls, "trying the storage"):
            node.storage_s = None if fault else seconds
            if fault is not None:
                way = "; keys or a role belong to the node: set them where `ray start` runs" if "://" in place else ""
                examination.fault(node, fault + way)
    except GanflowError as error:
        examination.add("storage", FAULT, f"the driver: {error}")
    finally:
        if storage is not None:
            _remove(storage, f"{token}-shared")


def _remove(storage: Storage, name: str) -> None:
    try:
        storage.remove(name)
    except GanflowError:
        return  # what failed before was told


def _workers(examination: Examination, config: Config, named: bool) -> None:
    """For how many workers there is room, and whether that is enough."""
    cluster, batch = config.cluster, config.training.batch
    gpus = sum(node.gpus for node in examination.nodes)
    room = gpus or sum(node.cpus // cluster.cpus_per_worker for node in examination.nodes)
    has = (
        f"{gpus} GPUs"
        if gpus
        else f"{sum(node.cpus for node in examination.nodes)} CPUs, {cluster.cpus_per_worker} each"
    )
    asked = cluster.workers
    least = 1 if asked == "auto" else asked[0] if isinstance(asked, list) else asked
    text = f"room for {room} ({has}); cluster.workers={asked}, training.batch={batch}"
    if room >= least:
        examination.add("workers", OK, text)
    elif named:
        examination.add(
            "workers", NOTE, f"{text}: training waits {cluster.patience_s} s for nodes (cluster.patience_s)"
        )
    else:
        examination.add("workers", FAULT, f"{text}: lower cluster.workers, or name a cluster by cluster.address")


def _bandwidth(examination: Examination, interface: str) -> None:
    from ganflow.cluster.doctor.allreduce import NodesBusyError, measure

    try:
        result = measure({n.node_id: n.gpus for n in examination.nodes if n.works and n.facts is not None}, interface)
    except NodesBusyError as busy:
        examination.add("all-reduce", NOTE, f"not measured: {busy}; is something running?")
    except GanflowError as error:
        examination.add("all-reduce", FAULT, str(error))
    else:
        if result is None:
            examination.add("all-reduce", NOTE, "not measured: it takes two nodes or two GPUs, and there is one")
            return
        speeds = ", ".join(f"{_size(size)}: {speed / 1e6:,.0f} MB/s" for size, speed in result.speeds.items())
        examination.add("all-reduce", OK, f"{result.workers} workers, {result.backend} on {result.interface}; {speeds}")


def _size(size: int) -> str:
    return f"{size >> 20} MB" if size >= 2**20 else f"{size >> 10} KB"
