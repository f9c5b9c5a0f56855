"""Spectral normalisation (Miyato et al., 2018, algorithm 1): a weight divided by its largest singular value.

A network's weights are normalised together when it is called, so that each layer costs two products and a division;
what else there is takes a few kernels for all. A weight that is looked at by itself is normalised alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

SMALLEST = 1e-12  # of what a vector is divided by


class SpectralNorm(nn.Module):
    """``W / σ``, with ``σ = uᵀWv`` by one power iteration from the last u; W is the weight as (outputs, rest).

    torch's own keeps v too, and iterates in bf16 under autocast. Here an average of weights that is given the u of the
    weights it follows gets a σ of its own.
    """

    u: Tensor

    def __init__(self, weight: Tensor, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs  # the weight's dimension of outputs
        u = torch.randn(weight.shape[outputs], dtype=weight.dtype, device=weight.device)
        self.register_buffer("u", normalize(u, dim=0))
        self.made: Tensor | None = None  # the normalised weight, while the network is being called

    def forward(self, weight: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            return self._in_plain_operations(weight)
        return _normalised([self], [weight])[0] if self.made is None else self.made

    def _in_plain_operations(self, weight: Tensor) -> Tensor:
        """In those that ONNX has, without training."""
        W = weight.transpose(0, self.outputs).flatten(1)
        Wv = W @ normalize(W.mT @ self.u, dim=0)
        return weight / torch.dot(normalize(Wv, dim=0), Wv)


KINDS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def normalise_spectrally(network: nn.Module, kinds: tuple[type[nn.Module], ...] = KINDS) -> None:
    """Parametrise the weight of every layer of these kinds; for networks that have their first weights."""
    for module in list(network.modules()):
        if isinstance(module, kinds):
            assert isinstance(module.weight, Tensor)
            norm = SpectralNorm(module.weight, 1 if isinstance(module, nn.ConvTranspose2d) else 0)
            # unsafe leaves out a trial forward, which would fail on the meta device and move u.
            parametrize.register_parametrization(module, "weight", norm, unsafe=True)
    network.register_forward_pre_hook(_normalise_all)
    network.register_forward_hook(_forget_all, always_call=True)


def _normalise_all(network: nn.Module, inputs: object) -> None:
    if torch.compiler.is_exporting():
        return
    norms, weights = zip(*_normalised_layers(network), strict=True)
    for norm, weight in zip(norms, _normalised(norms, weights), strict=True):
        norm.made = weight


def _forget_all(network: nn.Module, inputs: object, outputs: object) -> None:
    for norm, _ in _normalised_layers(network):
        norm.made = None


def _normalised_layers(network: nn.Module) -> Iterator[tuple[SpectralNorm, Tensor]]:
    for module in network.modules():
        if isinstance(module, parametrize.ParametrizationList) and isinstance(module[0], SpectralNorm):
            assert isinstance(module.original, Tensor)
            yield module[0], module.original


def _normalised(norms: Sequence[SpectralNorm], weights: Sequence[Tensor]) -> Sequence[Tensor]:
    with torch.autocast(weights[0].device.type, enabled=False):
        step = _power_iteration(norms, weights)
        if any(norm.training for norm in norms):
            # The graph holds on to the u of this forward, as several may come before a backward.
            torch._foreach_copy_([norm.u for norm in norms], step.u)
        made: Sequence[Tensor] = _Divide.apply(step, *weights)  # type: ignore[no-untyped-call]
        return made


class _Step(NamedTuple):
    """Singular vectors of each weight and its value, after a power iteration; the rest in the order of ``axes``."""

    u: tuple[Tensor, ...]
    v: tuple[Tensor, ...]
    sigma: Tensor  # (weights,)
    axes: Sequence[tuple[int, ...]]  # of each weight: its outputs' first, the others as they lie in memory


@torch.no_grad()
def _power_iteration(norms: Sequence[SpectralNorm], weights: Sequence[Tensor]) -> _Step:
    axes = [_axes(weight, norm.outputs) for norm, weight in zip(norms, weights, strict=True)]
    matrices = [_matrix(weight, order) for weight, order in zip(weights, axes, strict=True)]
    v, _ = _unit([W.mT @ norm.u for W, norm in zip(matrices, norms, strict=True)])
    u, sigma = _unit([W @ right for W, right in zip(matrices, v, strict=True)])
    return _Step(u, v, sigma, axes)


def _unit(vectors: list[Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Vectors of length 1, and the lengths that they had: uᵀWv is the length of Wv, where u is Wv made so."""
    lengths = torch.stack(torch._foreach_norm(vectors))
    sizes = [len(vector) for vector in vectors]
    return (torch.cat(vectors) / _spread(lengths.clamp_min(SMALLEST), sizes)).split(sizes), lengths


def _spread(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """Each value so many times, one after the other."""
    return torch.cat([value.expand(size) for value, size in zip(values.unbind(), sizes, strict=True)])


def _axes(weight: Tensor, outputs: int) -> tuple[int, ...]:
    others = [axis for axis in range(weight.dim()) if axis != outputs]
    return outputs, *sorted(others, key=lambda axis: -weight.stride()[axis])


def _matrix(weight: Tensor, axes: tuple[int, ...]) -> Tensor:
    return weight.permute(axes).flatten(1)


class _Divide(torch.autograd.Function):
    """Weights by their σ, which depend on them while u and v do not (eq. 12)."""

    @staticmethod
    def forward(ctx: Any, step: _Step, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.step = step
        made = tuple(weight / sigma for weight, sigma in zip(weights, step.sigma.unbind(), strict=True))
        ctx.save_for_backward(*made)
        ctx.set_materialize_grads(False)
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        used = [index for index, slope in enumerate(slopes) if slope is not None]
        gradients: list[Tensor | None] = [None] * len(slopes)
        if used:
            some = [slope for slope in slopes if slope is not None]
            step: _Step = ctx.step
            made = [ctx.saved_tensors[index] for index in used]
            along = torch.stack([product.sum() for product in torch._foreach_mul(some, made)])
            u = [step.u[index] for index in used]
            scaled = (torch.cat(u) * _spread(-along, [len(each) for each in u])).split([len(each) for each in u])
            for index, slope, left in zip(used, some, scaled, strict=True):
                order = step.axes[index]
                without = torch.addr(_matrix(slope, order), left, step.v[index])
                shape = [slope.shape[axis] for axis in order]
                back = sorted(range(len(order)), key=order.__getitem__)
                gradients[index] = (without / step.sigma[index]).view(shape).permute(back)
        return None, *gradients
