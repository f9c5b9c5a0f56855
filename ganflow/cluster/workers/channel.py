"""Events from the workers to the driver, and pause requests back, through one actor that makes no caller wait.

Only the driver draws bars and talks to MLflow; workers need no credentials and never stall on a tracker.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

POLL_S = 0.3


class EventChannel:
    """Keeps what workers post until the driver takes it, in order, and what the driver wants. Runs as a Ray actor."""

    def __init__(self) -> None:
        self._items: list[object] = []
        self._pause_request: str | None = None

    def post(self, item: object) -> None:
        self._items.append(item)

    def take(self) -> list[object]:
        items, self._items = self._items, []
        return items

    def ask(self, why: str | None) -> None:
        """Want the workers to pause; None takes it back."""
        self._pause_request = why

    def pause_request(self) -> str | None:
        return self._pause_request


class EventPump:
    """The driver's side of an event channel: workers post to ``actor``, and the listener gets each item once."""

    def __init__(self, actor: Any, listener: Callable[[Any], None]) -> None:
        self.actor, self._listener = actor, listener
        self._one_at_a_time = threading.Lock()
        self.failures: list[Exception] = []

    def ask(self, why: str | None) -> None:
        """Let the workers know."""
        self.actor.ask.remote(why)

    def drain(self) -> None:
        """Hand on everything that was posted before this call."""
        import ray

        with self._one_at_a_time:
            for item in ray.get(self.actor.take.remote()):
                try:
                    self._listener(item)
                except Exception as error:
                    self.failures.append(error)


@contextmanager
def event_channel(listener: Callable[[Any], None]) -> Iterator[EventPump]:
    """An event channel on this machine, which stays when nodes go; a thread of the driver hands the listener each item.

    What the listener raises is raised at the end of the block. Everything posted before the end is delivered.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    this_node = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    make: Any = ray.remote
    actor = make(num_cpus=0, scheduling_strategy=this_node)(EventChannel).remote()
    pump = EventPump(actor, listener)
    over = threading.Event()

    def follow() -> None:
        with contextlib.suppress(ray.exceptions.RayError):  # Ray ended before the block did
            while not over.wait(POLL_S):
                pump.drain()

    thread = threading.Thread(target=follow, name="ganflow-events", daemon=True)
    thread.start()
    try:
        yield pump
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(ray.exceptions.RayError):
            pump.drain()
            ray.kill(actor)
    if pump.failures:
        raise pump.failures[0]
