import pytest
import torch

from ganflow.methods.degradations.matrix_along import along


@pytest.mark.parametrize(("dim", "letters"), [(0, "mk,kbcd->mbcd"), (1, "mk,akcd->amcd"), (3, "mk,abck->abcm")])
def test_it_is_the_matrix_product_along_the_axis(dim: int, letters: str) -> None:
    values, matrix = torch.randn(4, 4, 4, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    assert torch.allclose(along(dim, matrix, values), torch.einsum(letters, matrix, values), atol=1e-12, rtol=0)


def test_an_image_has_the_same_bits_in_every_batch() -> None:
    values, matrix = torch.randn(37, 3, 5, 7), torch.randn(3, 3)
    alone = [along(1, matrix, image) for image in values.split(1)]
    assert torch.equal(along(1, matrix, values), torch.cat(alone))
