"""Rank, world size and reductions. The only home of ``torch.distributed`` calls outside of DDP itself.

Without a process group everything here is the identity of a world of one, so callers have no special case.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganflow.distributed import torch_internals

T = TypeVar("T")

ALONE_S = 6 * 3600  # that rank 0 may work while the others wait in a barrier or for an object


def rank() -> int:
    """This process's world rank."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes in the group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(total: int) -> slice:
    """This rank's contiguous part of ``range(total)``; parts differ by at most one and leave no gap."""
    return part(total, rank(), world_size())


def part(total: int, index: int, parts: int) -> slice:
    """One of so many contiguous parts of ``range(total)``, which differ by at most one and leave no gap."""
    return slice(total * index // parts, total * (index + 1) // parts)


def mean_(tensors: Iterable[Tensor]) -> None:
    """Average each floating tensor over the ranks, in place, as one flat message per dtype."""
    tensors = list(tensors)
    if world_size() == 1:
        return
    for dtype in sorted({t.dtype for t in tensors}, key=str):
        same = [t for t in tensors if t.dtype == dtype]
        flat = torch.cat([t.detach().reshape(-1) for t in same])
        dist.all_reduce(flat)
        flat /= world_size()
        for tensor, part in zip(same, flat.split([t.numel() for t in same]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))


def gather_rows(rows: Tensor) -> Tensor:
    """Rows of all ranks in rank order, on every rank: (n_r, …) → (Σ n_r, …). The counts may differ."""
    if world_size() == 1:
        return rows
    counts = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(world_size())]
    dist.all_gather(counts, torch.tensor([rows.shape[0]], device=rows.device))
    most = int(max(int(c) for c in counts))
    padded = torch.cat([rows, rows.new_zeros(most - rows.shape[0], *rows.shape[1:])])
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    return torch.cat([part[: int(c)] for part, c in zip(parts, counts, strict=True)])


def gather_objects(mine: T) -> list[T]:
    """Every rank's small object in rank order, on every rank."""
    if world_size() == 1:
        return [mine]
    every: list[T | None] = [None] * world_size()
    dist.all_gather_object(every, mine, group=_of_hosts())
    return cast(list[T], every)


def from_rank_0(make: Callable[[], T]) -> T:
    """Return on every rank what ``make`` returns on rank 0; it is called on no other."""
    made: list[T | None] = [make() if rank() == 0 else None]
    if world_size() > 1:
        dist.broadcast_object_list(made, group=_of_hosts())
    return cast(T, made[0])


def anywhere(flag: bool, device: torch.device) -> bool:
    """True on every rank where the flag is up on any."""
    if world_size() == 1:
        return flag
    count = torch.tensor([float(flag)], device=device)
    dist.all_reduce(count)
    return bool(count.item())


def barrier() -> None:
    """Wait until every rank is here."""
    if world_size() > 1:
        dist.barrier(group=_of_hosts())


def _of_hosts() -> dist.ProcessGroup | None:
    """The group of objects and barriers; None: the one that there is.

    Beside NCCL it is one of Gloo: an object needs no GPU's memory, and a rank that waits for what rank 0 does alone,
    such as to check terabytes of data, waits longer than NCCL does.
    """
    return None if dist.get_backend() == dist.Backend.GLOO else _gloo_beside(dist.group.WORLD)


@functools.lru_cache(maxsize=1)
def _gloo_beside(group: object) -> dist.ProcessGroup:
    beside: dist.ProcessGroup = dist.new_group(backend=dist.Backend.GLOO, timeout=timedelta(seconds=ALONE_S))
    return beside


def unsynchronised(network: nn.Module) -> contextlib.AbstractContextManager[object]:
    """A block after which the gradients of :func:`data_parallel`'s result wait for a later backward to be averaged."""
    if isinstance(network, nn.parallel.DistributedDataParallel):
        return cast(contextlib.AbstractContextManager[object], network.no_sync())
    return contextlib.nullcontext()


def data_parallel(network: nn.Module) -> nn.Module:
    """The network whose backward averages gradients over the ranks; itself in a world of one.

    Buffers are not broadcast: two forwards of one network before a backward (D on real and on fake) would change
    what autograd saved (pytorch #47562). Running statistics are averaged at every checkpoint instead.
    """
    if world_size() == 1 or not any(p.requires_grad for p in network.parameters()):
        return network
    device = next(network.parameters()).device
    return torch_internals.data_parallel(
        network,
        device_ids=[device.index] if device.type == "cuda" else None,
        forward_sync_buffers=False,
        gradient_as_bucket_view=True,
        # DDP arranges its messages anew after the first backward unless it looks for unused parameters. With three
        # ranks or more sums depend on that arrangement, and a resumed run would end with other bits.
        find_unused_parameters=world_size() > 2 and device.type == "cpu",
    )
