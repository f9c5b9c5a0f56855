"""Private parts of torch 2.13, one function each: the one file to look at when torch's version moves."""

from collections.abc import Sequence

import torch
from torch import Tensor


def mark_non_finite(tensors: Sequence[Tensor], mark: Tensor, inverse_scale: Tensor) -> None:
    """Set ``mark`` (1,) to 1 if any value is infinite or not a number; leave it as it is otherwise.

    GradScaler's kernel: one pass over all tensors, a tenth of what norms take. It multiplies them by ``inverse_scale``
    (1,), which is 1 here and changes no bit.
    """
    torch._amp_foreach_non_finite_check_and_unscale_(list(tensors), mark, inverse_scale)


def lerp_all(towards: Sequence[Tensor], sources: Sequence[Tensor], weight: float) -> None:
    """Move each tensor in place by ``weight`` of the way to its source, in one kernel for all."""
    torch._foreach_lerp_(list(towards), list(sources), weight)
