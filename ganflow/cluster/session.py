"""A connection to Ray: the cluster that is named, else one of this process's own."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ganflow.config import check_workers
from ganflow.errors import GanflowError, require
from ganflow.schema import ClusterConfig

# Ray reads these when it is imported. What the user has set stands.
_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_worker_niceness": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}


@contextmanager
def session(cluster: ClusterConfig) -> Iterator[None]:
    """Connect to Ray for the block, and shut down only what was started here.

    Raises:
        GanflowError: no cluster answers at the address.
    """
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(cluster.start_timeout_s))
    import ray

    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS") or cluster.address
    try:
        ray.init(
            address=address or "local", namespace="ganflow", include_dashboard=False if not address else None,
            log_to_driver=False, logging_level=logging.ERROR, configure_logging=True,
        )  # fmt: skip
    except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise GanflowError(
            f"cluster.address={address}: no Ray cluster there ({reason}); unset it for a local one"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def gang(cluster: ClusterConfig, batch: int) -> tuple[int, bool]:
    """How many workers training gets, and whether each has a GPU; asks the cluster that is connected.

    Raises:
        ConfigError: the cluster cannot hold the workers, or they cannot share the batch.
    """
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    places = gpus or max(1, cpus // cluster.cpus_per_worker)
    workers = cluster.workers
    if workers == "auto":
        workers = places if gpus else min(2, places)
        while batch % workers:
            workers -= 1
    check_workers(batch, workers)
    has = f"{gpus} GPUs" if gpus else f"{cpus} CPUs for {cluster.cpus_per_worker} each"
    require(workers <= places, "cluster.workers", workers, f"the cluster has {has}; at most {places}")
    return workers, gpus > 0
