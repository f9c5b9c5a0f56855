"""StyleGAN2 (Karras et al., 2020a) with the configurations of StyleGAN2-ADA (Karras et al., 2020b), in plain torch.

ADA's "auto" below 512 pixels is the default; from 512 on it sets ``halve_after=64``. Its "cifar" sets
``architecture=orig mbstd_group=32``; the paper's networks have ``mapping_layers=8``.

Shapes: z (N, latent_dim); w (N, w_dim); ws (N, num_ws, w_dim), a row for each modulated layer; maps (N, C, H, W).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.networks.base import Discriminator
from ganflow.methods.networks.layers.equalised import (
    GAIN,
    EqualConv2d,
    EqualLinear,
    ScaledLayer,
    leaky_relu,
    normalise_equalised,
)
from ganflow.methods.networks.layers.minibatch_deviation import MinibatchDeviation
from ganflow.methods.networks.layers.pyramid import Blur, Downsample, Upsample, stages

START = 4
W_DECAY = 0.995  # of the running mean of w, per training forward
EPSILON = 1e-8
NO_CLAMP = "must not be negative; 0 leaves activations as they are"


class Mapping(nn.Module):
    """z and the class's embedding, both of unit second moment, through dense layers that learn 100 times slower."""

    def __init__(self, latent_dim: int, num_classes: int, features: int, layers: int) -> None:
        super().__init__()
        require(layers > 0, "mapping_layers", layers, "must be more than 0")
        self.num_classes = num_classes
        self.embedding = EqualLinear(num_classes, features) if num_classes else None
        first = latent_dim + (features if num_classes else 0)
        widths = [first, *[features] * (layers - 1)]
        self.layers = nn.ModuleList(EqualLinear(width, features, rate=0.01, gain=GAIN) for width in widths)

    def forward(self, z: Tensor | None, labels: Tensor | None) -> Tensor:
        parts = [] if z is None else [_normalised(z)]
        if self.embedding is not None and labels is not None:
            one_hot = F.one_hot(labels, self.num_classes).to(self.embedding.weight.dtype)
            parts.append(_normalised(self.embedding(one_hot)))
        w = torch.cat(parts, dim=1)
        for layer in self.layers:
            w = leaky_relu(layer(w))
        return w


def limited(x: Tensor, clamp: float) -> Tensor:
    """Values within ±clamp, as StyleGAN2-ADA's ``conv_clamp`` has them for float16; 0 leaves them as they are."""
    return x.clamp(-clamp, clamp) if clamp else x


def _normalised(x: Tensor) -> Tensor:
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


class ModulatedConv(ScaledLayer):
    """A convolution by each image's own kernel, ``w″ = s·w / √(Σ (s·w)² + ε)`` with s affine in w (eq. 1 and 3).

    It scales the maps before and after it instead of the kernel, which is the same, and all images share one kernel.
    ``gain`` multiplies what is demodulated, and the bias.
    """

    def __init__(
        self,
        before: int,
        after: int,
        w_dim: int,
        kernel: int = 3,
        demodulate: bool = True,
        up: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.style = EqualLinear(w_dim, before, bias=1.0)
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after))
        self.factors = {"weight": 1 / math.sqrt(before * kernel**2), "bias": gain}
        self.padding, self.demodulate, self.gain = kernel // 2, demodulate, gain
        self.blur = Blur(padding=1, gain=4.0) if up else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        s, weight = self.style(w), self.scaled("weight")
        x = x * s[:, :, None, None]
        if self.blur is None:
            y = F.conv2d(x, weight, padding=self.padding)
        else:
            y = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        if self.demodulate:
            exact = weight.to(torch.promote_types(weight.dtype, torch.float32))
            norm = F.linear(s.square(), exact.square().sum((2, 3)))  # Σ over inputs and taps, (N, after)
            y = y * (self.gain * (norm + EPSILON).rsqrt())[:, :, None, None].to(y.dtype)
        return y + self.scaled("bias")[:, None, None].to(y.dtype)


class StyledConv(ScaledLayer):
    """A modulated convolution, noise of learned strength, LeakyReLU.

    The noise is what is given (N, side²), else new in training and constant in eval.
    """

    noise: Tensor

    def __init__(self, before: int, after: int, w_dim: int, side: int, up: bool, clamp: float = 0.0) -> None:
        super().__init__()
        self.clamp = clamp
        self.conv, self.factors = ModulatedConv(before, after, w_dim, up=up, gain=GAIN), {"strength": GAIN}
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(side, side))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        y: Tensor = self.conv(x, w)
        if noise is not None:
            noise = noise.view(len(y), 1, *self.noise.shape)
        elif self.training:
            noise = self.noise.new_empty(len(y), 1, *self.noise.shape).normal_()
        else:
            noise = self.noise
        return limited(leaky_relu(y + (noise * self.scaled("strength")).to(y.dtype)), self.clamp)


@component("generator", "stylegan2")
class StyleGAN2Generator(nn.Module):
    """Mapping, then a learned 4×4 map doubled stage by stage, whose RGB outputs add up (skip). The output is linear.

    Stages have ``width`` channels up to ``halve_after`` pixels; each doubling beyond halves them. ``style_mixing`` is
    the chance that a training forward takes its later layers' w from a second z. ``noise_size`` counts the pixels of
    the noise that all layers of an image take. What a convolution makes is kept within ±``clamp`` where that is not 0;
    StyleGAN2-ADA's authors have 256.
    """

    has_w = True
    w_avg: Tensor

    def __init__(
        self,
        latent_dim: int,
        resolution: int,
        channels: int,
        num_classes: int,
        width: int = 512,
        halve_after: int = 32,
        w_dim: int = 512,
        mapping_layers: int = 2,
        style_mixing: float = 0.0,
        clamp: float = 0.0,
    ) -> None:
        super().__init__()
        require(clamp >= 0, "clamp", clamp, NO_CLAMP)
        require(w_dim > 0, "w_dim", w_dim, "must be more than 0")
        require(0 <= style_mixing <= 1, "style_mixing", style_mixing, "a probability, 0 to 1")
        first, *rest = stages("stylegan2", resolution, (START,), width, halve_after)
        self.style_mixing, self.clamp = style_mixing, clamp
        self.mapping = Mapping(latent_dim, num_classes, w_dim, mapping_layers)
        self.register_buffer("w_avg", torch.zeros(w_dim))
        before = first[1]
        self.start = nn.Parameter(torch.randn(before, START, START))
        convs = [StyledConv(before, before, w_dim, START, up=False, clamp=clamp)]
        outputs = [ModulatedConv(before, channels, w_dim, kernel=1, demodulate=False)]
        for side, after in rest:
            convs.append(StyledConv(before, after, w_dim, side, up=True, clamp=clamp))
            convs.append(StyledConv(after, after, w_dim, side, up=False, clamp=clamp))
            outputs += [ModulatedConv(after, channels, w_dim, kernel=1, demodulate=False)]
            before = after
        self.convs, self.outputs = nn.ModuleList(convs), nn.ModuleList(outputs)
        self.upsample = Upsample()
        self.num_ws = len(convs) + 1
        self._pixels = [conv.noise.numel() for conv in convs]
        self.noise_size = sum(self._pixels)

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        return_w: bool = False,
        truncation: float = 1.0,
        noise: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Images (N, channels, R, R); with ``return_w`` also the ws (N, num_ws, w_dim) that they depend on.

        ``noise`` (N, noise_size), from N(0, 1), takes the place of the layers' own. ``truncation`` is ψ of
        ``w′ = w̄ + ψ(w − w̄)`` (Karras et al., 2019, appendix B); w̄ is the mean over all classes.
        """
        ws = self._ws(z, labels)
        if truncation != 1:
            ws = self.w_avg.lerp(ws, truncation)
        images = self._synthesise(ws, noise)
        return (images, ws) if return_w else images

    def _ws(self, z: Tensor, labels: Tensor | None) -> Tensor:
        w: Tensor = self.mapping(z, labels)
        ws = w[:, None].expand(-1, self.num_ws, -1)
        if not self.training:
            return ws
        with torch.no_grad():
            self.w_avg.lerp_(w.mean(0).to(self.w_avg.dtype), 1 - W_DECAY)
        return self._mixed(ws, z, labels) if self.style_mixing else ws

    def _mixed(self, ws: Tensor, z: Tensor, labels: Tensor | None) -> Tensor:
        """Later layers' w from a second z, or none's: decided on the device, which the host would wait for."""
        layers = torch.arange(self.num_ws, device=z.device)
        first = torch.randint(1, self.num_ws, (), device=z.device)
        mixes = torch.rand((), device=z.device) < self.style_mixing
        other = self.mapping(torch.randn_like(z), labels)
        return torch.where((mixes & (layers >= first))[:, None], other[:, None], ws)

    def _synthesise(self, ws: Tensor, noise: Tensor | None = None) -> Tensor:
        """A stage's two convolutions take a row of ws each; its output shares the row of the next stage's first."""
        maps = self._maps(noise)
        x: Tensor = self.convs[0](self.start.expand(len(ws), -1, -1, -1), ws[:, 0], maps[0])
        images = limited(self.outputs[0](x, ws[:, 1]), self.clamp)
        for i in range(1, len(self.outputs)):
            x = self.convs[2 * i - 1](x, ws[:, 2 * i - 1], maps[2 * i - 1])
            x = self.convs[2 * i](x, ws[:, 2 * i], maps[2 * i])
            images = self.upsample(images) + limited(self.outputs[i](x, ws[:, 2 * i + 1]), self.clamp)
        return images

    def _maps(self, noise: Tensor | None) -> Sequence[Tensor | None]:
        """Each convolution's noise (N, side²), in their order."""
        return [None] * len(self.convs) if noise is None else list(noise.split(self._pixels, dim=1))


class ResidualDown(nn.Module):
    """Two convolutions, the second of which halves the map; ``residual`` adds a 1×1 path beside them."""

    def __init__(self, before: int, after: int, residual: bool, clamp: float = 0.0) -> None:
        super().__init__()
        half = math.sqrt(0.5) if residual else 1.0  # of the sum of two paths
        self.clamp, self.clamp_down = clamp, clamp * half
        self.conv = EqualConv2d(before, before, 3, gain=GAIN)
        self.blur, self.down = Blur(padding=2), EqualConv2d(before, after, 3, stride=2, gain=half * GAIN)
        shortcut = EqualConv2d(before, after, 1, bias=False, gain=half)
        self.shortcut = nn.Sequential(Downsample(), shortcut) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.blur(limited(leaky_relu(self.conv(x)), self.clamp))
        y = limited(leaky_relu(self.down(y)), self.clamp_down)
        return y if self.shortcut is None else y + self.shortcut(x)


@component("discriminator", "stylegan2")
class StyleGAN2Discriminator(Discriminator):
    """Blocks that halve the map down to 4×4, the deviation within the batch (``mbstd_group`` 0: none), two layers.

    ``projection`` is ADA's: the inner product of the features with the class's own mapping, and nothing beside it.
    ``spectral_norm`` takes the place of equalised learning rates, ``clamp`` is as in the generator.
    """

    def __init__(
        self,
        resolution: int,
        channels: int,
        num_classes: int,
        conditioning: str,
        width: int = 512,
        halve_after: int = 32,
        architecture: str = "resnet",
        mbstd_group: int = 4,
        mapping_layers: int = 8,
        spectral_norm: bool = False,
        clamp: float = 0.0,
    ) -> None:
        super().__init__()
        require(clamp >= 0, "clamp", clamp, NO_CLAMP)
        require(architecture in ("resnet", "orig"), "architecture", architecture, "one of resnet, orig")
        require(mbstd_group >= 0, "mbstd_group", mbstd_group, "must not be negative; 0 leaves it out")
        widths = [width for _, width in reversed(stages("stylegan2", resolution, (START,), width, halve_after))]
        last, extra = widths[-1], 1 if mbstd_group else 0
        self.mapping = Mapping(0, num_classes, last, mapping_layers) if conditioning == "projection" else None
        self.squeeze = conditioning != "auxiliary"
        self.from_rgb = EqualConv2d(channels, widths[0], 1, gain=GAIN)
        residual, self.clamp = architecture == "resnet", clamp
        self.blocks = nn.Sequential(*(ResidualDown(a, b, residual, clamp) for a, b in pairwise(widths)))
        self.deviation = MinibatchDeviation(mbstd_group) if mbstd_group else nn.Identity()
        self.conv = EqualConv2d(last + extra, last, 3, gain=GAIN)
        self.dense = EqualLinear(last * START**2, last, gain=GAIN)
        outputs = {"projection": last, "auxiliary": 1 + num_classes}
        self.out = EqualLinear(last, outputs.get(conditioning, 1))
        if spectral_norm:
            normalise_equalised(self)

    @property
    def heads(self) -> list[nn.Module]:
        return [self.out]

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.blocks(limited(leaky_relu(self.from_rgb(images)), self.clamp))
        x = limited(leaky_relu(self.conv(self.deviation(x))), self.clamp)
        h: Tensor = self.out(leaky_relu(self.dense(x.flatten(1))))
        if self.mapping is not None:
            h = (h * self.mapping(None, labels)).sum(1, keepdim=True) / math.sqrt(h.shape[1])
        return h.squeeze(1) if self.squeeze else h
