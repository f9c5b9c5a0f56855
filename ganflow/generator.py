"""A trained generator as one file: weights as safetensors, and in its header what is needed to build it again.

The header names the network by component group, name and options, never by import path; reading it runs no code.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ganflow import component, draws
from ganflow.errors import GanflowError, require

FILE = "generator.safetensors"

Samples = npt.NDArray[np.uint8 | np.float32]


@dataclass(frozen=True)
class GeneratorSpec:
    """What a generator is, without its weights."""

    network: Mapping[str, Any]  # the choice as in params.yaml: name and options
    latent_dim: int
    resolution: int
    channels: int
    num_classes: int  # 0: unconditional
    classes: list[str] = field(default_factory=list)
    points: bool = False  # it makes points in the plane, which are no pixels
    centres: list[list[float]] = field(default_factory=list)  # of the modes of points, where they are known

    def build(self) -> nn.Module:
        """The network with fresh weights: (z (N, latent_dim), labels (N,) or None) → images in [-1, 1]."""
        facts = {k: v for k, v in asdict(self).items() if k not in ("network", "classes")}
        network: nn.Module = component.build("generator", self.network, "gan.generator", **facts)
        return network


class Generator:
    """Samples by index: the latent of image i is the same whatever n, the batch or the number of ranks.

    So is the image, but for the rounding of float32: a batch of another size may add in another order.
    """

    def __init__(self, network: nn.Module, spec: GeneratorSpec) -> None:
        self.network = network.eval().requires_grad_(False)
        self.spec = spec

    def latents(self, seed: int, first: int, count: int) -> Tensor:
        """z of samples ``first … first + count - 1``: (count, latent_dim)."""
        return torch.from_numpy(draws.normal(seed, "sample", first, count, self.spec.latent_dim))

    def labels(self, first: int, count: int, label: int | None) -> Tensor | None:
        """The given class for every sample; without one, sample i is of class i mod num_classes."""
        classes = self.spec.num_classes
        if not classes:
            require(label is None, "label", label, "none: this generator is unconditional")
            return None
        require(label is None or 0 <= label < classes, "label", label, f"must be 0 to {classes - 1}")
        index = torch.arange(first, first + count) % classes
        return index if label is None else torch.full_like(index, label)

    def path(self, seed: int, first: int, count: int, at: Tensor) -> Tensor:
        """z on the ways from samples ``first …`` to ends of their own, at shares ``at`` (count,): (count, latent_dim).

        A way is the great circle (Shoemake, 1985): Gaussian z lie near a sphere, which a straight line would leave.
        """
        ends = torch.from_numpy(draws.normal(seed, "path", first, count, self.spec.latent_dim))
        return slerp(self.latents(seed, first, count), ends, at)

    @torch.inference_mode()
    def draw(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """What the network makes of z, on its device: float (count, C, H, W) in [-1, 1].

        Raises:
            GanflowError: NaN or infinity, of which no picture can be made.
        """
        device = next(self.network.parameters()).device
        made: Tensor = self.network(z.to(device), None if labels is None else labels.to(device)).float()
        if not made.isfinite().all():
            raise GanflowError("the generator makes NaN or infinity; it has diverged")
        return made

    def images(self, seed: int, first: int, count: int, labels: Tensor | None) -> Tensor:
        """Samples as they would be stored, on the network's device: uint8 (count, C, H, W); points as float32."""
        made = self.draw(self.latents(seed, first, count), labels)
        return made if self.spec.points else to_uint8(made)

    def sample(self, n: int, seed: int, label: int | None = None, batch: int = 256) -> Samples:
        """``n`` samples as an array: uint8 (n, H, W, C), float32 (n, 2) of points."""
        require(n > 0, "n", n, "must be at least 1")
        parts = []
        for first in range(0, n, batch):
            count = min(batch, n - first)
            parts.append(self.images(seed, first, count, self.labels(first, count, label)).cpu())
        samples = torch.cat(parts).permute(0, 2, 3, 1)
        return samples.flatten(1).numpy() if self.spec.points else samples.numpy()


def slerp(a: Tensor, b: Tensor, at: Tensor) -> Tensor:
    """Spherical interpolation (Shoemake, 1985) of rows a and b (N, F), at shares ``at`` (N,): 0 is a, 1 is b."""
    cosine = nn.functional.cosine_similarity(a, b, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle, at = cosine.arccos().unsqueeze(1), at.unsqueeze(1)
    return (((1 - at) * angle).sin() * a + (at * angle).sin() * b) / angle.sin()


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] → {0 … 255} by the field's rule for FID: 127.5·x + 128, clamped, truncated."""
    return (images.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8)


def save(path: Path, network: nn.Module, spec: GeneratorSpec) -> None:
    """Write weights and spec; the same weights and spec give the same bytes."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    # One key only: the header keeps several in an order that differs from run to run.
    save_file(tensors, path, metadata={"ganflow": json.dumps(_header(spec), sort_keys=True)})
    path.chmod(0o644)


def load(path: Path, device: str | torch.device = "cpu") -> Generator:
    """Read a generator that :func:`save` wrote.

    Raises:
        GanflowError: no such file, no generator of ganflow's, or weights that do not fit the network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            header = (file.metadata() or {}).get("ganflow")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise GanflowError(f"{path}: no readable generator: {error}") from None
    if header is None:
        raise GanflowError(f"{path}: no generator of ganflow's: its header has no `ganflow` entry")
    spec, network = _from_header(path, header)
    network.to(device)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        name, why = spec.network["name"], " ".join(str(error).split())
        raise GanflowError(f"{path}: weights do not fit {name}: {why}") from None
    return Generator(network, spec)


def _header(spec: GeneratorSpec) -> dict[str, Any]:
    """The spec as plain values; that of images says nothing of points."""
    return {k: v for k, v in asdict(spec).items() if spec.points or k not in ("points", "centres")}


def _from_header(path: Path, header: str) -> tuple[GeneratorSpec, nn.Module]:
    try:
        spec = GeneratorSpec(**json.loads(header))
        return spec, spec.build()
    # Somebody else's file: torch and the network refuse wrong sizes and types in their own ways.
    except (GanflowError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise GanflowError(f"{path}: its header describes no generator: {' '.join(str(error).split())}") from None
