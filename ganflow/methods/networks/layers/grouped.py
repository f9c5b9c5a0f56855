"""Convolutions in groups that stay fast when they are differentiated twice.

PyTorch takes one convolution per group in a convolution's double backward, so a gradient penalty on depthwise filters
takes thousands. Here every derivative, of any order, is again one convolution in groups (Karras et al. do likewise).

Shapes: x (N, C, H, W) and its weights as torch.nn.functional has them. Strides must fit the side without remainder.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class _Geometry(NamedTuple):
    stride: int
    padding: int
    groups: int


def conv2d(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """``torch.nn.functional.conv2d`` without a bias."""
    return _convolve(*_autocast(x, weight), _Geometry(stride, padding, groups), transposed=False)


def conv_transpose2d(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """``torch.nn.functional.conv_transpose2d`` without a bias."""
    return _convolve(*_autocast(x, weight), _Geometry(stride, padding, groups), transposed=True)


def _autocast(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one type, which backward then meets outside of autocast."""
    kind, dtype = x.device.type, x.dtype
    if torch.is_autocast_enabled(kind) and dtype != torch.float64:
        dtype = torch.get_autocast_dtype(kind)
    return x.to(dtype), weight.to(dtype)


def _convolve(x: Tensor, weight: Tensor, geometry: _Geometry, transposed: bool) -> Tensor:
    y: Tensor = _Convolution.apply(x, weight, geometry, transposed)  # type: ignore[no-untyped-call]
    return y


class _Convolution(torch.autograd.Function):
    """A convolution or its adjoint, the transposed convolution by the same weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: _Geometry, transposed: bool) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        ctx.geometry, ctx.transposed = geometry, transposed
        stride, padding, groups = geometry
        convolve = F.conv_transpose2d if transposed else F.conv2d
        return convolve(x, weight, stride=stride, padding=padding, groups=groups)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _convolve(slope, weight, ctx.geometry, not ctx.transposed)
        if ctx.needs_input_grad[1]:
            small, large = (x, slope) if ctx.transposed else (slope, x)
            of_weight = _WeightGradient.apply(small, large, weight.shape[2:], ctx.geometry)  # type: ignore[no-untyped-call]
        return of_x, of_weight, None, None


class _WeightGradient(torch.autograd.Function):
    """The gradient of a convolution's weights, from its input ``large`` and its output's gradient ``small``."""

    @staticmethod
    def forward(ctx: Any, small: Tensor, large: Tensor, kernel: torch.Size, geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(small, large)
        ctx.geometry = geometry
        stride, padding, groups = geometry
        weight = small.new_empty(small.shape[1], large.shape[1] // groups, *kernel)
        fixed = [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, [False, True, False]
        gradient: Tensor = torch.ops.aten.convolution_backward(small, large, weight, None, *fixed)[1]
        return gradient

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        small, large = ctx.saved_tensors
        of_small = _convolve(large, slope, ctx.geometry, False) if ctx.needs_input_grad[0] else None
        of_large = _convolve(small, slope, ctx.geometry, True) if ctx.needs_input_grad[1] else None
        return of_small, of_large, None, None
