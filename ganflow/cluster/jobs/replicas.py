"""A generator's replicas under Ray Serve: requests that come together are drawn together, on any node.

A request brings the reference of its weights along. So a new replica needs nothing but the cluster, and a promotion
replaces no replica: requests of the new version bring other weights.
"""

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganflow.cluster.session.session import session
from ganflow.config.schema import ClusterConfig
from ganflow.methods import generator
from ganflow.serving.batching import AnyAsked, answer, draw
from ganflow.serving.model import BusyError, Model
from ganflow.signals.base import Samples

AT_ONCE = 256  # samples in one batch; no request may ask for more
TOGETHER_S = 0.002  # how long the first of a batch waits for others
KEPT = 3  # models in a replica: requests of an old one may come late
AGAIN_S = 0.1  # until a request goes to another replica


@dataclass(frozen=True)
class ReplicaSettings:
    """The settings that travel to a replica."""

    asked: AnyAsked
    digest: str
    weights: list[Any]  # one reference; within a list, so that the replica fetches it only if it must


class Replica:
    """Draws for requests; holds the models that were asked for last."""

    def __init__(self) -> None:
        import torch

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._models: dict[str, generator.Generator] = {}
        self._loading = asyncio.Lock()

    async def answer(self, job: ReplicaSettings) -> bytes:
        """The encoded answer to one request."""
        model = await self._model(job)
        samples = await self.draw_together((model, job.asked))  # type: ignore[attr-defined]
        return await asyncio.to_thread(answer, model, job.asked, samples)

    async def ready(self) -> bool:
        """It answers."""
        return True

    async def _model(self, job: ReplicaSettings) -> generator.Generator:
        async with self._loading:
            if job.digest not in self._models:
                content = await job.weights[0]
                self._models[job.digest] = await asyncio.to_thread(_load, content, self._device)
                for old in list(self._models)[:-KEPT]:
                    del self._models[old]
            return self._models[job.digest]


def _load(content: Any, device: str) -> generator.Generator:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, generator.FILE)
        path.write_bytes(content)
        return generator.load(path, device)


def _samples(jobs: list[tuple[generator.Generator, AnyAsked]]) -> int:
    return sum(asked.n for _, asked in jobs)


class Replicas:
    """The backend of a service: as many replicas as there are, and a request goes to another if one is lost."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def add(self, content: bytes) -> object:
        """Put weights where every node finds them."""
        import ray

        return ray.put(np.frombuffer(content, np.uint8))

    async def answer(self, model: Model, asked: AnyAsked) -> bytes:
        """As :meth:`ganflow.serving.model.Backend.answer`. The same request draws the same samples anywhere."""
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, ReplicaUnavailableError

        job = ReplicaSettings(asked, model.digest, [model.weights])
        while True:
            response = self._handle.answer.remote(job)
            try:
                content: bytes = await response
                return content
            except asyncio.CancelledError:
                response.cancel()
                raise
            except BackPressureError:
                raise BusyError("too many requests wait already") from None
            except RayTaskError:  # it was answered, with an error
                raise
            except (RayError, DeploymentUnavailableError, ReplicaUnavailableError):
                await asyncio.sleep(AGAIN_S)

    async def ready(self) -> bool:
        """True if a replica answers."""
        from ray.exceptions import RayError

        try:
            return bool(await self._handle.ready.remote())
        except RayError:
            return False


@contextmanager
def replicas(cluster: ClusterConfig, name: str, count: int, most_ongoing: int) -> Iterator[Replicas]:
    """Start replicas on the cluster, or on a Ray of this process's own, and end them after the block.

    Args:
        cluster: where; each gets its ``cpus_per_worker`` and a GPU if there is one for each.
        name: of the application: one that an earlier process left under this name is replaced.
        count: how many.
        most_ongoing: requests at a time of each.

    Raises:
        GanflowError: no connection to the cluster.
    """
    with session(cluster):
        import ray
        from ray import serve

        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        gpus = ray.cluster_resources().get("GPU", 0)  # type: ignore[no-untyped-call, unused-ignore]
        gpu = gpus >= count and cluster.gpu is not False
        serve.start(proxy_location="Disabled")
        deployment = serve.deployment(
            name="generator",
            num_replicas=count,
            max_ongoing_requests=most_ongoing,
            ray_actor_options={"num_cpus": cluster.cpus_per_worker, "num_gpus": int(gpu)},
            health_check_period_s=1,
            graceful_shutdown_timeout_s=10,
        )(_batching())
        try:
            yield Replicas(serve.run(deployment.bind(), name=name, route_prefix=None))
        finally:
            serve.delete(name)
            if not serve.status().applications:  # no other application: the controller would outlive this process
                serve.shutdown()  # type: ignore[no-untyped-call, unused-ignore]


def _batching() -> type:
    """:class:`Replica` with Ray's batching: its decorator needs Ray, which is imported late."""
    from ray import serve

    class Batching(Replica):
        @serve.batch(max_batch_size=AT_ONCE, batch_wait_timeout_s=TOGETHER_S, batch_size_fn=_samples)
        async def draw_together(self, jobs: list[tuple[generator.Generator, AnyAsked]]) -> list[Samples | bytes]:
            return await asyncio.to_thread(draw, jobs)

    return Batching
