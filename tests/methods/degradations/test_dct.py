import numpy as np
import pytest
import scipy.fft
import torch

from ganflow.methods.degradations.dct import cosines


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
def test_it_is_scipy_s_orthonormal_transform(size: int) -> None:
    waves = cosines(size, torch.device("cpu")).numpy()
    np.testing.assert_allclose(waves, scipy.fft.dct(np.eye(size), norm="ortho", axis=0), rtol=0, atol=1e-7)
    np.testing.assert_allclose(waves @ waves.T, np.eye(size), rtol=0, atol=1e-6)
