"""The deviation within a batch, as a map beside the others (Karras et al., 2018, section 3)."""

import torch
from torch import Tensor, nn

EPSILON = 1e-8


class MinibatchDeviation(nn.Module):
    """One more map: how far a group of images differs (Karras et al., 2018): (N, C, H, W) → (N, C + 1, H, W).

    A group is of at most ``group`` neighbours, and groups differ in size by at most one. A rank has the groups that a
    single process would form as long as ``group`` divides every rank's share of the batch.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        size, larger = divmod(len(x), -(-len(x) // self.group))
        cut = larger * (size + 1)
        parts = [_deviation(rows, n) for rows, n in ((exact[:cut], size + 1), (exact[cut:], size)) if len(rows)]
        deviation = torch.cat(parts).to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return torch.cat([x, deviation], dim=1)


def _deviation(rows: Tensor, size: int) -> Tensor:
    """The standard deviation within each image's group, averaged over channels and pixels: (rows,)."""
    grouped: Tensor = rows.unflatten(0, (-1, size))
    variance = (grouped - grouped.mean(1, keepdim=True)).square().mean(1)
    return (variance + EPSILON).sqrt().mean((1, 2, 3))[:, None].expand(-1, size).flatten()
