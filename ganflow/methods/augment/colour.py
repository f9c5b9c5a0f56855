"""Affine transforms of colours about the grey axis."""

import math

from torch import Tensor


def recolour(
    images: Tensor, brightness: Tensor, contrast: Tensor, flip: Tensor, hue: Tensor, saturation: Tensor
) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation of images (N, C, H, W), in this order.

    The product of the 4×4 matrices of Karras et al. (2020, appendix B), multiplied out. With the grey axis
    ``v = (1, 1, 1)/√3``, the luma ``m = v·vᵀx``, and ``f = ±1`` for the flip:
    ``c · (f·(m + b) + s·R(θ)(x − m)) = c · (s·cosθ·x + (f − s·cosθ)·m + s·sinθ·(v × x) + f·b)``.
    Hue and saturation need red, green and blue: they are left out for any other number of channels.

    Shapes: all (N,); brightness is added, contrast and saturation are factors, flip 0 or 1, hue in radians.
    """
    b, c, i, theta, s = (value.view(-1, 1, 1, 1) for value in (brightness, contrast, flip, hue, saturation))
    f, luma = 1 - 2 * i, images.mean(1, keepdim=True)
    if images.shape[1] != 3:
        return c * (images + (f - 1) * luma + f * b)
    scale = s * theta.cos()
    across = (images.roll(1, 1) - images.roll(-1, 1)) / math.sqrt(3)  # v × x
    return c * (scale * images + (f - scale) * luma + s * theta.sin() * across + f * b)
