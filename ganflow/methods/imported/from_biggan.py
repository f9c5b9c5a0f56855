"""BigGAN as its author names it (github.com/ajbrock/BigGAN-PyTorch, BigGAN.py and layers.py).

Statistics over several GPUs (``cross_replica``) are used as in the author's training: outside of it that code adds a
class's gain to what it should multiply.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import GanflowError
from ganflow.methods.imported.base import ImportedFacts, ImportedNetwork, PublishedArchitecture, TheirTensors, refuse
from ganflow.methods.networks.biggan import TABLES

ATTENTION = {"query": "theta", "key": "phi", "value": "g", "out": "o"}
CONVOLUTIONS = {"conv1": "conv1", "conv2": "conv2", "shortcut": "conv_sc"}
STATISTICS = ("stored_mean", "stored_var"), ("bn.stored_mean", "bn.stored_var"), ("bn.running_mean", "bn.running_var")


@component("imported", "biggan")
class PublishedBigGAN(PublishedArchitecture):
    """``SN`` weights keep their singular vectors u, so that their norms are the authors' to the last digit."""

    def knows(self, names: Collection[str]) -> bool:
        return "linear.weight" in names and "blocks.0.0.conv1.weight" in names

    def generator(self, theirs: TheirTensors) -> ImportedNetwork:
        count = _check_blocks(theirs)
        resolution, first = 4 << count, theirs.shape("blocks.0.0.conv1.weight")[1]
        width = first // _table(resolution, "up")[0]
        normalised = "linear.u0" in theirs
        weights = _layer(theirs, "dense", "linear", normalised)
        shared = theirs.shape("shared.weight")[1] if "shared.weight" in theirs else 0
        for index in range(count):
            ours, name = f"blocks.{index}", f"blocks.{index}.0"
            weights |= _convolutions(theirs, ours, name, normalised)
            for bn in (1, 2):
                weights |= _condition(theirs, f"{ours}.norm{bn}", f"{name}.bn{bn}", bool(shared), normalised)
            weights |= _attention(theirs, f"attend.{index}", f"blocks.{index}.1", normalised)
        weights |= {
            "last.0.weight": theirs.take("output_layer.0.gain"),
            "last.0.bias": theirs.take("output_layer.0.bias"),
        }
        weights |= _statistics(theirs, "last.0", "output_layer.0")
        weights |= _layer(theirs, "last.2", "output_layer.2", normalised)
        chunk = theirs.shape("linear.weight")[1]
        if shared:
            classes, latent_dim = theirs.shape("shared.weight")[0], chunk * (count + 1)
            if theirs.shape("blocks.0.0.bn1.gain.weight")[1] != shared + chunk:
                raise refuse("hier", False, "z dealt out to all blocks where the class's embedding is shared")
            weights["embedding.weight"] = theirs.take("shared.weight")
        else:
            classes, latent_dim = theirs.shape("blocks.0.0.bn1.gain.weight")[0], chunk
        theirs.leave_out(r"\.sv\d+$|\.u[1-9]$", "singular values, which are computed from u0")
        theirs.leave_out(r"num_batches_tracked$|accumulation_counter$", "counters of training")
        attention = _place(theirs, [8 << index for index in range(count)])
        options = {"width": width, "attention": attention, "shared": shared, "spectral_norm": normalised}
        channels = len(weights["last.2.bias"])
        facts = ImportedFacts(resolution, channels, classes, latent_dim)
        return ImportedNetwork({"name": "biggan", **options}, facts, weights)

    def discriminator(self, theirs: TheirTensors) -> ImportedNetwork:
        count = _check_blocks(theirs)
        resolution, width, sides = _sides(theirs, count)
        normalised = "linear.u0" in theirs
        attention = _place(theirs, sides)
        weights: dict[str, Tensor] = {}
        at = 0
        for index in range(count):
            name = f"blocks.{index}.0"
            wide = theirs.shape(f"{name}.conv2.weight")
            if wide[0] != wide[1]:
                raise refuse("D_wide", False, "as many channels within a block as after it")
            weights |= _convolutions(theirs, f"layers.{at}", name, normalised)
            attention_weights = _attention(theirs, f"layers.{at + 1}", f"blocks.{index}.1", normalised)
            weights |= attention_weights
            at += 2 if attention_weights else 1
        weights |= _layer(theirs, "head.linear", "linear", normalised)
        weights |= _layer(theirs, "head.embedding", "embed", normalised, bias=False)
        theirs.leave_out(r"\.sv\d+$|\.u[1-9]$", "singular values, which are computed from u0")
        classes, channels = theirs.shape("embed.weight")[0], theirs.shape("blocks.0.0.conv1.weight")[1]
        options = {"width": width, "attention": attention, "spectral_norm": normalised}
        facts = ImportedFacts(resolution, channels, classes, conditioning="projection")
        return ImportedNetwork({"name": "biggan", **options}, facts, weights)


def _check_blocks(theirs: TheirTensors) -> int:
    """The number of residual blocks; those of BigGAN-deep are refused."""
    if "blocks.0.0.conv4.weight" in theirs:
        raise GanflowError("this is BigGAN-deep, whose blocks have four convolutions; only BigGAN's can be imported")
    return len(theirs.numbers(r"blocks\.(\d+)\."))


def _table(resolution: int, part: str) -> tuple[int, ...]:
    if resolution not in TABLES:
        raise refuse("resolution", resolution, ", ".join(map(str, TABLES)))
    times: tuple[int, ...] = getattr(TABLES[resolution], part)
    return times


def _sides(theirs: TheirTensors, count: int) -> tuple[int, int, list[int]]:
    """The images' side, the paper's ch, and the sides of D's maps after each block, told by the channels."""
    widths = [theirs.shape(f"blocks.{index}.0.conv2.weight")[0] for index in range(count)]
    for resolution, table in TABLES.items():
        width = widths[0] // table.down[0]
        if widths == [width * times for times in table.down]:
            return resolution, width, [resolution >> min(block, table.halvings) for block in range(1, count + 1)]
    raise refuse("resolution", f"that of a D with {widths} channels", ", ".join(map(str, TABLES)))


def _place(theirs: TheirTensors, sides: list[int]) -> int:
    """The side of the map that attention looks at; 0 for none."""
    places = theirs.numbers(r"blocks\.(\d+)\.1\.")
    if len(places) > 1 or any(sides.index(sides[place]) != place for place in places):
        pixels = "_".join(str(sides[place]) for place in places)
        ours = "attention after one block, the first of its side,"
        raise refuse("attention", f"{pixels}, after {len(places)} blocks,", ours)
    return sides[places[0]] if places else 0


def _layer(theirs: TheirTensors, ours: str, name: str, normalised: bool, bias: bool = True) -> dict[str, Tensor]:
    weight, layer = theirs.take(f"{name}.weight"), {}
    if normalised:
        layer[f"{ours}.parametrizations.weight.original"] = weight
        layer[f"{ours}.parametrizations.weight.0.u"] = torch.nn.functional.normalize(
            theirs.take(f"{name}.u0")[0], dim=0
        )
    else:
        layer[f"{ours}.weight"] = weight
    return {**layer, f"{ours}.bias": theirs.take(f"{name}.bias")} if bias else layer


def _convolutions(theirs: TheirTensors, ours: str, name: str, normalised: bool) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for layer, part in CONVOLUTIONS.items():
        if f"{name}.{part}.weight" in theirs or part != "conv_sc":
            weights |= _layer(theirs, f"{ours}.{layer}", f"{name}.{part}", normalised)
    return weights


def _attention(theirs: TheirTensors, ours: str, name: str, normalised: bool) -> dict[str, Tensor]:
    if f"{name}.gamma" not in theirs:
        return {}
    weights = {f"{ours}.gamma": theirs.take(f"{name}.gamma")}
    for layer, part in ATTENTION.items():
        weights |= _layer(theirs, f"{ours}.{layer}", f"{name}.{part}", normalised, bias=False)
    return weights


def _condition(theirs: TheirTensors, ours: str, name: str, shared: bool, normalised: bool) -> dict[str, Tensor]:
    """A conditional normalisation. Theirs adds 1 to every gain; here an embedding of gains holds it."""
    weights = _statistics(theirs, f"{ours}.norm", name)
    if shared:
        weights |= _layer(theirs, f"{ours}.gain", f"{name}.gain", normalised, bias=False)
        return weights | _layer(theirs, f"{ours}.bias", f"{name}.bias", normalised, bias=False)
    gain, bias = theirs.take(f"{name}.gain.weight") + 1, theirs.take(f"{name}.bias.weight")
    return {**weights, f"{ours}.gain.weight": gain, f"{ours}.bias.weight": bias}


def _statistics(theirs: TheirTensors, ours: str, name: str) -> dict[str, Tensor]:
    """Mean and variance of the authors' normalisation, its own variant, or that over several GPUs."""
    mean, variance = next((pair for pair in STATISTICS if f"{name}.{pair[0]}" in theirs), STATISTICS[0])
    counter = f"{name}.bn.accumulation_counter"
    if counter in theirs and theirs.take(counter).any():
        raise GanflowError(f"{counter} is not 0: its statistics are sums of standing ones; save it in training's state")
    return {
        f"{ours}.running_mean": theirs.take(f"{name}.{mean}"),
        f"{ours}.running_var": theirs.take(f"{name}.{variance}"),
        f"{ours}.num_batches_tracked": torch.tensor(0),
    }
