"""The way from a socket to the service, and its end by a signal: what is under way is answered first."""

import math
import signal
import socket
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette

from ganflow.errors import require

KEEP_ALIVE_S = 15
HEADERS = 2**14  # bytes of a request's head


def bind(host: str, port: int) -> socket.socket:
    """A socket of this process alone; port 0 takes a free one.

    Raises:
        ConfigError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
        # Connections inherit it. asyncio's own way passes a socket of this kind over, and head and body of an answer go
        # out apart: the body would wait 40 ms for the client's acknowledgement of the head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        require(False, "host:port", f"{host}:{port}", f"{why}; name another --port or --host")
        raise


def server(app: Starlette, grace_s: float) -> uvicorn.Server:
    """The server of a socket; when it is told to end, requests under way get ``grace_s`` seconds."""
    return uvicorn.Server(
        uvicorn.Config(
            app, http="h11", lifespan="on", log_level="error", access_log=False, server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=math.ceil(grace_s),
            h11_max_incomplete_event_size=HEADERS,
        )
    )  # fmt: skip


def listen(app: Starlette, listener: socket.socket, grace_s: float) -> None:
    """Serve on a socket of :func:`bind` until SIGTERM or SIGINT."""
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises what ended it once more when all is answered
    server(app, grace_s).run(sockets=[listener])


def url(listener: socket.socket) -> str:
    """The address that it listens on."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)
