"""Ports for servers that tests start, and start again."""

import random
import socket
from contextlib import suppress

# Above Ray's workers (to 19,999), below those that Linux gives to outgoing connections (from 32,768): nobody takes one
# by chance while its server is starting or away.
_RANGE = range(20_000, 32_768)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    chance = random.SystemRandom()
    for _ in range(1000):
        port = chance.choice(_RANGE)
        with suppress(OSError), socket.create_server((host, port)):
            return port
    raise OSError(f"no free port among {_RANGE}")
