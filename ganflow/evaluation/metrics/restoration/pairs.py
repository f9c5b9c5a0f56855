"""Restored images beside true ones: the input of metrics of restoration."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """Restored images beside those that they should be: uint8 (N, C, H, W), as they are stored."""

    restored: Tensor
    target: Tensor
    simple: Tensor  # what the simple methods of the degradations make: what a model has to beat
    hidden: Tensor | None = None  # bool (N, 1, H, W): pixels that the model was not given

    def __len__(self) -> int:
        return len(self.target)
