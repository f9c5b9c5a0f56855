"""The part of `ganflow doctor` that runs on every node, as an actor."""

import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import ganflow
from ganflow.errors import GanflowError
from ganflow.storage import MissingError, open_storage

COMMAND_S = 60.0

# In a process of its own: torch would keep a part of the GPU, and Ray hides GPUs from who asked for none.
_TORCH = """
import json, torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "gpus": names}))
"""


@dataclass(frozen=True)
class NodeFacts:
    """A machine as Python there sees it."""

    host: str
    python: str
    ray: str
    torch: str
    cuda: str | None  # that torch was built for
    gpus: list[str]
    gpu_driver: str | None
    code: str  # digest of the package that is imported
    place: str  # where it is imported from
    free: int  # bytes at the cache
    cache_fault: str | None


def facts(cache: str) -> NodeFacts:
    """Look around here."""
    torch = _torch()
    free, fault = _cache(Path(cache).expanduser())
    return NodeFacts(
        socket.gethostname(), platform.python_version(), metadata.version("ray"), torch["torch"], torch["cuda"],
        torch["gpus"], _gpu_driver(), code(), str(Path(ganflow.__file__).parent), free, fault,
    )  # fmt: skip


def code() -> str:
    """A digest of ganflow's sources as they are imported here."""
    root = Path(ganflow.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _torch() -> dict[str, Any]:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    env = {name: value for name, value in os.environ.items() if not (hidden and name == "CUDA_VISIBLE_DEVICES")}
    output = _run([sys.executable, "-c", _TORCH], env)
    versions: dict[str, Any] = json.loads(output) if output else {"torch": "none", "cuda": None, "gpus": []}
    return versions


def _gpu_driver() -> str | None:
    output = _run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], dict(os.environ))
    return output.splitlines()[0].strip() if output else None


def _run(command: list[str], env: dict[str, str]) -> str | None:
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=COMMAND_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cache(path: Path) -> tuple[int, str | None]:
    """Free bytes where the cache is or will be, and why nothing can be written there."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    fault = None if os.access(existing, os.W_OK) else f"{existing} cannot be written to"
    return shutil.disk_usage(existing).free, fault


def try_storage(place: str, name: str, shared: str) -> tuple[float, str | None]:
    """Read what the driver wrote, then write, read and remove a file. Seconds of that, and what is wrong."""
    start = time.monotonic()
    try:
        storage = open_storage(place)
        storage.read(shared)
        storage.write(name, name.encode())
        intact = storage.read(name) == name.encode()
        storage.remove(name)
    except MissingError:
        return 0.0, f"cluster.storage={place}: it does not see what the driver wrote there; name a place that all share"
    except GanflowError as error:
        return 0.0, str(error)
    return time.monotonic() - start, None if intact else f"cluster.storage={place}: it gives back other bytes"


class Probe:
    """An actor on a node."""

    def clock(self) -> float:
        return time.time()

    def facts(self, cache: str) -> NodeFacts:
        return facts(cache)

    def try_storage(self, place: str, name: str, shared: str) -> tuple[float, str | None]:
        return try_storage(place, name, shared)

    def execute(self, function: Callable[..., object], *arguments: object) -> object:
        return function(*arguments)
