"""What a worker of a training says reaches the driver."""

import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from ganflow.cluster.jobs import ray_train
from ganflow.training.events import Warned

logger = logging.getLogger("ganflow.storage.retries")


class Trainer:
    """Speaks while it resumes, and while it trains from another thread."""

    def __init__(self) -> None:
        self.state = SimpleNamespace(nimg=0)

    def resume(self) -> None:
        self.state.nimg = 500
        logger.warning("a checkpoint is damaged")

    def fit(self) -> None:
        self.state.nimg = 1000
        writer = threading.Thread(target=logger.info, args=("the storage works again",))
        writer.start()
        writer.join()


def test_a_worker_s_messages_are_warnings_with_the_images_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def built(work: Any) -> Trainer:
        logger.warning("the storage is away")
        return Trainer()

    monkeypatch.setattr(ray_train, "_trainer", built)
    posted: list[Any] = []
    work: Any = SimpleNamespace(post=posted.append)
    ray_train._worker(work)
    logger.warning("nothing after its end")
    assert posted == [
        Warned(0, "the storage is away"),
        Warned(500, "a checkpoint is damaged"),
        Warned(1000, "the storage works again"),
    ]
