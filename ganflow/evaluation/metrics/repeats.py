"""Images that occur again: rows of features that are equal but for rounding."""

import numpy as np
import torch
from torch import Tensor

ROUNDING = 16  # units in the last place: batches of another size add in another order
SEED = 0  # of the direction that rows are sorted along


def distinct(x: Tensor) -> Tensor:
    """Rows (M,), in order, of x (N, F) that repeat no row before them.

    Two rows are equal if they lie no farther apart than the rounding of their type, in units of the rows' usual norm.
    """
    kept = _unequal_bits(x)
    tolerance = ROUNDING * torch.finfo(x.dtype).eps * float(x.double().square().sum(1).mean().sqrt()) if len(x) else 0.0
    place = _along_a_line(x)
    shift = 1  # equal rows are neighbours in that order, or have only equal ones between them
    while len(kept) > shift:
        order = kept[place[kept].argsort()]
        first, second = order[:-shift], order[shift:]
        near = place[second] - place[first] <= tolerance
        if not near.any():
            break
        first, second = first[near], second[near]
        equal = (x[first].double() - x[second].double()).norm(dim=1) <= tolerance
        repeats = torch.maximum(first, second)[equal]
        kept, shift = (kept[~torch.isin(kept, repeats)], 1) if len(repeats) else (kept, shift + 1)
    return kept.sort().values


def _unequal_bits(x: Tensor) -> Tensor:
    """The first row of each kind, (M,): most repeats are found by this alone, however many there are."""
    seen: dict[bytes, int] = {}
    for i, row in enumerate((x + 0.0).cpu().numpy()):  # + 0.0 makes one of the two zeros
        seen.setdefault(row.tobytes(), i)
    return torch.tensor(list(seen.values()), dtype=torch.long, device=x.device)


def _along_a_line(x: Tensor) -> Tensor:
    """Where each row lies along a direction of unit length: (N,). No two are farther apart there than they are."""
    direction = np.random.default_rng(SEED).normal(size=x.shape[1])
    return x.double() @ torch.from_numpy(direction / np.linalg.norm(direction)).to(x.device)
