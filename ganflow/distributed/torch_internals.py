"""Private parts of torch 2.13, one function each: the one file to look at when torch's version moves."""

import functools
import inspect
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def mark_non_finite(tensors: Sequence[Tensor], mark: Tensor, inverse_scale: Tensor) -> None:
    """Set ``mark`` (1,) to 1 if any value is infinite or not a number; leave it as it is otherwise.

    GradScaler's kernel: one pass over all tensors, a tenth of what norms take. It multiplies them by ``inverse_scale``
    (1,), which is 1 here and changes no bit.
    """
    torch._amp_foreach_non_finite_check_and_unscale_(list(tensors), mark, inverse_scale)


def lerp_all(towards: Sequence[Tensor], sources: Sequence[Tensor], weight: float) -> None:
    """Move each tensor in place by ``weight`` of the way to its source, in one kernel for all."""
    torch._foreach_lerp_(list(towards), list(sources), weight)


def leave_out_compiler() -> None:
    """Let optimizers and DDP leave out torch's compiler, which they load (1.5 s) only to say that it passes over them.

    What is compiled all the same is compiled with them in it.
    """
    lazy = torch._compile._disable_dynamo(lambda: None).__code__
    for kind in (torch.optim.Optimizer, DistributedDataParallel):
        for method in vars(kind).values():
            while (inner := getattr(method, "__wrapped__", None)) is not None:
                if getattr(method, "__code__", None) is lazy:
                    vars(inner).setdefault("__dynamo_disable", inner)
                method = inner


def data_parallel(network: nn.Module, **options: Any) -> DistributedDataParallel:
    """DDP, which asks torch's compiler for an option that is of no use without it, and would load it for that."""
    leave_out_compiler()
    if "torch._dynamo" in sys.modules:
        return DistributedDataParallel(network, **options)
    answer = SimpleNamespace(utils=SimpleNamespace(get_optimize_ddp_mode=lambda: "no_optimization"))
    vars(torch)["_dynamo"] = answer
    try:
        return DistributedDataParallel(network, **options)
    finally:
        if vars(torch).get("_dynamo") is answer:
            del vars(torch)["_dynamo"]


def step(
    optimizer: torch.optim.Optimizer,
    kind: type[torch.optim.Optimizer] | None = None,
    left_out: Tensor | None = None,
) -> None:
    """Move along the gradients, to the bit as ``optimizer.step()``, without what torch wraps around it.

    That is hooks, a range in profiles, and breaks for the compiler, which is loaded for them.

    Args:
        kind: the class whose step is taken, if not the optimizer's own.
        left_out: where this () is 1 on the device, nothing moves. Optimizers that GradScaler tells so are told, too;
            for others the host waits for the device.
    """
    takes = _bare((kind or type(optimizer)).step)
    with torch.no_grad():
        if left_out is None:
            takes(optimizer)
        elif getattr(optimizer, "_step_supports_amp_scaling", False):
            optimizer.found_inf = left_out  # type: ignore[attr-defined]
            try:
                takes(optimizer)
            finally:
                del optimizer.found_inf  # type: ignore[attr-defined]
        elif not left_out.item():
            takes(optimizer)


@functools.cache
def _bare(method: Any) -> Any:
    """A method without what torch's optimizers wrap around it; an optimizer's own decorators stay."""
    return inspect.unwrap(method, stop=lambda f: f.__code__.co_filename != inspect.getfile(torch.optim.Optimizer))
