"""A CUDA device that only has shapes, on a build of torch for CPUs: it shows what a GPU would refuse.

Tensors are fake (:mod:`torch._subclasses.fake_tensor`): they have a shape, a type and a device, and no values. So a
tensor on the wrong device, a type that does not fit, and a wait for the device (a value that the host reads) are
errors. Nothing is said of values, speed, streams, NCCL or memory.

:func:`load` comes before torch is imported, so this is for processes of its own.
"""

import contextlib
import ctypes
import functools
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

MEMORY = 80 << 30
SOURCE = Path(__file__).with_name("device.cpp")


def load() -> None:
    """Let torch, which is not loaded yet, have the device. It is compiled once; that needs ``g++``."""
    assert "torch" not in sys.modules
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    torch = Path(spec.origin).parent
    version = (torch / "version.py").read_bytes()
    name = hashlib.sha256(SOURCE.read_bytes() + version).hexdigest()[:12]
    library = Path(sys.prefix, "cuda-shapes", f"{name}.so")
    if not library.exists():
        _compile(torch, library)
    for file in (torch / "lib/libc10.so", torch / "lib/libtorch_cpu.so", library):
        ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)


def _compile(torch: Path, library: Path) -> None:
    assert shutil.which("g++"), "the shapes-only device is compiled: apt install g++, as `make servers` does"
    library.parent.mkdir(exist_ok=True)
    made = library.with_suffix(".new")
    folders = [f"-I{torch}/include", f"-I{torch}/include/torch/csrc/api/include", f"-L{torch}/lib"]
    options = ["-std=c++20", "-O0", "-fPIC", "-shared", *folders]
    subprocess.run(["g++", *options, str(SOURCE), "-o", str(made), "-lc10", "-ltorch_cpu"], check=True)
    made.replace(library)


@contextlib.contextmanager
def only_shapes() -> Iterator[None]:
    """In the block all new tensors are fake."""
    import torch
    from torch import nn
    from torch._subclasses.fake_tensor import FakeTensorMode

    from ganflow.distributed import host_arrays

    mode = _mode()
    with contextlib.ExitStack() as stack:
        for place, name, value in (
            (torch.cuda, "is_available", lambda: True),
            (torch.cuda, "is_bf16_supported", lambda **options: True),
            (torch.cuda, "mem_get_info", lambda device: (MEMORY, MEMORY)),
            (torch.cuda, "default_generators", (torch.default_generator,)),
            (torch, "from_numpy", _fake(mode, torch.from_numpy)),
            (host_arrays, "_memory", lambda size, device: torch.empty(size, dtype=torch.uint8)),
            (host_arrays, "_sent", lambda memory, device: mode.from_tensor(memory).to(device)),
            (torch, "tensor", _on_its_way(torch.tensor)),
            (nn.Module, "to", _move),
            (FakeTensorMode, "__deepcopy__", lambda self, memo: self),
            (FakeTensorMode, "may_turn_const", lambda self, tensor: False),  # values that are known would be computed
        ):
            stack.enter_context(patch.object(place, name, value, create=True))
        stack.enter_context(mode)
        yield


@contextlib.contextmanager
def values_made_up() -> Iterator[None]:
    """In the block the host may wait for the device: it reads zeros, and all is true."""
    import numpy as np
    from torch import Tensor

    with (
        patch.object(Tensor, "item", lambda self: 0.0),
        patch.object(Tensor, "__bool__", lambda self: True),
        patch.object(Tensor, "tolist", lambda self: np.zeros(self.shape).tolist()),
    ):
        yield


@functools.cache
def _mode() -> Any:
    """One for all blocks: tensors that the code keeps from one to the next would not mix."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode()


def _fake(mode: Any, real: Any) -> Any:
    return lambda array: mode.from_tensor(real(array))


def _on_its_way(real: Any) -> Any:
    """``torch.tensor`` that gets to the device by a copy, as it does; the device does not see it otherwise."""
    return lambda data, *, dtype=None, device=None: real(data, dtype=dtype).to(device or "cpu")


def _move(self: Any, device: Any) -> Any:
    """``nn.Module.to`` that makes parameters anew: those there are may not change their device while they are fake."""
    from torch import nn

    for module in self.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(parameter.detach().to(device), parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = buffer.to(device)
    return self
