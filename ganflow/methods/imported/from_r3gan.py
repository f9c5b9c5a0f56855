"""R3GAN as its authors name it (github.com/brownvc/R3GAN, R3GAN/Networks.py).

Their stages compute in bf16 on GPUs but for the smallest; here all is float32 when images are made.
"""

from collections.abc import Collection

from torch import Tensor

from ganflow.config.components import component
from ganflow.methods.imported.base import (
    ImportedFacts,
    ImportedNetwork,
    PublishedArchitecture,
    TheirTensors,
    pyramid_options,
    refuse,
)

START = 4
BLOCK = {
    "layers.0.weight": "LinearLayer1.Layer.weight",
    "layers.0.bias": "NonLinearity1.Bias",
    "layers.2.weight": "LinearLayer2.Layer.weight",
    "layers.2.bias": "NonLinearity2.Bias",
    "layers.4.weight": "LinearLayer3.Layer.weight",
}
FILTERS = r"Resampler\.Kernel$"


@component("imported", "r3gan")
class PublishedR3GAN(PublishedArchitecture):
    """Generator and discriminator, each with or without the authors' wrapper, whose names begin with ``Model.``."""

    def knows(self, names: Collection[str]) -> bool:
        return any(name.endswith("MainLayers.0.Layers.0.LinearLayer1.Layer.weight") for name in names) or any(
            name.endswith("MainLayers.0.Layers.0.LinearLayer.weight") for name in names
        )

    def generator(self, theirs: TheirTensors) -> ImportedNetwork:
        root = _root(theirs)
        stages = theirs.numbers(rf"{root}MainLayers\.(\d+)\.")
        blocks = [_blocks(theirs, root, stage) for stage in stages]
        first = f"{root}MainLayers.0.Layers.0"
        widths = {START << stage: _width(theirs, blocks[stage][0]) for stage in stages}
        embedding = theirs.take(f"{root}EmbeddingLayer.weight") if f"{root}EmbeddingLayer.weight" in theirs else None
        latent_dim = theirs.shape(f"{first}.LinearLayer.weight")[1] - (0 if embedding is None else len(embedding))
        weights = {"basis": theirs.take(f"{first}.Basis"), "dense.weight": theirs.take(f"{first}.LinearLayer.weight")}
        if embedding is not None:
            _check_embedding(len(embedding), latent_dim, "the latent's")
            weights["latent.embedding.weight"] = embedding.mT.contiguous()
        at = 0  # in our sequence of layers
        for stage in stages:
            change = f"{root}MainLayers.{stage}.Layers.0.LinearLayer.Layer.weight"
            if stage and change in theirs:
                weights[f"layers.{at}.weight"] = theirs.take(change)
                at += 1
            at += bool(stage)  # Upsample
            at = _take_blocks(theirs, blocks[stage], at, weights)
        weights[f"layers.{at}.weight"] = theirs.take(f"{root}AggregationLayer.Layer.weight")
        theirs.leave_out_filters(FILTERS)
        options = {**pyramid_options("r3gan", widths), **_block_options(theirs, blocks)}
        classes = 0 if embedding is None else embedding.shape[1]
        facts = ImportedFacts(max(widths), len(weights[f"layers.{at}.weight"]), classes, latent_dim)
        return ImportedNetwork({"name": "r3gan", **options}, facts, weights)

    def discriminator(self, theirs: TheirTensors) -> ImportedNetwork:
        root = _root(theirs)
        stages = theirs.numbers(rf"{root}MainLayers\.(\d+)\.")
        blocks = [_blocks(theirs, root, stage) for stage in stages]
        widths = {START << len(stages) - 1 - stage: _width(theirs, blocks[stage][0]) for stage in stages}
        weights = {"layers.0.weight": theirs.take(f"{root}ExtractionLayer.Layer.weight")}
        at = 1
        for stage in stages:
            at = _take_blocks(theirs, blocks[stage], at, weights)
            transition = f"{root}MainLayers.{stage}.Layers.{len(blocks[stage])}"
            if stage == stages[-1]:
                weights["basis"] = theirs.take(f"{transition}.Basis.weight")[:, 0]
                weights["dense.weight"] = theirs.take(f"{transition}.LinearLayer.weight")
                break
            at += 1  # Downsample
            if f"{transition}.LinearLayer.Layer.weight" in theirs:
                weights[f"layers.{at}.weight"] = theirs.take(f"{transition}.LinearLayer.Layer.weight")
                at += 1
        classes = 0
        if f"{root}EmbeddingLayer.weight" in theirs:
            embedding = theirs.take(f"{root}EmbeddingLayer.weight")
            _check_embedding(len(embedding), widths[START], "the last stage's")
            weights["embedding.weight"], classes = embedding.mT.contiguous(), embedding.shape[1]
        theirs.leave_out_filters(FILTERS)
        options = {**pyramid_options("r3gan", widths), **_block_options(theirs, blocks)}
        channels, conditioning = weights["layers.0.weight"].shape[1], "projection" if classes else "none"
        facts = ImportedFacts(max(widths), channels, classes, conditioning=conditioning)
        return ImportedNetwork({"name": "r3gan", **options}, facts, weights)


def _root(theirs: TheirTensors) -> str:
    return "Model." if any(name.startswith("Model.") for name in theirs) else ""


def _blocks(theirs: TheirTensors, root: str, stage: int) -> list[str]:
    """The names of a stage's residual blocks."""
    prefix = f"{root}MainLayers.{stage}.Layers."
    layers = theirs.numbers(rf"{prefix}(\d+)\.")
    return [name for name in (f"{prefix}{layer}" for layer in layers) if f"{name}.NonLinearity1.Bias" in theirs]


def _width(theirs: TheirTensors, block: str) -> int:
    return theirs.shape(f"{block}.LinearLayer1.Layer.weight")[1]


def _take_blocks(theirs: TheirTensors, names: list[str], at: int, weights: dict[str, Tensor]) -> int:
    """Put blocks into the sequence of layers from ``at`` on, and give the place after them."""
    for name in names:
        weights |= {f"layers.{at}.{ours}": theirs.take(f"{name}.{part}") for ours, part in BLOCK.items()}
        at += 1
    return at


def _block_options(theirs: TheirTensors, blocks: list[list[str]]) -> dict[str, int]:
    """``blocks``, ``expansion`` and ``group``, which are of all stages."""
    counts = sorted({len(stage) for stage in blocks})
    if len(counts) > 1:
        raise refuse("BlocksPerStage", counts, "as many blocks in every stage")
    shapes = [theirs.shape(f"{stage[0]}.LinearLayer2.Layer.weight") for stage in blocks]
    groups = sorted({shape[1] for shape in shapes})
    if len(groups) > 1:
        raise refuse("CardinalityPerStage", f"channels in groups of {groups}", "groups of as many channels everywhere")
    if shapes[0][2] != 3:
        raise refuse("KernelSize", shapes[0][2], "3")
    return {"blocks": counts[0], "expansion": shapes[0][0] // _width(theirs, blocks[0][0]), "group": groups[0]}


def _check_embedding(length: int, wanted: int, whose: str) -> None:
    if length != wanted:
        raise refuse("ConditionEmbeddingDimension", length, f"{whose}, {wanted},")
