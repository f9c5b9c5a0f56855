"""How events get from the workers to the driver: through one actor, without making the workers wait.

Only the driver draws bars and talks to MLflow; workers need no credentials and never stall on a tracker.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

POLL_S = 0.3


class Board:
    """Keeps what workers post until the driver takes it, in order. Runs as a Ray actor."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._kinds: set[type] = set()

    def post(self, item: Any) -> None:
        self._items.append(item)
        self._kinds.add(type(item))

    def holds(self, kind: type) -> bool:
        """Whether an item of this type was ever posted."""
        return kind in self._kinds

    def take(self) -> list[Any]:
        items, self._items = self._items, []
        return items


@contextmanager
def board(listener: Callable[[Any], None]) -> Iterator[Any]:
    """An actor handle for workers to ``.post.remote(item)`` to; the listener gets each item in a thread of the driver.

    What the listener raises is raised at the end of the block. Everything posted before the end is delivered.
    """
    import ray

    actor: Any = ray.remote(num_cpus=0)(Board).remote()
    over = threading.Event()
    failures: list[Exception] = []

    def drain() -> None:
        for item in ray.get(actor.take.remote()):
            try:
                listener(item)
            except Exception as error:
                failures.append(error)

    def follow() -> None:
        while not over.wait(POLL_S):
            drain()

    thread = threading.Thread(target=follow, name="ganflow-board", daemon=True)
    thread.start()
    try:
        yield actor
    finally:
        over.set()
        thread.join()
        drain()
        ray.kill(actor)
    if failures:
        raise failures[0]
