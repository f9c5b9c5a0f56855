"""Small matrices along an axis of images."""

from torch import Tensor


def along(dim: int, matrix: Tensor, values: Tensor) -> Tensor:
    """The product of a matrix (M, K) and every vector of K values along an axis, which has M values then.

    The terms are added one after the other, in float32 on any device: a matrix product adds in an order that depends on
    the size of the batch, and an image is to have the same bits in every batch.
    """
    column = (-1, *[1] * (values.dim() - dim - 1))
    first, *others = (matrix[:, k].view(column) * values.narrow(dim, k, 1) for k in range(matrix.shape[1]))
    for term in others:
        first = first + term
    return first
