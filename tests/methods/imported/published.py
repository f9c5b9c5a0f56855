"""The authors' networks in plain functions on state dicts under the authors' names, and such state dicts.

Written from stylegan2-ada-pytorch, R3GAN and BigGAN-PyTorch, and independent of ganflow's networks.
"""

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ganflow.config import components
from ganflow.methods.imported.build import Asked, PublishedModel, read_published
from ganflow.methods.networks.facts import network_facts

State = dict[str, Tensor]
FILTER = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])).double() / 64
SLOPE = 0.2


class Drawn:
    """A state dict of random tensors."""

    def __init__(self, seed: int = 0) -> None:
        self.state: State = {}
        self._random = torch.Generator().manual_seed(seed)

    def draw(self, name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> None:
        self.state[name] = mean + scale * torch.randn(shape, generator=self._random)

    def layer(self, name: str, *shape: int, bias: float | None = 0.0, scale: float = 1.0) -> None:
        self.draw(f"{name}.weight", *shape, scale=scale)
        if bias is not None:
            self.draw(f"{name}.bias", shape[0], scale=0.3, mean=bias)

    def spectral(self, name: str, *shape: int, bias: bool = True) -> None:
        self.layer(name, *shape, bias=0.0 if bias else None, scale=0.5)
        self.draw(f"{name}.u0", 1, shape[0])
        self.draw(f"{name}.sv0", 1)


def double(state: State) -> State:
    return {name: tensor.double() for name, tensor in state.items()}


def read(path: Path, content: object, **asked: object) -> PublishedModel:
    torch.save(content, path)
    return read_published(Asked(path, **asked))  # type: ignore[arg-type]


def discriminator_of(model: PublishedModel, name: str) -> Callable[..., Tensor]:
    """The player D, built as the model's own lines say."""
    prefix = "gan.discriminator."
    words = dict(line.split("=") for line in model.overrides)
    typed = {"True": True, "False": False}
    options = {
        key.removeprefix(prefix): typed.get(value, value) for key, value in words.items() if key.startswith(prefix)
    }
    spec = model.spec
    facts = {**network_facts(spec.shape, spec.num_classes), "conditioning": words["gan.conditioning"]}
    network = components.build("discriminator", {"name": name, **options}, "gan.discriminator", **facts)
    network.load_state_dict(model.players["D"])
    built: Callable[..., Tensor] = network.eval()
    return built


def resampled(x: Tensor, up: int, down: int, pad: int, gain: float = 1.0) -> Tensor:
    """Zeros between pixels, a margin, the filter, every so manieth pixel (upfirdn2d)."""
    n, c, h, w = x.shape
    wide = x.new_zeros(n, c, h * up, w * up)
    wide[:, :, ::up, ::up] = x
    left = pad + up - 1
    return F.conv2d(F.pad(wide, (left, pad, left, pad)), gain * FILTER.expand(c, 1, 4, 4), stride=down, groups=c)


# StyleGAN2-ADA


def ada_generator(
    channels: dict[int, int], classes: int = 0, latent: int = 6, w: int = 5, layers: int = 2, colours: int = 3
) -> State:
    made = Drawn(1)
    if classes:
        made.layer("mapping.embed", w, classes)
    for i in range(layers):
        made.layer(f"mapping.fc{i}", w, (latent + (w if classes else 0)) if i == 0 else w, scale=100)
    made.draw("mapping.w_avg", w)
    made.draw("synthesis.b4.const", channels[4], 4, 4)
    for side, width in channels.items():
        block = f"synthesis.b{side}"
        made.state[f"{block}.resample_filter"] = FILTER.float()
        for conv, before in (("conv0", channels.get(side // 2, 0)), ("conv1", width)):
            if before:
                made.layer(f"{block}.{conv}", width, before, 3, 3)
                made.layer(f"{block}.{conv}.affine", before, w, bias=1.0)
                made.draw(f"{block}.{conv}.noise_const", side, side)
                made.draw(f"{block}.{conv}.noise_strength")
        made.layer(f"{block}.torgb", colours, width, 1, 1)
        made.layer(f"{block}.torgb.affine", width, w, bias=1.0)
    return made.state


def ada_dense(s: State, name: str, x: Tensor, rate: float = 1.0) -> Tensor:
    weight = s[f"{name}.weight"]
    return x @ (weight * rate / math.sqrt(weight.shape[1])).T + s[f"{name}.bias"] * rate


def lrelu(x: Tensor, clamp: float = 0.0, gain: float = 1.0) -> Tensor:
    y = F.leaky_relu(x, SLOPE) * math.sqrt(2) * gain
    return y.clamp(-clamp * gain, clamp * gain) if clamp else y


def unit(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def ada_mapping(s: State, z: Tensor | None, labels: Tensor | None) -> Tensor:
    parts = [] if z is None else [unit(z)]
    if labels is not None:
        one_hot = F.one_hot(labels, s["mapping.embed.weight"].shape[1]).double()
        parts.append(unit(ada_dense(s, "mapping.embed", one_hot)))
    x = torch.cat(parts, 1)
    for i in range(sum(".fc" in name and name.endswith("weight") for name in s if name.startswith("mapping"))):
        x = lrelu(ada_dense(s, f"mapping.fc{i}", x, 0.01))
    return x


def ada_layer(s: State, name: str, x: Tensor, w: Tensor, up: bool, clamp: float) -> Tensor:
    """Each image by its own kernel."""
    styles, made = ada_dense(s, f"{name}.affine", w), []
    for image, style in zip(x, styles, strict=True):
        kernel = s[f"{name}.weight"] * style[None, :, None, None]
        kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            doubled = F.conv_transpose2d(image[None], kernel.transpose(0, 1), stride=2)
            made.append(resampled(doubled, 1, 1, 1, gain=4.0))
        else:
            made.append(F.conv2d(image[None], kernel, padding=1))
    y = torch.cat(made) + s[f"{name}.noise_const"] * s[f"{name}.noise_strength"]
    return lrelu(y + s[f"{name}.bias"][:, None, None], clamp)


def ada_generate(s: State, z: Tensor, labels: Tensor | None = None, psi: float = 1.0, clamp: float = 256.0) -> Tensor:
    w = ada_mapping(s, z, labels)
    w = s["mapping.w_avg"] + psi * (w - s["mapping.w_avg"])
    x, images = s["synthesis.b4.const"].expand(len(z), -1, -1, -1), None
    for side in sorted({int(name.split(".")[1][1:]) for name in s if name.startswith("synthesis")}):
        block = f"synthesis.b{side}"
        if side > 4:
            x = ada_layer(s, f"{block}.conv0", x, w, True, clamp)
        x = ada_layer(s, f"{block}.conv1", x, w, False, clamp)
        styles = ada_dense(s, f"{block}.torgb.affine", w) / math.sqrt(x.shape[1])
        rgb = F.conv2d(x * styles[:, :, None, None], s[f"{block}.torgb.weight"], s[f"{block}.torgb.bias"])
        rgb = rgb.clamp(-clamp, clamp) if clamp else rgb
        images = rgb if images is None else resampled(images, 2, 1, 1, gain=4.0) + rgb
    assert images is not None
    return images


def ada_discriminator(channels: dict[int, int], residual: bool, classes: int = 0, colours: int = 3) -> State:
    made = Drawn(2)
    sides = sorted(channels, reverse=True)
    made.layer(f"b{sides[0]}.fromrgb", channels[sides[0]], colours, 1, 1)
    for side in sides[:-1]:
        before, after = channels[side], channels[side // 2]
        made.layer(f"b{side}.conv0", before, before, 3, 3)
        made.layer(f"b{side}.conv1", after, before, 3, 3)
        made.state[f"b{side}.resample_filter"] = FILTER.float()
        if residual:
            made.layer(f"b{side}.skip", after, before, 1, 1, bias=None)
    made.layer("b4.conv", channels[4], channels[4] + 1, 3, 3)
    made.layer("b4.fc", channels[4], channels[4] * 16)
    made.layer("b4.out", channels[4] if classes else 1, channels[4])
    if classes:
        made.layer("mapping.embed", channels[4], classes)
        made.layer("mapping.fc0", channels[4], channels[4], scale=100)
    return made.state


def ada_conv(s: State, name: str, x: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
    weight = s[f"{name}.weight"]
    bias = s.get(f"{name}.bias")
    return F.conv2d(x, weight / math.sqrt(weight[0].numel()), bias, stride, padding)


def ada_discriminate(s: State, x: Tensor, labels: Tensor | None = None, clamp: float = 256.0) -> Tensor:
    sides = sorted({int(name.split(".")[0][1:]) for name in s if name.startswith("b")}, reverse=True)
    x = lrelu(ada_conv(s, f"b{sides[0]}.fromrgb", x), clamp)
    for side in sides[:-1]:
        block = f"b{side}"
        residual = f"{block}.skip.weight" in s
        gain = math.sqrt(0.5) if residual else 1.0
        y = lrelu(ada_conv(s, f"{block}.conv0", x, padding=1), clamp)
        y = lrelu(ada_conv(s, f"{block}.conv1", resampled(y, 1, 1, 2), stride=2), clamp, gain)
        x = y + gain * ada_conv(s, f"{block}.skip", resampled(x, 1, 2, 1)) if residual else y
    deviation = (x.var(0, unbiased=False) + 1e-8).sqrt().mean().expand(len(x), 1, 4, 4)  # of one group
    x = lrelu(ada_conv(s, "b4.conv", torch.cat([x, deviation], 1), padding=1), clamp)
    x = ada_dense(s, "b4.out", lrelu(ada_dense(s, "b4.fc", x.flatten(1))))
    if labels is not None:
        x = (x * ada_mapping(s, None, labels)).sum(1, keepdim=True) / math.sqrt(x.shape[1])
    return x.squeeze(1)


# R3GAN

INNER = 2  # their ExpansionFactor


def r3gan_block(made: Drawn, name: str, width: int, group: int) -> None:
    inner = width * INNER
    made.draw(f"{name}.LinearLayer1.Layer.weight", inner, width, 1, 1, scale=0.3)
    made.draw(f"{name}.LinearLayer2.Layer.weight", inner, group, 3, 3, scale=0.2)
    made.draw(f"{name}.LinearLayer3.Layer.weight", width, inner, 1, 1, scale=0.2)
    made.draw(f"{name}.NonLinearity1.Bias", inner)
    made.draw(f"{name}.NonLinearity2.Bias", inner)


def r3gan_generator(widths: list[int], classes: int = 0, latent: int = 6, group: int = 4) -> State:
    made = Drawn(3)
    for stage, width in enumerate(widths):
        name = f"Model.MainLayers.{stage}.Layers"
        if stage == 0:
            made.draw(f"{name}.0.Basis", width, 4, 4)
            made.draw(f"{name}.0.LinearLayer.weight", width, latent * (2 if classes else 1), scale=0.3)
        else:
            made.state[f"{name}.0.Resampler.Kernel"] = FILTER.float()
            if widths[stage - 1] != width:
                made.draw(f"{name}.0.LinearLayer.Layer.weight", width, widths[stage - 1], 1, 1, scale=0.3)
        for block in (1, 2):
            r3gan_block(made, f"{name}.{block}", width, group)
    made.draw("Model.AggregationLayer.Layer.weight", 3, widths[-1], 1, 1, scale=0.3)
    if classes:
        made.draw("Model.EmbeddingLayer.weight", latent, classes)
    return made.state


def r3gan_run(s: State, name: str, x: Tensor) -> Tensor:
    """A residual block, or a change of width and side."""
    if f"{name}.NonLinearity1.Bias" not in s:
        change = s.get(f"{name}.LinearLayer.Layer.weight")
        return x if change is None else F.conv2d(x, change)
    first, second, third = (s[f"{name}.LinearLayer{i}.Layer.weight"] for i in (1, 2, 3))
    y = F.leaky_relu(F.conv2d(x, first, s[f"{name}.NonLinearity1.Bias"]), SLOPE)
    y = F.conv2d(y, second, s[f"{name}.NonLinearity2.Bias"], padding=1, groups=len(second) // second.shape[1])
    return x + F.conv2d(F.leaky_relu(y, SLOPE), third)


def r3gan_generate(s: State, z: Tensor, labels: Tensor | None = None) -> Tensor:
    if labels is not None:
        z = torch.cat([z, s["Model.EmbeddingLayer.weight"].T[labels]], 1)
    first = "Model.MainLayers.0.Layers.0"
    x = s[f"{first}.Basis"] * (z @ s[f"{first}.LinearLayer.weight"].T)[:, :, None, None]
    for stage in range(1 + max(int(name.split(".")[2]) for name in s if "MainLayers" in name)):
        if stage:
            x = resampled(r3gan_run(s, f"Model.MainLayers.{stage}.Layers.0", x), 2, 1, 1, gain=4.0)
        for block in (1, 2):
            x = r3gan_run(s, f"Model.MainLayers.{stage}.Layers.{block}", x)
    return F.conv2d(x, s["Model.AggregationLayer.Layer.weight"])


def r3gan_discriminator(widths: list[int], classes: int = 0, group: int = 4) -> State:
    """Widths from the largest map to the smallest."""
    made = Drawn(4)
    made.draw("Model.ExtractionLayer.Layer.weight", widths[0], 3, 1, 1, scale=0.5)
    for stage, width in enumerate(widths):
        name = f"Model.MainLayers.{stage}.Layers"
        for block in (0, 1):
            r3gan_block(made, f"{name}.{block}", width, group)
        if stage == len(widths) - 1:
            made.draw(f"{name}.2.Basis.weight", width, 1, 4, 4, scale=0.3)
            made.draw(f"{name}.2.LinearLayer.weight", width if classes else 1, width, scale=0.3)
            continue
        made.state[f"{name}.2.Resampler.Kernel"] = FILTER.float()
        if widths[stage + 1] != width:
            made.draw(f"{name}.2.LinearLayer.Layer.weight", widths[stage + 1], width, 1, 1, scale=0.3)
    if classes:
        made.draw("Model.EmbeddingLayer.weight", widths[-1], classes)
    return made.state


def r3gan_discriminate(s: State, x: Tensor, labels: Tensor | None = None) -> Tensor:
    x = F.conv2d(x, s["Model.ExtractionLayer.Layer.weight"])
    last = max(int(name.split(".")[2]) for name in s if "MainLayers" in name)
    for stage in range(last + 1):
        name = f"Model.MainLayers.{stage}.Layers"
        x = r3gan_run(s, f"{name}.1", r3gan_run(s, f"{name}.0", x))
        if stage < last:
            x = r3gan_run(s, f"{name}.2", resampled(x, 1, 2, 1))
    features = F.conv2d(x, s[f"{name}.2.Basis.weight"], groups=x.shape[1]).flatten(1)
    logits = features @ s[f"{name}.2.LinearLayer.weight"].T
    if labels is not None:
        logits = (logits * s["Model.EmbeddingLayer.weight"].T[labels]).sum(1, keepdim=True)
    return logits.squeeze(1)


# BigGAN at 32 pixels


def biggan_attention(made: Drawn, name: str, width: int) -> None:
    for part, after, before in (("theta", 8, 1), ("phi", 8, 1), ("g", 2, 1), ("o", 1, 2)):
        made.spectral(f"{name}.{part}", max(1, width // after), max(1, width // before), 1, 1, bias=False)
    made.draw(f"{name}.gamma", mean=0.7, scale=0.1)


def biggan_statistics(made: Drawn, name: str, width: int) -> None:
    made.draw(f"{name}.stored_mean", width)
    made.draw(f"{name}.stored_var", width)
    made.state[f"{name}.stored_var"] = made.state[f"{name}.stored_var"].abs() + 0.5


def biggan_generator(ch: int = 4, classes: int = 3, chunk: int = 2, shared: int = 5, attention: int = 1) -> State:
    """``shared`` 0: an embedding of each normalisation's own; ``attention``: after which block."""
    made, width = Drawn(5), 4 * ch
    if shared:
        made.draw("shared.weight", classes, shared)
    made.spectral("linear", width * 16, chunk)
    for index in range(3):
        name = f"blocks.{index}.0"
        for part, kernel in (("conv1", 3), ("conv2", 3), ("conv_sc", 1)):
            made.spectral(f"{name}.{part}", width, width, kernel, kernel)
        for bn in ("bn1", "bn2"):
            biggan_statistics(made, f"{name}.{bn}", width)
            for part in ("gain", "bias"):
                if shared:
                    made.spectral(f"{name}.{bn}.{part}", width, shared + chunk, bias=False)
                else:
                    made.layer(f"{name}.{bn}.{part}", classes, width, bias=None)
        if index == attention:
            biggan_attention(made, f"blocks.{index}.1", width)
    made.draw("output_layer.0.gain", width, mean=1.0)
    made.draw("output_layer.0.bias", width)
    biggan_statistics(made, "output_layer.0", width)
    made.spectral("output_layer.2", 3, width, 3, 3)
    return made.state


def spectral_weight(s: State, name: str) -> Tensor:
    """Divided by its norm, after one step of the power iteration."""
    weight = s[f"{name}.weight"]
    matrix = weight.flatten(1)
    v = F.normalize(s[f"{name}.u0"] @ matrix)
    u = F.normalize(v @ matrix.T)
    return weight / (v @ matrix.T @ u.T).squeeze()


def biggan_conv(s: State, name: str, x: Tensor) -> Tensor:
    weight = spectral_weight(s, name)
    return F.conv2d(x, weight, s.get(f"{name}.bias"), padding=weight.shape[2] // 2)


def biggan_normal(s: State, name: str, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    mean, variance = s[f"{name}.stored_mean"], s[f"{name}.stored_var"]
    normal = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
    return normal * gain[..., None, None] + bias[..., None, None]


def biggan_attended(s: State, name: str, x: Tensor) -> Tensor:
    if f"{name}.gamma" not in s:
        return x
    theta, phi, g = (biggan_conv(s, f"{name}.{part}", x) for part in ("theta", "phi", "g"))
    phi, g = F.max_pool2d(phi, 2).flatten(2), F.max_pool2d(g, 2).flatten(2)
    weights = torch.einsum("ncq,nck->nqk", theta.flatten(2), phi).softmax(2)
    seen = torch.einsum("nck,nqk->ncq", g, weights).view(len(x), -1, *x.shape[2:])
    return s[f"{name}.gamma"] * biggan_conv(s, f"{name}.o", seen) + x


def biggan_generate(s: State, z: Tensor, labels: Tensor) -> Tensor:
    chunk = s["linear.weight"].shape[1]
    parts = list(z.split(chunk, 1))
    h = parts[0] @ spectral_weight(s, "linear").T + s["linear.bias"]
    h = h.view(len(z), -1, 4, 4)
    for index in range(3):
        name = f"blocks.{index}.0"

        def condition(bn: str, part: str, index: int = index, name: str = name) -> Tensor:
            if "shared.weight" not in s:
                return s[f"{name}.{bn}.{part}.weight"][labels]
            y = torch.cat([s["shared.weight"][labels], parts[index + 1]], 1)
            return y @ spectral_weight(s, f"{name}.{bn}.{part}").T

        x = biggan_normal(s, f"{name}.bn1", h, 1 + condition("bn1", "gain"), condition("bn1", "bias"))
        x = biggan_conv(s, f"{name}.conv1", F.interpolate(F.relu(x), scale_factor=2))
        x = biggan_normal(s, f"{name}.bn2", x, 1 + condition("bn2", "gain"), condition("bn2", "bias"))
        x = biggan_conv(s, f"{name}.conv2", F.relu(x))
        h = x + biggan_conv(s, f"{name}.conv_sc", F.interpolate(h, scale_factor=2))
        h = biggan_attended(s, f"blocks.{index}.1", h)
    h = biggan_normal(s, "output_layer.0", h, s["output_layer.0.gain"], s["output_layer.0.bias"])
    return biggan_conv(s, "output_layer.2", F.relu(h)).tanh()


def biggan_discriminator(ch: int = 4, classes: int = 3, attention: tuple[int, ...] = (0,)) -> State:
    made, width = Drawn(6), 4 * ch
    for index in range(4):
        before = width if index else 3
        made.spectral(f"blocks.{index}.0.conv1", width, before, 3, 3)
        made.spectral(f"blocks.{index}.0.conv2", width, width, 3, 3)
        if index < 2:
            made.spectral(f"blocks.{index}.0.conv_sc", width, before, 1, 1)
        if index in attention:
            biggan_attention(made, f"blocks.{index}.1", width)
    made.spectral("linear", 1, width)
    made.spectral("embed", classes, width, bias=False)
    return made.state


def biggan_discriminate(s: State, x: Tensor, labels: Tensor) -> Tensor:
    for index in range(4):
        name = f"blocks.{index}.0"
        y = biggan_conv(s, f"{name}.conv1", F.relu(x) if index else x)
        y = biggan_conv(s, f"{name}.conv2", F.relu(y))
        if index < 2:
            y, x = F.avg_pool2d(y, 2), biggan_conv(s, f"{name}.conv_sc", F.avg_pool2d(x, 2))
        x = biggan_attended(s, f"blocks.{index}.1", x + y)
    h = F.relu(x).sum((2, 3))
    logits = h @ spectral_weight(s, "linear").T + s["linear.bias"]
    return logits.squeeze(1) + (spectral_weight(s, "embed")[labels] * h).sum(1)
