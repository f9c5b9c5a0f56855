"""The light of pictures: brightness and contrast, which say nothing of what is in them."""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

AS_IT_IS, STANDARDISED = "as_it_is", "standardised"
LIGHTS = (AS_IT_IS, STANDARDISED)
MEAN, DEVIATION = 127.5, 36.0  # of the values of an image; what is 3.5 deviations away is black or white


def standardised(images: Bytes) -> Bytes:
    """Images (N, C, H, W), each with the mean and the deviation that all have: uint8, what is beyond is clipped.

    They are over all the values of an image, so that colours stay beside one another. An image of one value is grey.
    """
    values = images.astype(np.float64)
    mean = values.mean((1, 2, 3), keepdims=True)
    deviation = values.std((1, 2, 3), keepdims=True)
    factor = np.divide(DEVIATION, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    light: Bytes = np.clip(np.rint(MEAN + factor * (values - mean)), 0, 255).astype(np.uint8)
    return light
