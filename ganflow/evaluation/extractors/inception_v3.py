"""The network behind FID: Inception-v3 (Szegedy et al., 2016) as TensorFlow published it on 2015-12-05.

It is not torchvision's: it has 1008 outputs, it pools differently in places, and it takes images that TensorFlow 1
has resized. Parameters bear the names of the public PyTorch weights ``pt_inception-2015-12-05-6726825d.pth``, which
torch-fidelity and pytorch-fid read; a figure compares with published ones only when all of this is the same.

N images, C channels, H×W pixels.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, linear, max_pool2d, relu

RESOLUTION = 299  # that the network was trained at
FEATURES = 2048
OUTPUTS = 1008  # ImageNet's 1000 classes, and eight that stand for nothing

Kernel = tuple[int, int]
Pool = Callable[[Tensor], Tensor]

# TensorFlow's "SAME" average divides by the pixels that are there, not by nine.
_mean3: Pool = partial(avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)
_max3: Pool = partial(max_pool2d, kernel_size=3, stride=1, padding=1)
_halve: Pool = partial(max_pool2d, kernel_size=3, stride=2)


class Convolution(nn.Module):
    """A convolution without bias, batch normalisation and ReLU; strided ones are not padded ("VALID")."""

    def __init__(
        self, before: int, after: int, kernel: Kernel = (1, 1), stride: int = 1, padded: bool | None = None
    ) -> None:
        super().__init__()
        pad = stride == 1 if padded is None else padded
        padding = (kernel[0] // 2, kernel[1] // 2) if pad else (0, 0)
        self.conv = nn.Conv2d(before, after, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)), inplace=True)


class MixedA(nn.Module):
    """At 35×35: 1×1, 5×5, twice 3×3, and a pool (figure 5 of the paper). 224 + ``pooled`` channels leave it."""

    def __init__(self, before: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(before, 64)
        self.branch5x5_1 = Convolution(before, 48)
        self.branch5x5_2 = Convolution(48, 64, (5, 5))
        self.branch3x3dbl_1 = Convolution(before, 64)
        self.branch3x3dbl_2 = Convolution(64, 96, (3, 3))
        self.branch3x3dbl_3 = Convolution(96, 96, (3, 3))
        self.branch_pool = Convolution(before, pooled)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(_mean3(x))], 1)


class ReductionB(nn.Module):
    """From 35×35 to 17×17; 480 channels more leave it than enter."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(before, 384, (3, 3), stride=2)
        self.branch3x3dbl_1 = Convolution(before, 64)
        self.branch3x3dbl_2 = Convolution(64, 96, (3, 3))
        self.branch3x3dbl_3 = Convolution(96, 96, (3, 3), stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, _halve(x)], 1)


class MixedC(nn.Module):
    """At 17×17: 7×7 taken apart into 1×7 and 7×1, once and twice (figure 6). 768 channels leave it."""

    def __init__(self, before: int, inner: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(before, 192)
        self.branch7x7_1 = Convolution(before, inner)
        self.branch7x7_2 = Convolution(inner, inner, (1, 7))
        self.branch7x7_3 = Convolution(inner, 192, (7, 1))
        self.branch7x7dbl_1 = Convolution(before, inner)
        self.branch7x7dbl_2 = Convolution(inner, inner, (7, 1))
        self.branch7x7dbl_3 = Convolution(inner, inner, (1, 7))
        self.branch7x7dbl_4 = Convolution(inner, inner, (7, 1))
        self.branch7x7dbl_5 = Convolution(inner, 192, (1, 7))
        self.branch_pool = Convolution(before, 192)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_mean3(x))], 1)


class ReductionD(nn.Module):
    """From 17×17 to 8×8; 512 channels more leave it than enter."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(before, 192)
        self.branch3x3_2 = Convolution(192, 320, (3, 3), stride=2)
        self.branch7x7x3_1 = Convolution(before, 192)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1))
        self.branch7x7x3_4 = Convolution(192, 192, (3, 3), stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, _halve(x)], 1)


class MixedE(nn.Module):
    """At 8×8: 3×3 fanned out into 1×3 and 3×1 (figure 7). 2048 channels leave it."""

    def __init__(self, before: int, pool: Pool) -> None:
        super().__init__()
        self.pool = pool
        self.branch1x1 = Convolution(before, 320)
        self.branch3x3_1 = Convolution(before, 384)
        self.branch3x3_2a = Convolution(384, 384, (1, 3))
        self.branch3x3_2b = Convolution(384, 384, (3, 1))
        self.branch3x3dbl_1 = Convolution(before, 448)
        self.branch3x3dbl_2 = Convolution(448, 384, (3, 3))
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1))
        self.branch_pool = Convolution(before, 192)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        fans = [self.branch3x3_2a(once), self.branch3x3_2b(once)]
        fans += [self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)]
        return torch.cat([self.branch1x1(x), *fans, self.branch_pool(self.pool(x))], 1)


class InceptionV3(nn.Module):
    """Images with values 0 to 255, (N, 1 or 3, H, W), to features (N, 2048) and logits (N, 1008).

    The logits are without the bias of ``fc``: the authors of the Inception Score multiply the features by that layer's
    weights alone (openai/improved-gan), so every published score is made that way, torch-fidelity's included.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, (3, 3), stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, (3, 3), padded=False)
        self.Conv2d_2b_3x3 = Convolution(32, 64, (3, 3))
        self.Conv2d_3b_1x1 = Convolution(64, 80)
        self.Conv2d_4a_3x3 = Convolution(80, 192, (3, 3), padded=False)
        self.Mixed_5b = MixedA(192, pooled=32)
        self.Mixed_5c = MixedA(256, pooled=64)
        self.Mixed_5d = MixedA(288, pooled=64)
        self.Mixed_6a = ReductionB(288)
        self.Mixed_6b = MixedC(768, inner=128)
        self.Mixed_6c = MixedC(768, inner=160)
        self.Mixed_6d = MixedC(768, inner=160)
        self.Mixed_6e = MixedC(768, inner=192)
        self.Mixed_7a = ReductionD(768)
        self.Mixed_7b = MixedE(1280, _mean3)
        self.Mixed_7c = MixedE(FEATURES, _max3)  # an average in the paper, but not in what was published
        self.fc = nn.Linear(FEATURES, OUTPUTS)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self._stem((resize(images.float()) - 128) / 128)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # (N, 288, 35, 35)
        x = self.Mixed_6a(x)
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))  # (N, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (N, 2048, 8, 8)
        features = x.mean((2, 3))
        return features, linear(features, self.fc.weight)

    def _stem(self, x: Tensor) -> Tensor:
        """(N, 1 or 3, 299, 299) to (N, 192, 35, 35)."""
        x = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)  # a quarter faster on CPUs
        x = _halve(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        return _halve(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))


def resize(images: Tensor, side: int = RESOLUTION) -> Tensor:
    """Bilinear resize of float images (N, C, H, W) as TensorFlow 1 does it with ``align_corners=False``.

    Pixel i of the result lies at i·H/``side`` of the image, with no half-pixel centres; nothing is smoothed before
    an image becomes smaller. ``torch.nn.functional.interpolate`` has no mode for that.
    """
    return _interpolate(_interpolate(images, 3, side), 2, side)


def _interpolate(x: Tensor, dim: int, side: int) -> Tensor:
    size = x.shape[dim]
    # TensorFlow rounds the factor to float32 first, and so do its places.
    position = torch.arange(side, device=x.device, dtype=torch.float32) * torch.tensor(size / side, dtype=torch.float32)
    low = position.long()
    high = (low + 1).clamp(max=size - 1)
    share = (position - low).view(-1, *[1] * (x.ndim - 1 - dim))
    below, above = x.index_select(dim, low), x.index_select(dim, high)
    return below + (above - below) * share
