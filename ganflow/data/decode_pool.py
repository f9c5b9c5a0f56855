"""Decoding on all cores of this machine: the jobs of ``prepare`` in processes of their own, in order."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import forkserver, resource_tracker

from ganflow.data.image_files import ImageFiles
from ganflow.data.prepare import DecodeJob
from ganflow.data.source import Decoded
from ganflow.errors import GanflowError

AHEAD = 4  # jobs of each process that are begun or done before they are asked for; each has some megabytes


def warm_up() -> None:
    """Begin to import, in a process beside this one, what those need that decode; they are forked from it.

    It is spared the terminal's Ctrl-C from its first moment, as they are.
    """
    forkserver.set_forkserver_preload([__name__, ImageFiles.__module__])
    resource_tracker.ensure_running()  # or the server would start it, which lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pool_map(jobs: Sequence[DecodeJob]) -> Iterator[Decoded]:
    """Run jobs on all cores that this process may use.

    Raises:
        GanflowError: what a job refuses, or a process that was killed.
    """
    cores = len(os.sched_getaffinity(0))
    warm_up()
    context = multiprocessing.get_context("forkserver")  # a fork of this process would inherit the locks of its threads
    with ProcessPoolExecutor(cores, context, _begin) as pool:
        waiting = (pool.submit(job.run) for job in jobs)
        begun = deque[Future[Decoded]](islice(waiting, cores * AHEAD))
        try:
            while begun:
                yield begun.popleft().result()
                begun.extend(islice(waiting, 1))
        except BrokenProcessPool:
            raise GanflowError("a process that decodes images was killed; short of memory?") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """Runs in each process: it heeds no Ctrl-C, which the terminal sends it too, and ends with the one that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
