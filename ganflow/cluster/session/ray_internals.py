"""Private parts of Ray 2.60, one function each: the one file to look at when Ray's version moves.

``tests/cluster/session/test_ray_internals.py`` has a test of each, which says what moved.
"""

import asyncio
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import psutil

from ganflow.cluster.session import agent_entry, worker_entry

NODE_ALIVE = 0  # GcsNodeState of ray's protobuf


def _nothing(*arguments: object, **options: object) -> None:
    """Do nothing, in place of a method that starts a process."""


def torch_backend() -> Any:
    """The class that starts torch's process group in Ray Train's workers; a backend of one's own derives from it."""
    from ray.train.torch.config import _TorchBackend

    return _TorchBackend


def trainer_class() -> Any:
    """Ray Train's trainer for torch, with the controller in this process: five processes and their imports less.

    Ray runs it as an actor, beside it one that removes the workers' places if the controller dies (they end with this
    process), one for data sets of Ray Data, one that asks an autoscaler for what the workers hold already, and one for
    `ray.train.report`, which ganflow's workers do not call. Its ``cancel`` ends a ``fit`` in another thread.
    """
    from ray.train.v2._internal import callbacks
    from ray.train.v2._internal.execution.controller import TrainController
    from ray.train.v2.torch.torch_trainer import TorchTrainer

    fixed_workers = _scaling_policy()

    class Trainer(TorchTrainer):
        def _create_default_callbacks(self) -> list[Any]:
            scaling: Any = self.scaling_config
            return [
                callbacks.AcceleratorSetupCallback(self.backend_config, scaling),
                callbacks.BackendSetupCallback(self.backend_config),
                callbacks.WorkingDirectorySetupCallback(),
            ]

        def _initialize_and_run_controller(self, **parts: Any) -> Any:
            logging.getLogger("ray.train").setLevel(logging.CRITICAL)  # what it says of an error is raised, too
            with _controller_here():
                parts["scaling_policy"] = fixed_workers(parts["scaling_policy"].scaling_config)
                controller: Any = TrainController(**parts)
                asyncio.run(self._run(controller))
            return controller.get_result()

        async def _run(self, controller: Any) -> None:
            vars(self)["running"] = asyncio.get_running_loop(), asyncio.current_task()
            try:
                await controller.run()
            except asyncio.CancelledError:
                if controller._worker_group is not None:
                    controller._worker_group.abort()
                raise ChildProcessError("it was cancelled") from None

        def cancel(self) -> None:
            """From another thread than the one in which it fits: end that soon, and the workers."""
            if running := vars(self).get("running"):
                running[0].call_soon_threadsafe(running[1].cancel)

    return Trainer


def _scaling_policy() -> Any:
    """Ray Train's policy of so many workers, which asks no autoscaler for them."""
    from ray.train.v2._internal.execution.scaling_policy.fixed import FixedScalingPolicy

    class FixedWorkers(FixedScalingPolicy):
        def after_controller_start(self, train_run_context: Any) -> None:
            requests = dict.fromkeys(("maybe_send_resource_request", "cancel_resource_request"), _nothing)
            vars(self)["_coordinator_client"] = SimpleNamespace(**requests)

    return FixedWorkers


@contextmanager
def _controller_here() -> Iterator[None]:
    """In the block, Ray Train's controller is not an actor, and starts none beside the workers."""
    from ray.runtime_context import RuntimeContext
    from ray.train.v2._internal.execution.worker_group import state, worker_group

    absent = SimpleNamespace(options=lambda **options: SimpleNamespace(remote=lambda **options: SimpleNamespace()))
    with (
        patch.object(RuntimeContext, "current_actor", None),
        patch.object(worker_group, "SynchronizationActor", absent),
        patch.object(state, "_shutdown_sync_actor", _nothing),
    ):
        yield


def address_of_this_machine() -> str:
    """``host:port`` of the cluster that runs on this machine.

    Raises:
        ConnectionError: there is none.
    """
    from ray._private.services import canonicalize_bootstrap_address_or_die

    return str(canonicalize_bootstrap_address_or_die("auto"))


def gcs_client(address: str) -> Any:
    """A client of a head's directory of nodes (the GCS), which needs no ``ray.init``."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    return GcsClient(address=address)


def cluster_metadata(client: Any) -> dict[str, object]:
    """The versions that a head runs, by :func:`gcs_client`.

    Raises:
        AttributeError: it is still starting.
    """
    from ray._common.usage.usage_lib import get_cluster_metadata

    return get_cluster_metadata(client) or {}


def drain(client: Any, node_id: str, message: str, left_s: float) -> str:
    """Tell a head, by :func:`gcs_client`, that a node leaves in so many seconds; why it does not take that, or ""."""
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason  # type: ignore[attr-defined]

    reason, deadline_ms = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"), int((time.time() + left_s) * 1000)
    accepted, refusal = client.drain_node(node_id, reason, message, deadline_ms)
    return "" if accepted else str(refusal)


def draining_nodes() -> set[str]:
    """Ids of the nodes that take no new work because they are about to leave."""
    import ray._private.state

    return set(ray._private.state.state.get_draining_nodes())


@contextmanager
def raylet_awaited(timeout_s: float, meanwhile: Callable[[], object] = _nothing) -> Iterator[None]:
    """In the block, a node that this process starts has so many seconds until its raylet answers.

    ``meanwhile`` is called as it starts. Ray itself gives it 30, however busy the machine, and waits as long for one
    that has ended.
    """
    from ray._private import services

    look: Callable[[str, str], object] = services.get_node
    end = time.monotonic() + timeout_s

    def get_node(gcs_address: str, node_id: str) -> object:
        client = gcs_client(gcs_address)
        meanwhile()
        while not any(registered.hex() == node_id for registered in client.get_all_node_info(timeout=timeout_s)):
            if time.monotonic() > end:
                raise TimeoutError(f"its raylet is not ready after {timeout_s:g} s")
            if not _raylet_runs():
                raise ChildProcessError("its raylet has ended")
            time.sleep(0.1)
        return look(gcs_address, node_id)

    with patch.object(services, "get_node", get_node):
        yield


def quick_workers() -> AbstractContextManager[object]:
    """In the block, a node that this process starts begins its workers with :mod:`.worker_entry`."""
    from ray._private import ray_constants

    return patch.object(ray_constants, "SETUP_WORKER_FILENAME", worker_entry.__file__)


@contextmanager
def node_of_this_process(
    timeout_s: float, begun: Callable[[int], object] = _nothing, meanwhile: Callable[[], object] = _nothing
) -> Iterator[None]:
    """In the block, ``ray.init`` starts a node that listens on 127.0.0.1, in a process group of its own.

    It would listen on all addresses; the loopback is what it takes on Windows and macOS, and its processes inherit it.
    A signal to this process's group (a terminal's, `timeout`'s, a queue's) would end Ray before the workers saved.
    What only a dashboard, an autoscaler or forwarded logs need is not started: a third of the time that Ray takes.
    The raylet has ``timeout_s`` (:func:`raylet_awaited`); ``begun`` is given its process id, then ``meanwhile`` called.
    """
    from ray._private import ray_constants, services
    from ray._private.node import Node

    with (
        raylet_awaited(timeout_s, meanwhile),
        quick_workers(),
        patch.object(ray_constants, "ENABLE_RAY_CLUSTER", False),
        patch.object(services, "ConsolePopen", partial(_started, begun)),
        patch.multiple(Node, start_api_server=_nothing, start_monitor=_nothing, start_log_monitor=_nothing),
    ):
        yield


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """In the block, declaring actors draws none of Ray's numbers: forks would go on alike and name objects alike."""
    import ray.actor
    from ray import ActorClassID

    ids = SimpleNamespace(from_random=lambda: ActorClassID(os.urandom(ActorClassID.size())))
    with patch.object(ray.actor, "ActorClassID", ids):
        yield


def _started(begun: Callable[[int], object], command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
    """A node's process, in a group of its own; a raylet with :mod:`.agent_entry` for its dashboard agent."""
    from ray._private.services import RAY_PATH

    theirs, ours = str(Path(RAY_PATH, "dashboard/agent.py")), agent_entry.__file__
    option = "--dashboard_agent_command="
    changed = [part.replace(theirs, ours) if part.startswith(option) else part for part in command]
    process = subprocess.Popen(changed, process_group=0, **options)
    if changed != command:
        begun(process.pid)
    return process


def _raylet_runs() -> bool:
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.name() == "raylet" and child.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


@contextmanager
def sigterm_is_ours() -> Iterator[None]:
    """In the block, ``ray.init`` leaves SIGTERM to the handler that there is.

    Its own in Python ends the process without a word. That in C++ aborts it three seconds later, if Python was not at
    work meanwhile, and Python is not while Ray connects: a signal waits until then, and finds the handler back.
    """
    from ray._private import utils, worker

    connect: Callable[..., Any] = worker.connect
    in_main = threading.current_thread() is threading.main_thread()

    def connect_unheard(*arguments: Any, **options: Any) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            return connect(*arguments, **options)
        finally:
            if in_main and callable(handler := signal.getsignal(signal.SIGTERM)):
                signal.signal(signal.SIGTERM, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    with (
        patch.object(utils, "set_sigterm_handler", lambda handler: None),
        patch.object(worker, "connect", connect_unheard),
    ):
        yield
