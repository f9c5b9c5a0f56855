"""Published weights of a network: found or downloaded once, verified, and read without running what is in them."""

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

SAFETENSORS = ".safetensors"
_COUNTER = "num_batches_tracked"  # of batch normalisation: training alone reads it, and some files lack it


def fetch(uri: str, expected: str, cache: Path, key: str) -> tuple[Path, str]:
    """A file of weights on this machine, and its sha256. All ranks call it together.

    Args:
        uri: a local path, which is read where it lies, or ``s3://bucket/key``, which rank 0 downloads.
        expected: what its sha256 begins with; "" is content with anything.
        cache: where a download is kept once it is verified.
        key: where the URI stands in ``params.yaml``, for errors.

    Raises:
        ConfigError: there is no such file, or it is another.
        GanflowError: the download failed.
    """
    if not uri.startswith(SCHEME):
        return find(uri, expected, key)
    if collectives.rank() == 0:
        _download(uri, expected, cache, key)
    collectives.barrier()
    return _download(uri, expected, cache, key)  # that ranks of another machine do for themselves


def find(path: str, expected: str, key: str) -> tuple[Path, str]:
    """The same of a local path, which any rank may ask for alone.

    Raises:
        ConfigError: there is no such file, or it is another.
    """
    file = project_folder.given(path)
    return file, _verified(file, path, expected, key)


def _download(uri: str, expected: str, cache: Path, key: str) -> tuple[Path, str]:
    """A copy that is no longer the expected one is replaced."""
    cached = cache / f"weights-{hashlib.sha256(uri.encode()).hexdigest()[:12]}{PurePosixPath(uri).suffix}"
    if cached.is_file() and (digest := _sha256(cached)).startswith(expected):
        return cached, digest
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".weights-", dir=cache) as scratch:
        path = localize(uri, Path(scratch))
        digest = _verified(path, uri, expected, key)
        path.replace(cached)
    return cached, digest


def _verified(path: Path, uri: str, expected: str, key: str) -> str:
    require(path.is_file(), key, uri, "there is no such file")
    digest = _sha256(path)
    mismatch = (
        f"its sha256 begins with {digest[: max(12, len(expected))]}, not with {expected}; damaged, or another file"
    )
    require(digest.startswith(expected), key, uri, mismatch)
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(network: nn.Module, path: Path, uri: str, key: str, others: bool = False) -> None:
    """Give a network that was made on the meta device the weights of a file, in float32.

    Args:
        network: takes the tensors of its own ``state_dict``.
        path: a state dict as ``torch.save`` or, by its suffix, safetensors wrote it.
        uri: what the user calls that file, for errors.
        key: where that stands in ``params.yaml``, for errors.
        others: the file may hold other tensors too, of which nothing is taken.

    Raises:
        ConfigError: not tensors by name, something else than tensors in it, or those of another network.
    """
    weights, wanted = _read(path, uri, key), network.state_dict()
    chosen = {k: v for k, v in weights.items() if not k.endswith(_COUNTER) and (k in wanted or not others)}
    _check(chosen, wanted, uri, key)
    counter = torch.tensor(0)
    network.load_state_dict({k: counter if k.endswith(_COUNTER) else weights[k].float() for k in wanted}, assign=True)


def _read(path: Path, uri: str, key: str) -> Mapping[str, Tensor]:
    try:
        weights = _tensors(path)
    except Exception:  # what a damaged file raises has no common base
        reason = "holds more than tensors, or is damaged; a pickle that could run code is not loaded"
        raise ConfigError(key, uri, reason) from None
    fits = isinstance(weights, Mapping) and all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in weights.items()
    )
    require(fits, key, uri, "is not a state dict, tensors by the name of their parameter")
    return weights


def _tensors(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == SAFETENSORS:
        from safetensors.torch import load_file

        return load_file(path)
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _check(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], uri: str, key: str) -> None:
    """The first name that differs is told: lacking, of another shape or type, or unknown."""
    for name, tensor in wanted.items():
        if name.endswith(_COUNTER):
            continue
        require(name in weights, key, uri, f"is of another network: {name} is not in it")
        shape, shape_found = tuple(tensor.shape), tuple(weights[name].shape)
        require(shape == shape_found, key, uri, f"is of another network: {name} is {shape_found}, not {shape}")
        require(weights[name].is_floating_point(), key, uri, f"{name} is {weights[name].dtype}, not floating point")
    unknown = next((name for name in weights if name not in wanted), None)
    require(unknown is None, key, uri, f"is of another network: it has a {unknown}")
