"""Weights that others published, read without running any code that comes with them."""

import argparse
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ganflow.errors import GanflowError

SAFETENSORS = ".safetensors"
WAY = "save its state dicts with its authors' own code, in three lines: docs/registry.md, Published weights"
DAMAGED = (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors file or of what ``torch.save`` wrote, by the dotted path of their names.

    Raises:
        GanflowError: no such file, one that holds code, or none of these.
    """
    if not path.is_file():
        raise GanflowError(f"{path}: no such file; give a .safetensors, or what torch.save wrote of a state dict")
    content = _safetensors(path) if path.suffix == SAFETENSORS else _torch_file(path)
    tensors = dict(_flat("", content))
    if not tensors:
        raise GanflowError(f"{path} holds no tensors; {WAY}")
    return tensors


def _safetensors(path: Path) -> Mapping[str, object]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise GanflowError(f"{path}: no readable safetensors: {error}") from None


def _torch_file(path: Path) -> object:
    """The content, if it is tensors and plain values.

    Of the classes that a pickle may name torch lets in a few of its own. Here there is one more: the options of a
    command line, which rosinality's training keeps beside the weights, and which do nothing when they are made.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another pickle protocol, beside the refusal
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        reason = "holds more than tensors, and reading that could run code, so it is not read"
        raise GanflowError(f"{path} {reason}; {WAY}") from None
    except DAMAGED as error:
        kind = "is damaged" if zipfile.is_zipfile(path) else "is not what torch.save writes"
        raise GanflowError(f"{path} {kind} ({type(error).__name__}); {WAY}") from None


def _flat(prefix: str, value: object) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield prefix, value
    elif isinstance(value, Mapping):
        for name, child in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), child)
