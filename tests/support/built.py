"""A built trainer in words, row by row: what docs/recipes.md says of each recipe."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ganflow.config import components
from ganflow.config.schema import Config
from ganflow.methods.f_anogan import FAnoGAN
from ganflow.methods.gan import GAN
from ganflow.methods.ganomaly import GANomaly
from ganflow.methods.networks.biggan import SelfAttention
from ganflow.methods.networks.layers.residual import DownBlock, UpBlock
from ganflow.methods.networks.mlp import Maxout, Sigmoid
from ganflow.methods.players.player import Player
from ganflow.methods.regression import Regression
from ganflow.methods.vae import VAE
from ganflow.training.schedules import factor
from ganflow.training.trainer import Trainer

NAMED: dict[type[nn.Module], str] = {
    nn.ReLU: "ReLU", nn.Tanh: "tanh", Sigmoid: "2σ − 1", Maxout: "maxout", SelfAttention: "attention",
}  # fmt: skip
UNSEEN = (nn.Identity, nn.Flatten)


def rows(config: Config, trainer: Trainer) -> dict[str, str]:
    """Row → value, all of them text."""
    players, t = trainer.state.players, trainer.training
    turns = [turn.player for turn in trainer.method.turns]
    step = t.batch * (turns.count("D") or 1)
    lines: dict[str, str] = {}
    for name, player in players.items():
        lines[name] = f"{sum(p.numel() for p in player.parameters):,} parameters"
        lines[f"{name}, layers"] = ", ".join(repeated(layers(player.network)))
        lines[f"{name}, first weights"] = first_weights(player.network)
        lines[f"{name}, optimizer"] = optimizer(player)
    lines |= {"z": f"{trainer.spec.latent_dim}, normal", "classes": config.gan.conditioning}
    lines |= of_the_method(config, trainer)
    lines |= {
        "flips": "half of the images" if t.mirror else "none",
        "batch": str(trainer.accumulator.size),
        "turns of D to one of G": str(turns.count("D")),
        "length": f"{trainer.total / 1000:,.0f} kimg, {trainer.total / step:,.0f} turns of G",
        "rates, of the first": ", ".join(f"{rate(trainer, share):g}" for share in (0, 0.5, 1)),
        "what moves": "; ".join(moves(trainer)) or "nothing",
        "average of G": average(trainer, step),
    }
    return lines


def layers(network: nn.Module) -> Iterator[str]:
    """Every layer in its order; of a module that is not known here, its name and the number of its parameters."""
    for child in network.children():
        if isinstance(child, nn.ModuleList | nn.Sequential) or type(child).__name__ in ("LatentInput", "Head"):
            yield from layers(child)
        elif not isinstance(child, UNSEEN):
            yield layer(child)


def layer(module: nn.Module) -> str:
    """A layer in words."""
    normed = " (SN)" if any(map(is_parametrized, module.modules())) else ""
    if isinstance(module, nn.Linear):
        without = "" if module.bias is not None else " no bias"
        return f"dense {module.in_features}→{module.out_features}{without}{normed}"
    if isinstance(module, nn.Embedding):
        return f"embedding {module.num_embeddings}→{module.embedding_dim}{normed}"
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        kind = "conv" if isinstance(module, nn.Conv2d) else "transposed"
        shape = f"{module.kernel_size[0]}×{module.kernel_size[1]} {module.in_channels}→{module.out_channels}"
        return f"{kind} {shape} /{module.stride[0]}{normed}"
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return f"BN {module.num_features} ({module.momentum:g}, {module.eps:g})"
    if isinstance(module, UpBlock):
        return f"up {module.conv1.in_channels}→{module.conv2.out_channels}{normed}"
    if isinstance(module, DownBlock):
        kind = "down" if module.halve else "block"
        return f"{kind} {module.conv1.in_channels}→{module.conv1.out_channels}→{module.conv2.out_channels}{normed}"
    if isinstance(module, nn.LeakyReLU):
        return f"LeakyReLU {module.negative_slope:g}"
    if isinstance(module, nn.Dropout):
        return f"dropout {module.p:g}"
    return NAMED.get(type(module)) or f"{type(module).__name__} {sum(p.numel() for p in module.parameters()):,}"


def repeated(texts: Iterable[str]) -> Iterator[str]:
    """Equal neighbours as one, with their number."""
    for text, group in groupby(texts):
        number = len(list(group))
        yield text if number == 1 else f"{number} × {text}"


def first_weights(network: nn.Module) -> str:
    """The law of the largest weight, told from its values."""
    weight = max((p for p in network.parameters() if p.dim() > 1), key=Tensor.numel).detach()
    fan_in, fan_out = weight[0].numel(), weight.shape[0] * weight[0, 0].numel()
    deviation, most = float(weight.std()), float(weight.abs().max())
    flat = weight.flatten(1)
    gram = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    if torch.allclose(gram, torch.eye(len(gram)), atol=1e-3):
        return "orthogonal"
    glorot = sqrt(6 / (fan_in + fan_out))
    uniform = {"Glorot's": glorot, "Glorot's × √2": glorot * sqrt(2), "torch's own": 1 / sqrt(fan_in)}
    normal = {"N(0, 0.02)": 0.02, "N(0, 1)": 1.0, "He's": sqrt(2 / fan_in)}
    known, size = (uniform, most) if most < 2 * deviation else (normal, deviation)
    named = [name for name, expected in known.items() if abs(size / expected - 1) < 0.02]
    return named[0] if named else f"deviation {deviation:.2g}"


def optimizer(player: Player) -> str:
    """As built, stretched for lazy regularisation where that is so."""
    group = player.optimizer.param_groups[0]
    kind = type(player.optimizer).__name__.removeprefix("Lean").removeprefix("Skipping")
    moments = f"β {group['betas'][0]:.4g} and {group['betas'][1]:.4g}" if "betas" in group else f"α {group['alpha']:g}"
    return f"{kind} {group['lr']:.4g}, {moments}, ε {group['eps']:g}"


def of_the_method(config: Config, trainer: Trainer) -> dict[str, str]:
    """Loss, regularisers and augmentation with all their options, of what was built."""
    method, given = trainer.method, trainer.spec.given.values()
    itself = "the image itself" if trainer.spec.detects else "the data's"
    lines = {"given": "; ".join(map(node_with_options, given)) or itself} if trainer.spec.restores else {}
    if isinstance(method, VAE):
        return lines | {"loss": f"vae: sigma={method.sigma:g}, beta={method.beta:g}"}
    assert isinstance(method, GAN | Regression)
    chosen_content = config.gan.content
    assert list(chosen_content) == list(method.content)
    content = [with_options("content_loss", chosen_content[name], built) for name, built in method.content.items()]
    lines |= {"content": "; ".join(content)} if content else {}
    if isinstance(method, FAnoGAN):
        lines |= {"loss of E": f"izi_f: κ={method.kappa:g}"}
    if isinstance(method, GANomaly):
        weights = method.weights
        lines |= {"loss of G": f"pixels={weights.pixels:g}, features={weights.features:g}, codes={weights.codes:g}"}
    if isinstance(method, Regression):
        return lines
    chosen = config.gan.regularizers
    assert list(chosen) == list(method.regularizers)
    terms = [with_options("regularizer", chosen[name], built) for name, built in method.regularizers.items()]
    return lines | {
        "loss": with_options("loss", config.gan.loss, method.loss),
        "regularisers": "; ".join(terms) or "none",
        "augmentation": with_options("augmentation", config.gan.augmentation, method.augmentation),
    }


def with_options(group: str, node: dict[str, object], built: object) -> str:
    """A component's name and its options."""
    assert type(built) is components.choices(group)[str(node["name"])]
    return node_with_options(node)


def node_with_options(node: Mapping[str, object]) -> str:
    """The same of a choice in params.yaml."""
    options = [f"{key}={plain(value)}" for key, value in node.items() if key != "name"]
    return f"{node['name']}: {', '.join(options)}" if options else str(node["name"])


def plain(value: object) -> str:
    """Numbers without what says nothing."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def rate(trainer: Trainer, share: float) -> float:
    """The factor of both players' learning rates after a share of the run."""
    s = trainer.training.schedule
    end = trainer.total if s.kimg is None else s.kimg * 1000
    return factor(round(share * trainer.total), s.warmup_kimg * 1000, s.decay, s.floor, end)


def moves(trainer: Trainer) -> Iterator[str]:
    """What the schedule moves, from where to where."""
    for ramp in trainer.ramps:
        start, end = (" and ".join(f"{value:g}" for value in values) for values in (ramp.start, ramp.end))
        yield f"{ramp.key} {start} to {end}"


def average(trainer: Trainer, step: int) -> str:
    """The weight of the old average in a turn of G at the end of the run, and the first turn that is averaged."""
    ema = trainer.state.ema
    first = f" from turn {ema.start / step:,.0f} on" if ema.start else ""
    return f"{ema.beta(trainer.total, step):.4f} a turn of G{first}"
