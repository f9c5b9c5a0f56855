"""A trained generator as one file: weights as safetensors, and in its header what is needed to build it again.

The header names the network by component group, name and options, never by import path; reading it runs no code.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganflow.config import components
from ganflow.distributed import rng
from ganflow.errors import GanflowError, require
from ganflow.methods.degradations.chain import DegradationChain
from ganflow.methods.networks.facts import network_facts
from ganflow.signals import Signal, named
from ganflow.signals.base import IMAGE, Samples, Shape, is_square, square
from ganflow.signals.light import STANDARDISED, standardised

FILE = "generator.safetensors"

MOST, PIXELS = 256, 2**20  # of one batch, by default
LEAST = 8

RESTORES = "this model makes images of what it is given: `ganflow restore` gives it some"
GENERATES = "this model makes images of noise alone: nothing can be given to it"

Label = int | Sequence[int] | None  # one class, several in turn, or all in turn


@dataclass(frozen=True)
class GeneratorSpec:
    """A generator without its weights."""

    network: Mapping[str, Any]  # the choice as in params.yaml: name and options
    latent_dim: int
    shape: Shape  # of a sample, its channels first: images (C, H, W)
    num_classes: int  # 0: unconditional
    classes: list[str] = field(default_factory=list)
    kind: str = IMAGE  # the name of the signal that it makes
    centres: list[list[float]] = field(default_factory=list)  # of the modes of points, where they are known
    given_shape: Shape | None = None  # of what it makes an image from, its channels first; None: of noise alone
    given: Mapping[str, Any] = field(default_factory=dict)  # the degradations that made that, as in params.yaml
    detection: Mapping[str, Any] = field(default_factory=dict)  # from an image and its reconstruction to its score

    @property
    def signal(self) -> Signal:
        """The kind of its samples."""
        return named(self.kind)

    def __str__(self) -> str:
        return self.signal.says(self.shape)

    @property
    def restores(self) -> bool:
        """True where it makes an image of what it is given of it."""
        return self.given_shape is not None

    @property
    def detects(self) -> bool:
        """True where that tells anomalies: it was trained on normal images alone."""
        return bool(self.detection)

    @property
    def fills_holes(self) -> bool:
        """True where all that is amiss with what it is given are hidden pixels."""
        return len(self.given) == 1 and self.degradations.masks

    @property
    def degradations(self) -> DegradationChain:
        """The degradations that it was trained to undo."""
        return DegradationChain(self.given, self.shape)

    def given_of(self, stored: Tensor) -> Tensor:
        """Pixels uint8 (N, C', H, W) as a network is given them; the last channel is 255 where they are hidden."""
        if not self.degradations.masks:
            return self.signal.ready(stored)
        hidden = stored[:, -1:] > 127
        return torch.cat([self.signal.ready(stored[:, :-1]).masked_fill(hidden, 0.0), hidden.float()], 1)

    def whole(self, images: Tensor) -> Tensor:
        """Images as a network is given them where nothing is amiss: a mask, where it takes one, hides nothing."""
        return torch.cat([images, torch.zeros_like(images[:, :1])], 1) if self.degradations.masks else images

    @property
    def light(self) -> str:
        """The light that its images were brought to, as data state it; "": their own."""
        return str(self.detection.get("light", ""))

    def as_trained(self, stored: Tensor) -> Tensor:
        """Pictures of a user's own, uint8 (N, C, H, W), in the light of the images that it was trained on."""
        return torch.from_numpy(standardised(stored.numpy())) if self.light == STANDARDISED else stored

    def build(self) -> nn.Module:
        """The network with fresh weights: (z (N, latent_dim), labels (N,) or None[, given]) → (N, *shape)."""
        facts = {"latent_dim": self.latent_dim, **network_facts(self.shape, self.num_classes, self.given_shape)}
        network: nn.Module = components.build("generator", self.network, "gan.generator", **facts)
        return network


class Generator:
    """Samples by index: latent and noise of image i are the same whatever n, the batch or the number of ranks.

    So is the image, but for the rounding of float32: a batch of another size may add in another order.
    """

    def __init__(self, network: nn.Module, spec: GeneratorSpec) -> None:
        self.network = network.eval().requires_grad_(False)
        self.spec = spec

    @property
    def batch(self) -> int:
        """The default number of samples that are made at once: fewer of large ones."""
        return min(MOST, max(LEAST, PIXELS // prod(self.spec.shape[1:])))

    @property
    def device(self) -> torch.device:
        """The device that the network is on."""
        return next(self.network.parameters()).device

    @property
    def any_size(self) -> bool:
        """True where the network takes images of other sizes than it was trained on."""
        return bool(getattr(self.network, "any_size", False))

    @property
    def multiple(self) -> int:
        """A number that divides the sides of what the network takes."""
        return int(getattr(self.network, "multiple", 1))

    @property
    def has_w(self) -> bool:
        """True where z is mapped to an intermediate latent w, whose mean over training is known."""
        return bool(getattr(self.network, "has_w", False))

    def latents(
        self, seed: int, first: int, count: int, truncation: float | None = None, stream: str = "sample"
    ) -> Tensor:
        """z of samples ``first … first + count - 1``: (count, latent_dim).

        ``truncation`` is BigGAN's (Brock et al., 2019, section 3.1): values beyond ±truncation are drawn again until
        they are within. A generator with w is truncated there, not here.
        """
        if truncation is None or self.has_w:
            return torch.from_numpy(rng.normal(seed, stream, first, count, self.spec.latent_dim))
        self.check_truncation(truncation)
        return torch.from_numpy(
            rng.truncated_normal(seed, stream, first, count, self.spec.latent_dim, threshold=truncation)
        )

    @property
    def noise_size(self) -> int:
        """Pixels of noise that an image takes beside z; 0 of most networks."""
        return int(getattr(self.network, "noise_size", 0))

    def noise(self, seed: int, first: int, count: int) -> Tensor | None:
        """Noise of samples ``first … first + count - 1``: (count, noise_size); None where the network takes none."""
        if not self.noise_size:
            return None
        return torch.from_numpy(rng.normal(seed, "sample-noise", first, count, self.noise_size))

    def check_truncation(self, truncation: float | None) -> None:
        """Raise :class:`ConfigError` where this generator cannot be truncated so."""
        if truncation is not None and self.has_w:
            allowed = "0 to 1 for a generator with w: 0 is the mean w, 1 leaves w as it is"
            require(0 <= truncation <= 1, "truncation", truncation, allowed)
        elif truncation is not None:
            allowed = "more than 0: values of z beyond it are drawn again, as 0.5 for fidelity, 2 for variety"
            require(truncation > 0, "truncation", truncation, allowed)

    def labels(self, first: int, count: int, label: Label) -> Tensor | None:
        """Sample i is of class ``label[i mod len(label)]``; without a label, the classes take turns."""
        classes = self.spec.num_classes
        if not classes:
            require(label is None, "label", label, "none: this generator is unconditional")
            return None
        turn = range(classes) if label is None else [label] if isinstance(label, int) else label
        require(len(turn) > 0, "label", turn, f"must be 0 to {classes - 1}")
        for index in turn:
            require(0 <= index < classes, "label", index, f"must be 0 to {classes - 1}")
        return torch.tensor(list(turn))[torch.arange(first, first + count) % len(turn)]

    def path(self, seed: int, first: int, count: int, at: Tensor) -> Tensor:
        """z on the ways from samples ``first …`` to ends of their own, at shares ``at`` (count,): (count, latent_dim).

        A way is the great circle (Shoemake, 1985): Gaussian z lie near a sphere, which a straight line would leave.
        """
        return slerp(self.latents(seed, first, count), self.latents(seed, first, count, stream="path"), at)

    def stops(self, seed: int, count: int, stops: int, truncation: float | None = None) -> Tensor:
        """z between which walks from samples ``0 … count - 1`` lead, each back to its own: (stops, count, latent_dim).

        The second stop is the end of :meth:`path`.
        """
        streams = ["sample", "path", *(f"path/{stop}" for stop in range(2, stops))][:stops]
        return torch.stack([self.latents(seed, 0, count, truncation, stream) for stream in streams])

    @torch.inference_mode()
    def draw(
        self,
        z: Tensor,
        labels: Tensor | None,
        truncation: float | None = None,
        noise: Tensor | None = None,
        given: Tensor | None = None,
    ) -> Tensor:
        """The network's output for z, on its device: float32 (count, *shape), of images in [-1, 1].

        ``truncation`` moves w towards its mean (Karras et al., 2019, appendix B), where there is a w; without ``noise``
        a network that takes some has the same in all images. On GPUs the same algorithms are taken each time, and no
        TensorFloat-32, whose images would differ from other machines'.

        Raises:
            GanflowError: nothing is given to a generator that restores images, or NaN or infinity is made.
        """
        device = self.device
        if (given is None) == self.spec.restores:
            raise GanflowError(RESTORES if given is None else GENERATES)
        z, labels = z.to(device), None if labels is None else labels.to(device)
        inputs = (z, labels) if given is None else (z, labels, given.to(device))
        options: dict[str, Any] = {} if noise is None else {"noise": noise.to(device)}
        if truncation is not None and self.has_w:
            self.check_truncation(truncation)
            options["truncation"] = truncation
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            made: Tensor = self.network(*inputs, **options).float()
        if not made.isfinite().all():
            raise GanflowError("the generator makes NaN or infinity; it has diverged")
        return made

    def restored(self, given: Tensor, labels: Tensor | None = None, seed: int = 0, first: int = 0) -> Tensor:
        """Images of what is given of them, on the network's device: float32 (count, C, H, W).

        Where pixels were hidden and the others are as they were, the others stay so.

        Args:
            given: (count, *given_shape), its last channel 1 where pixels are hidden; another height and width where
                the network takes any.
            labels: (count,) of a conditional network.
            seed: of z and noise.
            first: the index of the first image, by which z and noise are drawn.
        """
        count = len(given)
        z, noise = self.latents(seed, first, count), self.noise(seed, first, count)
        made = self.draw(z, labels, noise=noise, given=given)
        if not self.spec.fills_holes:
            return made
        given = given.to(made.device)
        return torch.where(given[:, -1:] > 0.5, made, given[:, :-1])

    def images(
        self, seed: int, first: int, count: int, labels: Tensor | None, truncation: float | None = None
    ) -> Tensor:
        """Samples as they would be stored, on the network's device: (count, *shape), uint8 of images."""
        z, noise = self.latents(seed, first, count, truncation), self.noise(seed, first, count)
        return self.spec.signal.stored(self.draw(z, labels, truncation, noise))

    def sample(
        self, n: int, seed: int, label: Label = None, batch: int | None = None, truncation: float | None = None
    ) -> Samples:
        """``n`` samples as an array: of images uint8 (n, H, W, C), of points float32 (n, 2)."""
        require(n > 0, "n", n, "must be at least 1")
        batch = batch or self.batch
        parts = []
        for first in range(0, n, batch):
            count = min(batch, n - first)
            z, noise = self.latents(seed, first, count, truncation), self.noise(seed, first, count)
            parts.append(self.stored(self.draw(z, self.labels(first, count, label), truncation, noise)))
        return np.concatenate(parts)

    def stored(self, made: Tensor) -> Samples:
        """The output of :meth:`draw` as an array: of images uint8 (count, H, W, C), of points float32 (count, 2)."""
        signal = self.spec.signal
        return signal.rows(signal.stored(made))

    def content(self) -> bytes:
        """The content of the file that :func:`save` writes."""
        from safetensors.torch import save as serialise

        return serialise(_tensors(self.network), _metadata(self.spec))

    def digest(self) -> str:
        """The sha256 of that file; equal ones make the same samples."""
        return hashlib.sha256(self.content()).hexdigest()


def slerp(a: Tensor, b: Tensor, at: Tensor) -> Tensor:
    """Spherical interpolation (Shoemake, 1985) of rows a and b (N, F), at shares ``at`` (N,): 0 is a, 1 is b."""
    cosine = nn.functional.cosine_similarity(a, b, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle, at = cosine.arccos().unsqueeze(1), at.unsqueeze(1)
    return (((1 - at) * angle).sin() * a + (at * angle).sin() * b) / angle.sin()


def save(path: Path, network: nn.Module, spec: GeneratorSpec) -> None:
    """Write weights and spec; the same weights and spec give the same bytes."""
    from safetensors.torch import save_file

    save_file(_tensors(network), path, _metadata(spec))
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


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _metadata(spec: GeneratorSpec) -> dict[str, str]:
    """One key only: the header keeps several in an order that differs from run to run."""
    return {"ganflow": json.dumps(_header(spec), sort_keys=True)}


def _header(spec: GeneratorSpec) -> dict[str, Any]:
    """The spec as plain values, in the words of the first header wherever it has some."""
    header = asdict(spec)
    shape, kind, centres = (header.pop(name) for name in ("shape", "kind", "centres"))
    of_tasks = {key: header.pop(key) for key in ("given_shape", "given", "detection")}
    of_tasks["given"] = list(spec.given.values())  # in order: keys are sorted
    header |= {key: value for key, value in of_tasks.items() if value}
    size = {"resolution": shape[1], "channels": shape[0]} if is_square(shape) else {"shape": shape}
    return header | size | ({} if kind == IMAGE else {kind: True, "centres": centres})


def _spec_of(header: dict[str, Any]) -> GeneratorSpec:
    """The spec of such plain values."""
    if "shape" not in header:
        header["shape"] = square(header.pop("channels"), header.pop("resolution"))
    kind = next((key for key, value in header.items() if value is True), IMAGE)
    header.pop(kind, None)
    if "given_shape" in header:
        header["given_shape"] = tuple(header["given_shape"])
    header["given"] = {node["name"]: node for node in header.get("given", [])}
    return GeneratorSpec(**header | {"shape": tuple(header["shape"]), "kind": named(kind).name})


def _from_header(path: Path, header: str) -> tuple[GeneratorSpec, nn.Module]:
    try:
        spec = _spec_of(json.loads(header))
        return spec, spec.build()
    # Somebody else's file: torch and the network refuse wrong sizes and types in their own ways.
    except (GanflowError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise GanflowError(f"{path}: its header describes no generator: {' '.join(str(error).split())}") from None
