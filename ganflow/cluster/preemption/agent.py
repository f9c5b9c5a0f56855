"""`ganflow watch`: beside Ray on each node, it drains the node when the node is about to go.

Draining tells training when the node goes, so that it saves and goes on elsewhere instead of being cut off. The watch
holds no connection to the cluster: a lost head would end it. It reads the process table, and asks and tells the head
from a process of its own.
"""

import contextlib
import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import psutil

from ganflow.cluster.preemption.ec2_metadata import Metadata, MetadataError, Notice, disabled
from ganflow.cluster.session.raylets import LocalNode, is_own, local_nodes, split_address
from ganflow.errors import require

logger = logging.getLogger(__name__)

DRAIN_S = 15.0  # one attempt
RETRY_S = 1.0
ABSENT_S = 60.0  # between looks where no service was ever seen

_ASK = """
import json, sys
from ganflow.cluster.session.cluster_address import Address, alive_nodes
nodes = alive_nodes(Address("address", sys.argv[1]))
print(json.dumps([[node_id, node.node_manager_address] for node_id, node in nodes.items()]))
"""

_DRAIN = """
import sys
from ganflow.cluster.session.cluster_address import Address, drain
from ganflow.errors import GanflowError
try:
    drain(Address("address", sys.argv[1]), *sys.argv[2:4], float(sys.argv[4]))
except GanflowError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Watch:
    """The nodes to watch. ``address``: of the cluster, or auto for any; ``node_ip``: one of those that run here."""

    address: str = "auto"
    node_ip: str | None = None
    endpoint: str | None = None
    interval: float = 2.0
    grace: float = 30.0
    rebalance: str = "note"  # note | drain

    def __post_init__(self) -> None:
        valid = self.address == "auto" or split_address(self.address) is not None
        require(valid, "address", self.address, "must be host:port of the cluster's head, as in 10.0.0.1:6379, or auto")
        require(self.interval > 0, "interval", self.interval, "must be more than 0")
        require(self.grace > 0, "grace", self.grace, "must be more than 0")
        require(self.rebalance in ("note", "drain"), "rebalance", self.rebalance, "must be note or drain")

    @property
    def of(self) -> str:
        return "" if self.address == "auto" else f" of {self.address}"


@dataclass(frozen=True)
class Stopped:
    """A signal came."""

    name: str


class Inbox:
    """Notices and signals, in order. ``signals`` counts the latter, for loops that must not go on for ever."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Notice | Stopped] = queue.SimpleQueue()
        self.signals = 0
        self.put = self._events.put
        self.get = self._events.get

    def stop(self, number: int, frame: object) -> None:
        self.signals += 1
        self.put(Stopped(signal.Signals(number).name))


def watch(config: Watch) -> None:
    """Wait for notices and drain at each; end when a signal asks for it and the node is drained."""
    inbox = Inbox()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, inbox.stop)
    logger.info(f"watching {_described(config)}; SIGTERM drains it within {config.grace:.0f} s")
    if disabled():
        logger.info("instance metadata is turned off by AWS_EC2_METADATA_DISABLED")
    else:
        poller = threading.Thread(target=_poll, args=(config, inbox), name="ganflow-notices", daemon=True)
        poller.start()
    while True:
        event = inbox.get()
        if isinstance(event, Stopped):
            _stop(config, event, inbox)
            return
        if event.kind == "rebalance" and config.rebalance == "note":
            logger.info(
                "rebalance recommendation: an interruption is likelier now; --rebalance drain would drain at once"
            )
        else:
            _drain_all(config, event.kind, time.monotonic() + event.seconds_left(), inbox)


def _described(config: Watch) -> str:
    nodes = _nodes(config)
    shown = ", ".join(f"{node.node_id[:12]} ({node.ip})" for node in nodes or ())
    return f"Ray node {shown}{config.of}" if nodes else f"for a Ray node{config.of} on this machine; none is known yet"


def _nodes(config: Watch) -> list[LocalNode] | None:
    """All of this machine's nodes that are meant; None if the head would have to tell and does not answer."""
    nodes = [node for node in local_nodes() if config.address == "auto" or _same(config.address, node.gcs)]
    if not nodes and config.address != "auto":
        registered = _registered(config.address)
        if registered is None:
            return None
        nodes = registered
    return [node for node in nodes if config.node_ip in (None, node.ip)]


def _registered(address: str) -> list[LocalNode] | None:
    """The cluster's nodes with an address of this machine, as its head knows them; None if the head does not answer."""
    output, failed = _run("-c", _ASK, address)
    if failed:
        return None
    registered = json.loads(output.rstrip().rpartition("\n")[2])
    return [LocalNode(None, node_id, ip, address, "") for node_id, ip in registered if is_own(ip)]


def _same(a: str, b: str) -> bool:
    return a == b or _resolved(a) == _resolved(b)


def _resolved(address: str) -> tuple[str, int] | None:
    host_port = split_address(address)
    with contextlib.suppress(OSError):
        return (socket.gethostbyname(host_port[0]), host_port[1]) if host_port else None
    return host_port


def _poll(config: Watch, inbox: Inbox) -> None:
    """Runs in a thread: posts each notice once, and tells once when the service is found or lost."""
    service = Metadata(config.endpoint)
    handled: set[Notice] = set()
    answers: bool | None = None
    answered_before = False
    while True:
        try:
            notices = service.notices()
        except MetadataError as error:
            if answers is not False:
                logger.info(
                    f"no instance metadata at {service.endpoint} ({error}); waiting for SIGTERM alone until it answers"
                )
            answers = False
        else:
            if not answers:
                logger.info(f"instance metadata at {service.endpoint}, asked every {config.interval:g} s")
            answers = answered_before = True
            for notice in notices:
                if notice not in handled:
                    handled.add(notice)
                    inbox.put(notice)
        time.sleep(config.interval if answered_before else max(config.interval, min(ABSENT_S, 10 * config.interval)))


def _stop(config: Watch, stopped: Stopped, inbox: Inbox) -> None:
    """Drain, and stay until nothing runs on the node, the grace is over, or a second signal comes."""
    end = time.monotonic() + config.grace
    nodes = _drain_all(config, stopped.name, end, inbox)
    while any(map(_works, nodes)):
        if time.monotonic() > end:
            logger.info(f"{stopped.name}: {config.grace:.0f} s are over and work still runs; leaving it")
            return
        if inbox.signals > 1:
            logger.info("a second signal: leaving at once")
            return
        time.sleep(0.2)
    logger.info(f"{stopped.name}: nothing runs here any more")


def _works(node: LocalNode) -> bool:
    """True while a worker of the node is at work; a drained node ends by itself when none is."""
    if node.pid is None:
        registered = _registered(node.gcs)
        return registered is None or node.node_id in [other.node_id for other in registered]
    with contextlib.suppress(psutil.Error):
        raylet = psutil.Process(node.pid)
        titles = [" ".join(process.cmdline()) for process in raylet.children()]
        return any(title.startswith("ray::") and not title.startswith("ray::IDLE") for title in titles)
    return False


def _drain_all(config: Watch, reason: str, end: float, inbox: Inbox) -> list[LocalNode]:
    """Drain every node that is meant."""
    signals = inbox.signals
    nodes = _nodes(config)
    if nodes is None:
        logger.info(f"{reason}: the head at {config.address} does not say which node this is; asking again")
    while nodes is None and time.monotonic() < end and inbox.signals == signals:
        time.sleep(RETRY_S)
        nodes = _nodes(config)
    if not nodes:
        logger.info(f"{reason}: no Ray node{config.of} is known here to drain")
        return []
    for node in nodes:
        who = f"node {node.node_id[:12]} ({node.ip})"
        refusal = _drain(node, reason, end)
        if refusal is not None:
            logger.info(f"{reason}: draining {who} failed ({refusal}); trying again")
        while refusal is not None:
            if time.monotonic() > end or inbox.signals > signals or _gone(node):
                logger.info(f"{reason}: gave up draining {who}: {refusal}")
                break
            time.sleep(RETRY_S)
            refusal = _drain(node, reason, end)
        else:
            logger.info(f"{reason}: drained {who}, which has {max(0.0, end - time.monotonic()):.0f} s left")
    return nodes


def _drain(node: LocalNode, reason: str, end: float) -> str | None:
    """One attempt; why it failed, or None."""
    left = max(0.0, end - time.monotonic())
    output, failed = _run("-c", _DRAIN, node.gcs, node.node_id, f"ganflow watch: {reason}", f"{left}")
    return output.rstrip().rpartition("\n")[2].strip()[:200] or "no reason was given" if failed else None


def _gone(node: LocalNode) -> bool:
    return node.pid is not None and not psutil.pid_exists(node.pid)


def _run(*arguments: str) -> tuple[str, bool]:
    """The output of a separate Python process, and True if it failed: Ray's client ends its process with the head."""
    env = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", **os.environ}
    try:
        done = subprocess.run(
            [sys.executable, *arguments], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=DRAIN_S, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"the head does not answer within {DRAIN_S:.0f} s", True
    return done.stdout, done.returncode != 0
