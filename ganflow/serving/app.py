"""The HTTP side: limits, time-outs, errors in one line, health, figures. No request reaches a network unchecked."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ganflow.errors import ConfigError, GanflowError
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.serving.answer import FORMATS
from ganflow.serving.batching import AnyAsked
from ganflow.serving.metrics_endpoint import MEDIA_TYPE, Meters
from ganflow.serving.model import Backend, BusyError, Model
from ganflow.serving.own_picture import AskedPicture, parse_detection, parse_restoration
from ganflow.serving.request import from_query, parse

RETRY_S = 1  # what a client is told to wait
SOON_S = 2.0  # for a look at the backend

Endpoint = Callable[[Request], Awaitable[Response]]
ParsePicture = Callable[[bytes, dict[str, object], Generator, int], AskedPicture]


@dataclass(frozen=True)
class Limits:
    """The limits of one request."""

    n: int | None = None  # samples; None: by their size, as each model has it
    body: int = 2**16  # bytes of options
    picture: int = 2**24  # bytes of an image file
    pixels: int = 2**22  # of it
    seconds: float = 30.0  # from request to answer
    waiting: int = 256  # requests at a time; more are turned away


class Service:
    """Answers requests with samples of one model, which another may replace at any time."""

    def __init__(self, model: Model, backend: Backend, limits: Limits) -> None:
        self._backend, self._limits, self._meters, self._waiting = backend, limits, Meters(), 0
        self.serve(model)

    def serve(self, model: Model) -> None:
        """Answer what comes from now on with this model."""
        self.model = model
        self._meters.now_serves(model)

    def app(self, beside: Callable[[], Awaitable[None]] | None = None) -> Starlette:
        """The ASGI application; ``beside`` runs as long as it does."""

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            task = asyncio.ensure_future(beside()) if beside else None
            yield
            if task:
                task.cancel()

        routes = [
            Route("/", self._describe, methods=["GET"]),
            Route("/generate", self._measured(self._generate), methods=["GET", "POST"]),
            Route("/restore", self._measured(self._on_picture(parse_restoration)), methods=["POST"]),
            Route("/detect", self._measured(self._on_picture(parse_detection)), methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/metrics", self._figures, methods=["GET"]),
        ]
        handlers: dict[Any, Any] = {HTTPException: _refused, ConfigError: _misfit, Exception: _failed}
        app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
        app.router.redirect_slashes = False
        return app

    async def _describe(self, request: Request) -> Response:
        model, spec = self.model, self.model.generator.spec
        truncated = "w, 0 to 1" if model.generator.has_w else "z, more than 0"
        return _json(
            200,
            {
                "model": model.address,
                "digest": model.digest,
                "samples": spec.signal.size(spec.shape),
                "classes": spec.classes or spec.num_classes,
                "truncation": truncated,
                "limits": {"n": self._most(model), "body": self._limits.body, "seconds": self._limits.seconds},
                "try": _example(spec),
            },
        )

    async def _generate(self, request: Request) -> Response:
        model = self.model
        asked = parse(await self._options(request), model.generator, self._most(model))
        content = await self._answer(model, asked)
        self._meters.samples.inc(asked.n)
        return _content(model, asked, content)

    def _on_picture(self, parse: ParsePicture) -> Endpoint:
        """The answer to a picture, by the model's own task."""

        async def answered(request: Request) -> Response:
            model, limits = self.model, self._limits
            options = from_query(request.query_params.multi_items())
            body = await self._received(request, limits.picture)
            asked = await asyncio.to_thread(parse, body, options, model.generator, limits.pixels)
            content = await self._answer(model, asked)
            self._meters.samples.inc(asked.n)
            return _content(model, asked, content)

        return answered

    def _most(self, model: Model) -> int:
        return self._limits.n or model.some

    async def _options(self, request: Request) -> dict[str, object]:
        """Those of the URL, or those of the body."""
        query = from_query(request.query_params.multi_items())
        if request.method != "POST":
            return query
        if query:
            raise HTTPException(400, "options belong in the body of a POST, not in its URL")
        return _object(await self._received(request, self._limits.body))

    async def _received(self, request: Request, most: int) -> bytes:
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._body(request, most)
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {self._limits.seconds:g} s") from None
        except ClientDisconnect:
            raise HTTPException(400, "the request body is incomplete") from None

    async def _body(self, request: Request, most: int) -> bytes:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise HTTPException(413, f"the body is larger than {most} bytes")
        return bytes(body)

    async def _answer(self, model: Model, asked: AnyAsked) -> bytes:
        limits = self._limits
        if self._waiting >= limits.waiting:
            raise _later(f"{limits.waiting} requests wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(limits.seconds):
                return await self._backend.answer(model, asked)
        except TimeoutError:
            raise _later(f"no answer within {limits.seconds:g} s") from None
        except BusyError as error:
            raise _later(str(error)) from None
        finally:
            self._waiting -= 1

    def _measured(self, endpoint: Endpoint) -> Endpoint:
        """The same endpoint, counted by what came of it."""

        async def counted(request: Request) -> Response:
            begun, status = time.perf_counter(), 500
            self._meters.waiting.inc()
            try:
                response = await endpoint(request)
                status = response.status_code
                return response
            except HTTPException as error:
                status = error.status_code
                raise
            except ConfigError:
                status = 400
                raise
            finally:
                self._meters.waiting.dec()
                self._meters.requests.labels(status).inc()
                self._meters.seconds.observe(time.perf_counter() - begun)

        return counted

    async def _health(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(SOON_S):
                well = await self._backend.ready()
        except TimeoutError:
            well = False
        if not well:
            raise _later("no replica is ready")
        return _json(200, {"status": "ok", "model": self.model.address})

    async def _figures(self, request: Request) -> Response:
        return Response(self._meters.text(), media_type=MEDIA_TYPE)


def _example(spec: GeneratorSpec) -> str:
    if spec.restores:
        return f"curl --data-binary @picture.png URL/{'detect' if spec.detects else 'restore'}"
    return f"/generate?n=4&seed=7&format={'|'.join(FORMATS)}"


def _content(model: Model, asked: AnyAsked, content: bytes) -> Response:
    headers = {"x-ganflow-model": quote(model.address, safe="/:@"), "x-ganflow-digest": model.digest}
    return Response(content, media_type=FORMATS[asked.format][0], headers=headers)


def _object(body: bytes) -> dict[str, object]:
    """The options of a JSON body; none of an empty one."""
    try:
        content = json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise HTTPException(400, 'the body must be a JSON object, as {"n": 4, "seed": 7}')
    return content


def _later(line: str) -> HTTPException:
    return HTTPException(503, line, {"retry-after": str(RETRY_S)})


def _json(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    """ASCII-only JSON: a lone surrogate in user input cannot be encoded as UTF-8."""
    return Response(json.dumps(content) + "\n", status, headers, "application/json")


async def _refused(request: Request, error: HTTPException) -> Response:
    return _json(error.status_code, {"error": error.detail}, dict(error.headers or {}))


async def _misfit(request: Request, error: ConfigError) -> Response:
    return _json(400, {"error": str(error)})


async def _failed(request: Request, error: Exception) -> Response:
    """A defect: what the generator does wrong is told, anything else is in the log alone."""
    return _json(500, {"error": str(error) if isinstance(error, GanflowError) else "the service failed"})
