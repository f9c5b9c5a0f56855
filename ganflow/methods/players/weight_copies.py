"""Copies of weights in bf16, made once for a turn in which a network computes in it by autocast.

Autocast makes a copy of each weight for each layer that asks for it; a layer with an equalised learning rate makes a
product before. Here all weights of a network are multiplied and copied together, by a few kernels, and so are their
gradients on the way back. Layers compute the same to the bit (StyleGAN2's demodulation divides by the norm of weights
as they were rounded). Where a network is called several times in a turn, its gradients are added in bf16, as autocast
has it with the copies that it keeps.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ganflow.methods.networks.layers.equalised import ScaledLayer
from ganflow.methods.networks.layers.resampled_conv import DoublingConv2d, HalvingConv2d

AUTOCAST = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
COMBINING = (DoublingConv2d, HalvingConv2d)  # they copy what they have made of their weights
GROUP_BYTES = 25 << 20  # of weights that are copied together: DDP averages as much at once, while backward goes on


class _Slot(NamedTuple):
    """The place of a parameter in its layer, and what the layer multiplies it by."""

    layer: nn.Module
    name: str
    factor: float

    def parameter(self) -> nn.Parameter:
        parameter = self.layer._parameters[self.name]
        assert parameter is not None
        return parameter


class WeightCopies:
    """Of a network's parameters that autocast would copy or a layer multiply. A weight that is computed is none."""

    def __init__(self, network: nn.Module) -> None:
        self._slots = [slot for layer in network.modules() for slot in _slots(layer)]
        self._scaled = [layer for layer in network.modules() if isinstance(layer, ScaledLayer)]

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """In the block, layers find copies in the places of their parameters, which get the gradients."""
        parameters = [slot.parameter() for slot in self._slots]
        try:
            for group in _groups(parameters):
                self._put(group, _copies(parameters[group], [slot.factor for slot in self._slots[group]]))
            self._hold_scaled(True)
            yield
        finally:
            self._put(slice(None), parameters)
            self._hold_scaled(False)

    def _put(self, group: slice, tensors: Sequence[Tensor]) -> None:
        for slot, tensor in zip(self._slots[group], tensors, strict=True):
            slot.layer._parameters[slot.name] = tensor  # type: ignore[assignment]

    def _hold_scaled(self, flag: bool) -> None:
        for layer in self._scaled:
            layer.holds_scaled = flag


def _slots(layer: nn.Module) -> Iterator[_Slot]:
    factors = layer.factors if isinstance(layer, ScaledLayer) else {}
    copied = [name for name in layer._parameters if not (name == "weight" and isinstance(layer, COMBINING))]
    for name in copied if isinstance(layer, AUTOCAST) else factors:
        if layer._parameters.get(name) is not None:
            yield _Slot(layer, name, factors.get(name, 1.0))


def _groups(parameters: Sequence[Tensor]) -> Iterator[slice]:
    start = size = 0
    for index, parameter in enumerate(parameters):
        size += parameter.nbytes
        if size >= GROUP_BYTES or index == len(parameters) - 1:
            yield slice(start, index + 1)
            start, size = index + 1, 0


def _copies(parameters: Sequence[Tensor], factors: Sequence[float]) -> Sequence[Tensor]:
    copies: Sequence[Tensor] = _Copies.apply(factors, *parameters)  # type: ignore[no-untyped-call]
    return copies


class _Copies(torch.autograd.Function):
    """bf16 copies of float32 parameters times factors."""

    @staticmethod
    def forward(ctx: Any, factors: Sequence[float], *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.factors = factors
        ctx.set_materialize_grads(False)
        return tuple(_cast(_multiplied(parameters, factors), torch.bfloat16))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        arrived = [(slope, factor) for slope, factor in zip(slopes, ctx.factors, strict=True) if slope is not None]
        wide = _cast([slope for slope, _ in arrived], torch.float32)
        gradients = iter(_multiplied(wide, [factor for _, factor in arrived]))
        return None, *(None if slope is None else next(gradients) for slope in slopes)


def _multiplied(tensors: Sequence[Tensor], factors: Sequence[float]) -> list[Tensor]:
    """Each tensor times its factor, by one kernel for all whose factor is not 1."""
    products = list(tensors)
    others = [index for index, factor in enumerate(factors) if factor != 1]
    if others:
        made = torch._foreach_mul([products[i] for i in others], [factors[i] for i in others])
        for index, product in zip(others, made, strict=True):
            products[index] = product
    return products


def _cast(tensors: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Copies of another type, by one kernel for all."""
    copies = [torch.empty_like(tensor, dtype=dtype) for tensor in tensors]
    if copies:
        torch._foreach_copy_(copies, list(tensors))
    return copies
