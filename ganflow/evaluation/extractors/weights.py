"""Published weights of an extractor: found or downloaded once, verified, and read without running what is in them."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor, nn

from ganflow.config import project_folder
from ganflow.distributed import collectives
from ganflow.errors import ConfigError, require
from ganflow.storage import SCHEME, localize

KEY = "evaluation.extractor.weights"
SAFETENSORS = ".safetensors"
_COUNTER = "num_batches_tracked"  # of batch normalisation: training alone reads it, and some files lack it


def fetch(uri: str, expected: str, cache: Path) -> tuple[Path, str]:
    """A file of weights on this machine, and its sha256.

    Args:
        uri: a local path, which is read where it lies, or ``s3://bucket/key``, which rank 0 downloads.
        expected: what its sha256 begins with; "" is content with anything.
        cache: where a download is kept once it is verified.

    Raises:
        ConfigError: there is no such file, or it is another.
        GanflowError: the download failed.
    """
    if not uri.startswith(SCHEME):
        path = project_folder.given(uri)
        return path, _verified(path, uri, expected)
    if collectives.rank() == 0:
        _download(uri, expected, cache)
    collectives.barrier()
    return _download(uri, expected, cache)  # that ranks of another machine do for themselves


def _download(uri: str, expected: str, cache: Path) -> tuple[Path, str]:
    """A copy that is no longer the expected one is replaced."""
    cached = cache / f"weights-{hashlib.sha256(uri.encode()).hexdigest()[:12]}{PurePosixPath(uri).suffix}"
    if cached.is_file() and (digest := _sha256(cached)).startswith(expected):
        return cached, digest
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".weights-", dir=cache) as scratch:
        path = localize(uri, Path(scratch))
        digest = _verified(path, uri, expected)
        path.replace(cached)
    return cached, digest


def _verified(path: Path, uri: str, expected: str) -> str:
    require(path.is_file(), KEY, uri, "there is no such file")
    digest = _sha256(path)
    mismatch = (
        f"its sha256 begins with {digest[: max(12, len(expected))]}, not with {expected}; damaged, or another file"
    )
    require(digest.startswith(expected), KEY, uri, mismatch)
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(network: nn.Module, path: Path, uri: str) -> None:
    """Give a network that was made on the meta device the weights of a file, in float32.

    Args:
        network: takes the tensors of its own ``state_dict``.
        path: a state dict as ``torch.save`` or, by its suffix, safetensors wrote it.
        uri: what the user calls that file, for errors.

    Raises:
        ConfigError: not tensors by name, something else than tensors in it, or those of another network.
    """
    weights, wanted = _read(path, uri), network.state_dict()
    _check({k: v for k, v in weights.items() if not k.endswith(_COUNTER)}, wanted, uri)
    counter = torch.tensor(0)
    network.load_state_dict({k: counter if k.endswith(_COUNTER) else weights[k].float() for k in wanted}, assign=True)


def _read(path: Path, uri: str) -> Mapping[str, Tensor]:
    try:
        weights = _tensors(path)
    except Exception:  # what a damaged file raises has no common base
        reason = "holds more than tensors, or is damaged; a pickle that could run code is not loaded"
        raise ConfigError(KEY, uri, reason) from None
    fits = isinstance(weights, Mapping) and all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in weights.items()
    )
    require(fits, KEY, uri, "is not a state dict, tensors by the name of their parameter")
    return weights


def _tensors(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == SAFETENSORS:
        from safetensors.torch import load_file

        return load_file(path)
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _check(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], uri: str) -> None:
    """The first name that differs is told: lacking, of another shape or type, or unknown."""
    for key, tensor in wanted.items():
        if key.endswith(_COUNTER):
            continue
        require(key in weights, KEY, uri, f"is of another network: {key} is not in it")
        shape, shape_found = tuple(tensor.shape), tuple(weights[key].shape)
        require(shape == shape_found, KEY, uri, f"is of another network: {key} is {shape_found}, not {shape}")
        require(weights[key].is_floating_point(), KEY, uri, f"{key} is {weights[key].dtype}, not floating point")
    unknown = next((key for key in weights if key not in wanted), None)
    require(unknown is None, KEY, uri, f"is of another network: it has a {unknown}")
