"""The service goes with the registry, and stays as it is where the registry fails."""

import asyncio

import pytest

from ganflow.errors import GanflowError
from ganflow.serving.alias_watch import follow
from ganflow.serving.app import Limits, Service
from ganflow.serving.model import Model
from tests.generation.writers.made import model
from tests.serving.here import Here, model_of


def test_what_it_sees_is_served_next(caplog: pytest.LogCaptureFixture) -> None:
    backend = Here()
    first, second = (model_of(model(seed=k), f"models:/x/{k}", backend) for k in (1, 2))
    service, asked = Service(first, backend, Limits()), []
    away = GanflowError("MLflow does not answer")
    seen = iter([None, away, away, KeyError("odd"), second, None])
    finished = asyncio.Event()

    def look(served: str) -> Model | None:
        asked.append(served)
        found = next(seen, finished)
        if isinstance(found, Exception):
            raise found
        if found is finished:
            loop.call_soon_threadsafe(finished.set)
            return None
        assert found is None or isinstance(found, Model)
        return found

    async def run() -> None:
        task = asyncio.ensure_future(follow(service, look, 0.001)())
        await asyncio.wait_for(finished.wait(), 60)
        task.cancel()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(run())
    loop.close()
    assert service.model is second
    assert [message for name, _, message in caplog.record_tuples if name.startswith("ganflow")] == [
        "MLflow does not answer; goes on with models:/x/1",
        "KeyError('odd'); goes on with models:/x/1",
        "serves models:/x/2 now, models:/x/1 before",
    ]
    assert asked[:6] == ["models:/x/1"] * 5 + ["models:/x/2"]
