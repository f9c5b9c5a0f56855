"""A service that goes with the registry: when an alias points to another version, that one is served next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ganflow.errors import GanflowError
from ganflow.serving.app import Service
from ganflow.serving.model import Model

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "serve"})

Look = Callable[[str], Model | None]  # the address that is served → the model to serve instead, if there is one


def follow(service: Service, look: Look, every_s: float) -> Callable[[], Awaitable[None]]:
    """The task that runs beside a service and looks for another model every so many seconds.

    Requests that are under way end with the model they began with. A registry that does not answer, or a version that
    cannot be served, leaves the service as it is; that is said once.
    """

    async def run() -> None:
        complaint = ""
        while True:
            await asyncio.sleep(every_s)
            before = service.model.address
            try:
                newer = await asyncio.to_thread(look, before)
            except Exception as error:  # whatever it is, the service goes on and looks again
                line = str(error) if isinstance(error, GanflowError) else repr(error)
                if line != complaint:
                    logger.warning(f"{line}; goes on with {before}")
                complaint = line
                continue
            complaint = ""
            if newer:
                service.serve(newer)
                logger.info(f"serves {newer.address} now, {before} before")

    return run
