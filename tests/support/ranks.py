"""A function on several gloo processes of this machine."""

import contextlib
import multiprocessing
import os
import pickle
import socket
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import connection
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.support.patience import patience

# It loads torch and ganflow once, and ranks are forked from it.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([
    "torch.distributed", "torch._dynamo", "hydra", "pytest", "safetensors.torch", "sklearn.datasets", "scipy.linalg",
    "ganflow.config.composition", "ganflow.training.build", "ganflow.evaluation.evaluation_result",
    "ganflow.evaluation.build",
])  # fmt: skip


def _start_server() -> None:
    """The server imports from where the tests do; Python hands it no path."""
    from multiprocessing import forkserver

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), before]))
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def on_ranks(world: int, function: Callable[..., Any], *args: Any, deadline_s: float = 120.0) -> list[Any]:
    """Call ``function(*args)`` on every rank of a new process group.

    Args:
        world: number of processes.
        function: of a module's top level; it and its result must be picklable.
        deadline_s: after this many seconds, times GANFLOW_TEST_PATIENCE, the ranks are killed.

    Returns:
        What each rank returned, by rank.

    Raises:
        AssertionError: a rank raised (with its traceback), died, or was not done in time.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, deadline_s = Path(name), patience(deadline_s)
        fixed = (world, folder, deadline_s, function, args)
        ranks = [_SERVER.Process(target=_run, args=(rank, *fixed)) for rank in range(world)]
        _start_server()
        try:
            for process in ranks:
                process.start()
            _wait(ranks, deadline_s)
        finally:
            for process in ranks:
                process.kill()
                process.join()
        # Who lost the connection fails after the one who broke it.
        failed = sorted(folder.glob("failed-*"), key=lambda path: path.stat().st_mtime_ns)
        assert not failed, "\n".join(path.read_text(encoding="utf-8") for path in failed)
        done = [folder / f"result-{rank}" for rank in range(world)]
        missing = {rank: process.exitcode for rank, process in enumerate(ranks) if not done[rank].exists()}
        assert not missing, f"no result after {deadline_s} s; exit status by rank: {missing}"
        return [pickle.loads(path.read_bytes()) for path in done]


def _wait(ranks: list[Any], deadline_s: float) -> None:
    """Until all ranks have ended well, one has not, or the time is up."""
    end = time.monotonic() + deadline_s
    while running := [p.sentinel for p in ranks if p.exitcode is None]:
        if any(p.exitcode for p in ranks) or not connection.wait(running, max(0.0, end - time.monotonic())):
            return


def _run(rank: int, world: int, folder: Path, deadline_s: float, function: Callable[..., Any], args: Any) -> None:
    torch.set_num_threads(1)
    if "lo" in [name for _, name in socket.if_nameindex()]:  # the hostname may resolve to nothing
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    try:
        dist.init_process_group(
            "gloo", f"file://{folder}/store", rank=rank, world_size=world, timeout=timedelta(seconds=deadline_s)
        )
        result = pickle.dumps(function(*args))
        (folder / f"result-{rank}").write_bytes(result)
        # The others may still be receiving; whoever fails before it comes here is reported instead.
        with contextlib.suppress(RuntimeError):
            dist.barrier()
    except BaseException:
        (folder / f"failed-{rank}").write_text(f"rank {rank} of {world}:\n{traceback.format_exc()}", encoding="utf-8")
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
