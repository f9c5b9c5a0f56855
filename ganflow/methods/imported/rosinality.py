"""rosinality's names of StyleGAN2 (github.com/rosinality/stylegan2-pytorch, model.py) as those of NVIDIA's code."""

from collections.abc import Collection

from torch import Tensor

from ganflow.methods.imported.base import TheirTensors

LATENT_AVG = "latent_avg"  # beside the generators in a converted checkpoint


def knows(names: Collection[str] | TheirTensors) -> bool:
    """True of the names of this generator or discriminator."""
    return "input.input" in names or "final_linear.0.weight" in names


def generator_as_ada(theirs: TheirTensors) -> TheirTensors:
    """The generator under the names of NVIDIA's code, in its shapes."""
    tensors: dict[str, Tensor] = {"synthesis.b4.const": theirs.take("input.input")[0]}
    for index in theirs.numbers(r"style\.(\d+)\."):  # style.0 normalises z
        for part in ("weight", "bias"):
            tensors[f"mapping.fc{index - 1}.{part}"] = theirs.take(f"style.{index}.{part}")
    names = {"synthesis.b4.conv1": "conv1"}
    for index in theirs.numbers(r"convs\.(\d+)\."):
        names[f"synthesis.b{8 << index // 2}.conv{index % 2}"] = f"convs.{index}"
    for layer, (ours, name) in enumerate(names.items()):
        tensors |= _modulated(theirs, ours, f"{name}.conv")
        tensors[f"{ours}.bias"] = theirs.take(f"{name}.activate.bias").flatten()
        tensors[f"{ours}.noise_strength"] = theirs.take(f"{name}.noise.weight")[0]
        tensors[f"{ours}.noise_const"] = theirs.take(f"noises.noise_{layer}")[0, 0]
    outputs = {4: "to_rgb1"} | {8 << index: f"to_rgbs.{index}" for index in theirs.numbers(r"to_rgbs\.(\d+)\.")}
    for side, name in outputs.items():
        tensors |= _modulated(theirs, f"synthesis.b{side}.torgb", f"{name}.conv")
        tensors[f"synthesis.b{side}.torgb.bias"] = theirs.take(f"{name}.bias").flatten()
    if LATENT_AVG in theirs:
        tensors["mapping.w_avg"] = theirs.take(LATENT_AVG).flatten()
    return _renamed(theirs, tensors)


def _modulated(theirs: TheirTensors, ours: str, name: str) -> dict[str, Tensor]:
    style = {f"{ours}.affine.{part}": theirs.take(f"{name}.modulation.{part}") for part in ("weight", "bias")}
    return {**style, f"{ours}.weight": theirs.take(f"{name}.weight")[0]}


def discriminator_as_ada(theirs: TheirTensors) -> TheirTensors:
    """The discriminator under the names of NVIDIA's code."""
    blocks = theirs.numbers(r"convs\.(\d+)\.conv1\.")
    largest = 4 << len(blocks)
    names = {
        f"b{largest}.fromrgb.weight": "convs.0.0.weight",
        f"b{largest}.fromrgb.bias": "convs.0.1.bias",
        "b4.conv.weight": "final_conv.0.weight",
        "b4.conv.bias": "final_conv.1.bias",
    }
    for part in ("weight", "bias"):
        names |= {f"b4.fc.{part}": f"final_linear.0.{part}", f"b4.out.{part}": f"final_linear.1.{part}"}
    for index in blocks:
        block, name = f"b{largest >> (index - 1)}", f"convs.{index}"
        names |= {f"{block}.conv0.weight": f"{name}.conv1.0.weight", f"{block}.conv0.bias": f"{name}.conv1.1.bias"}
        names |= {f"{block}.conv1.weight": f"{name}.conv2.1.weight", f"{block}.conv1.bias": f"{name}.conv2.2.bias"}
        names[f"{block}.skip.weight"] = f"{name}.skip.1.weight"
    tensors = {ours: theirs.take(name) for ours, name in names.items()}
    return _renamed(theirs, {name: t.flatten() if name.endswith("bias") else t for name, t in tensors.items()})


def _renamed(theirs: TheirTensors, tensors: dict[str, Tensor]) -> TheirTensors:
    theirs.leave_out_filters(r"kernel$")
    theirs.check_all_taken()
    return TheirTensors(tensors, theirs.owner)
