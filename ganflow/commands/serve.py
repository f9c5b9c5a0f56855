"""`ganflow serve`: the registry's model behind HTTP, drawn by Ray's replicas, followed through promotions."""

import hashlib
import logging
import re

from ganflow.cluster.jobs.replicas import AT_ONCE, replicas
from ganflow.config import params_file
from ganflow.config.schema import ClusterConfig, TrackingConfig
from ganflow.errors import require
from ganflow.serving.alias_watch import follow
from ganflow.serving.app import Limits, Service
from ganflow.serving.listen import bind, listen, url
from ganflow.serving.model import Backend, Model
from ganflow.tracking.registry.loader import fixed, load_generator

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "serve"})


def serve(model: str, *, host: str, port: int, count: int, limits: Limits, every_s: float) -> None:
    """Answer requests until SIGTERM or Ctrl-C; what is under way then is answered first.

    Args:
        model: where the generator is; an alias is followed.
        host: the address that is listened on.
        port: its port.
        count: of replicas.
        limits: what a request may cost.
        every_s: seconds from one look at the alias to the next.

    Raises:
        GanflowError: no such model, no cluster, or a port that is taken.
    """
    require(limits.n is None or limits.n <= AT_ONCE, "max-n", limits.n, f"must be at most {AT_ONCE}")
    listener = bind(host, port)
    tracking, cluster = _settings(model)
    address = fixed(model, tracking)
    name = "ganflow-" + re.sub(r"\W+", "-", model).strip("-")
    with replicas(cluster, name, count, limits.waiting) as backend:
        first = _model(address, tracking, backend)
        service = Service(first, backend, limits)

        def look(served: str) -> Model | None:
            now = fixed(model, tracking)
            return None if now == served else _model(now, tracking, backend)

        beside = follow(service, look, every_s) if address != model else None
        logger.info(f"serves {address} on {url(listener)}")
        listen(service.app(beside), listener, limits.seconds)


def _settings(model: str) -> tuple[TrackingConfig, ClusterConfig]:
    """As ``params.yaml`` says, where there is one."""
    if params_file.PARAMS.is_file():
        settings = params_file.load()
        return settings.tracking, settings.cluster
    return TrackingConfig(experiment=""), ClusterConfig()


def _model(address: str, tracking: TrackingConfig, backend: Backend) -> Model:
    generator = load_generator(address, tracking)
    content = generator.content()
    return Model(address, hashlib.sha256(content).hexdigest(), generator, backend.add(content))
