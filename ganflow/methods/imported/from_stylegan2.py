"""StyleGAN2 as NVIDIA's stylegan2-ada-pytorch or rosinality's stylegan2-pytorch names it, with StyleGAN2-ADA's options.

The weights are the same numbers: both keep them as they learn and multiply by 1/√fan_in when they compute, as here.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed import rng
from ganflow.errors import GanflowError
from ganflow.methods.imported import rosinality
from ganflow.methods.imported.base import (
    ImportedFacts,
    ImportedNetwork,
    PublishedArchitecture,
    TheirTensors,
    pyramid_options,
    refuse,
)
from ganflow.methods.networks.stylegan2 import START, Mapping

CLAMP = 256.0  # conv_clamp of NVIDIA's train.py
W_COUNT = 10_000  # of the mean of w, where the file has none
LAYER = {"style.weight": "affine.weight", "style.bias": "affine.bias", "weight": "weight", "bias": "bias"}
CONV = {**{f"conv.{ours}": theirs for ours, theirs in LAYER.items()}, "strength": "noise_strength"}
PLAIN = ("weight", "bias")


@component("imported", "stylegan2")
class PublishedStyleGAN2(PublishedArchitecture):
    """No tensor tells ``clamp``, their ``conv_clamp`` (null: 256 under NVIDIA's names), and D's ``mbstd_group``."""

    beside = (rosinality.LATENT_AVG,)

    def __init__(self, clamp: float | None = None, mbstd_group: int = 4) -> None:
        self.clamp, self.mbstd_group = clamp, mbstd_group

    def knows(self, names: Collection[str]) -> bool:
        ada = {"mapping.fc0.weight", "b4.fc.weight"}
        return not ada.isdisjoint(names) or rosinality.knows(names)

    def generator(self, theirs: TheirTensors) -> ImportedNetwork:
        clamp = self._clamp(theirs)
        theirs = rosinality.generator_as_ada(theirs) if rosinality.knows(theirs) else theirs
        sides = theirs.numbers(r"synthesis\.b(\d+)\.")
        _check_generator(theirs, sides)
        channels = {side: theirs.shape(f"synthesis.b{side}.conv1.weight")[0] for side in sides}
        w_dim = theirs.shape("mapping.fc0.weight")[0]
        mapping, classes = _mapping(theirs)
        latent_dim = theirs.shape("mapping.fc0.weight")[1] - (w_dim if classes else 0)
        options: dict[str, object] = {**pyramid_options("stylegan2", channels), "w_dim": w_dim, "clamp": clamp}
        options["mapping_layers"] = sum(name.endswith("weight") for name in mapping) - bool(classes)
        weights = {**mapping, "start": theirs.take("synthesis.b4.const"), **_synthesis(theirs, sides)}
        weights["w_avg"], notes = _mean_w(theirs, mapping, latent_dim, classes)
        image_channels = theirs.shape("synthesis.b4.torgb.weight")[0]
        facts = ImportedFacts(sides[-1], image_channels, classes, latent_dim)
        theirs.leave_out_filters(r"resample_filter$")
        theirs.check_all_taken()
        return ImportedNetwork({"name": "stylegan2", **options}, facts, weights, notes)

    def discriminator(self, theirs: TheirTensors) -> ImportedNetwork:
        clamp = self._clamp(theirs)
        theirs = rosinality.discriminator_as_ada(theirs) if rosinality.knows(theirs) else theirs
        sides = theirs.numbers(r"b(\d+)\.")[::-1]
        residual = "b8.skip.weight" in theirs
        if "b4.fromrgb.weight" in theirs:
            raise refuse("architecture", "skip", "resnet and orig")
        largest, last = f"b{sides[0]}", theirs.shape("b4.conv.weight")[0]
        channels = {side: theirs.shape(f"b{side}.conv0.weight")[0] for side in sides[:-1]} | {START: last}
        weights = _renamed(theirs, "from_rgb", f"{largest}.fromrgb")
        for index, side in enumerate(sides[:-1]):
            weights |= _renamed(theirs, f"blocks.{index}.conv", f"b{side}.conv0")
            weights |= _renamed(theirs, f"blocks.{index}.down", f"b{side}.conv1")
            if residual:
                weights[f"blocks.{index}.shortcut.1.weight"] = theirs.take(f"b{side}.skip.weight")
        for ours, name in (("conv", "b4.conv"), ("dense", "b4.fc"), ("out", "b4.out")):
            weights |= _renamed(theirs, ours, name)
        mapping, classes = _mapping(theirs)
        extra = theirs.shape("b4.conv.weight")[1] - last
        if extra not in (0, 1):
            raise refuse("mbstd_num_channels", extra, "0 and 1")
        options: dict[str, object] = {
            **pyramid_options("stylegan2", channels),
            "architecture": "resnet" if residual else "orig",
            "mbstd_group": self.mbstd_group if extra else 0,
            "clamp": clamp,
        }
        if classes:
            options["mapping_layers"] = sum(name.endswith("weight") for name in mapping) - 1
        image_channels, conditioning = theirs.shape(f"{largest}.fromrgb.weight")[1], "projection" if classes else "none"
        facts = ImportedFacts(sides[0], image_channels, classes, conditioning=conditioning)
        theirs.leave_out_filters(r"resample_filter$")
        theirs.check_all_taken()
        return ImportedNetwork({"name": "stylegan2", **options}, facts, {**weights, **mapping})

    def _clamp(self, theirs: TheirTensors) -> float:
        if self.clamp is not None:
            return self.clamp
        return 0.0 if rosinality.knows(theirs) else CLAMP


def _check_generator(theirs: TheirTensors, sides: list[int]) -> None:
    if "synthesis.input.freqs" in theirs or not sides:
        raise GanflowError("this is another generator than StyleGAN2's: synthesis.b4.const is not in it")
    if "synthesis.b8.skip.weight" in theirs:
        raise refuse("architecture", "resnet", "skip in the generator")
    if "synthesis.b4.torgb.weight" not in theirs:
        raise refuse("architecture", "orig", "skip in the generator")
    if "synthesis.b4.conv1.noise_strength" not in theirs:
        raise refuse("use_noise", False, "layers with noise")


def _renamed(theirs: TheirTensors, ours: str, name: str) -> dict[str, Tensor]:
    return {f"{ours}.{part}": theirs.take(f"{name}.{part}") for part in PLAIN}


def _mapping(theirs: TheirTensors) -> tuple[dict[str, Tensor], int]:
    """The mapping's weights, and the number of classes; none of a D that has no classes."""
    weights: dict[str, Tensor] = {}
    for index in theirs.numbers(r"mapping\.fc(\d+)\."):
        weights |= _renamed(theirs, f"mapping.layers.{index}", f"mapping.fc{index}")
    if "mapping.embed.weight" not in theirs:
        return weights, 0
    weights |= _renamed(theirs, "mapping.embedding", "mapping.embed")
    return weights, theirs.shape("mapping.embed.weight")[1]


def _synthesis(theirs: TheirTensors, sides: list[int]) -> dict[str, Tensor]:
    layers = [
        f"synthesis.b{side}.{conv}" for side in sides for conv in ("conv0", "conv1") if (side, conv) != (4, "conv0")
    ]
    weights: dict[str, Tensor] = {}
    for index, name in enumerate(layers):
        names = {**CONV, "noise": "noise_const"}
        weights |= {f"convs.{index}.{ours}": theirs.take(f"{name}.{part}") for ours, part in names.items()}
    for index, side in enumerate(sides):
        name = f"synthesis.b{side}.torgb"
        weights |= {f"outputs.{index}.{ours}": theirs.take(f"{name}.{part}") for ours, part in LAYER.items()}
    return weights


def _mean_w(
    theirs: TheirTensors, mapping: dict[str, Tensor], latent_dim: int, classes: int
) -> tuple[Tensor, list[str]]:
    """w̄ of the file, or of W_COUNT z, as rosinality's code makes it of some when it truncates; and a line on it."""
    if "mapping.w_avg" in theirs:
        return theirs.take("mapping.w_avg").flatten(), []
    names = {name.removeprefix("mapping."): tensor for name, tensor in mapping.items()}
    layers = sum(name.startswith("layers.") and name.endswith("weight") for name in names)
    network = Mapping(latent_dim, classes, len(names["layers.0.bias"]), layers)
    network.load_state_dict(names)
    z = torch.from_numpy(rng.normal(0, "mean-w", 0, W_COUNT, latent_dim))
    labels = torch.arange(W_COUNT) % classes if classes else None
    with torch.inference_mode():
        mean = network(z, labels).mean(0)
    return mean.clone(), [f"the {theirs.owner} comes without a mean w, so it is that of {W_COUNT:,} draws"]
