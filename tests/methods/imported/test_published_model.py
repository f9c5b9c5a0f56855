"""Lines on what was understood, what starts from a model, and refusals, each in one line."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError, GanflowError
from ganflow.methods.imported.build import Asked, read_published
from ganflow.methods.start import Start
from ganflow.training.build import build_trainer
from tests.methods.imported import published
from tests.methods.imported.published import State, read
from tests.support.sparse import write_sparse
from tests.training.small import CPU, config

ADA = {4: 8, 8: 8, 16: 4}


def ada(**options: int) -> State:
    return published.ada_generator(ADA, **options)


def test_lines_say_what_was_understood_and_what_was_left_out(tmp_path: Path) -> None:
    D = published.ada_discriminator(ADA, residual=True)
    model = read(tmp_path / "x.pt", {"G_ema": ada(), "G": ada(), "D": D, "g_optim": {"state": torch.ones(1)}})
    generator = "name=stylegan2 width=8 halve_after=8 w_dim=5 clamp=256.0 mapping_layers=2"
    discriminator = "name=stylegan2 width=8 halve_after=8 architecture=resnet mbstd_group=4 clamp=256.0"
    assert model.lines == [
        "understood: RGB images of 16x16, unconditional, latent_dim=6; "
        f"generator: {generator}; discriminator: {discriminator}",
        "left out: g_optim",
        "left out: 8 tensors such as b16.resample_filter: constants, the filter [1, 3, 3, 1]",
    ]
    assert set(model.players) == {"G", "D"}


def test_prefixed_names_in_one_safetensors_are_the_same_model(tmp_path: Path) -> None:
    content = {"G_ema": ada(classes=3), "D": published.ada_discriminator(ADA, False, 3)}
    nested = read(tmp_path / "x.pt", content)
    flat = {f"{part}.module.{name}": t.clone() for part, state in content.items() for name, t in state.items()}
    save_file(flat, tmp_path / "x.safetensors")
    other = read_published(Asked(tmp_path / "x.safetensors"))
    assert (other.lines, other.spec) == (nested.lines, nested.spec)
    assert same(other.generator.state_dict(), nested.generator.state_dict())
    assert same(other.players["D"], nested.players["D"])


def same(a: object, b: object) -> bool:
    assert isinstance(a, dict)
    assert isinstance(b, dict)
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_without_an_average_the_generator_s_own_weights_are_sampled(tmp_path: Path) -> None:
    model = read(tmp_path / "x.pt", {"G": ada()})
    line = "the file has no average of the generator's weights: those that it left off with are sampled"
    assert model.lines[-1] == line
    assert set(model.players) == {"G"}


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    model = read(tmp_path / "x.pt", {name: tensor.half() for name, tensor in ada().items()})
    assert {tensor.dtype for tensor in model.generator.state_dict().values()} == {torch.float32}


def pair(name: str) -> dict[str, State]:
    if name == "stylegan2":
        return {"G_ema": ada(classes=3), "D": published.ada_discriminator(ADA, False, 3)}
    if name == "r3gan":
        return {"G_ema": published.r3gan_generator([8, 8, 4], 3), "D": published.r3gan_discriminator([4, 8, 8], 3)}
    return {"G_ema": published.biggan_generator(), "D": published.biggan_discriminator(attention=(0,))}


@pytest.mark.parametrize("name", ["stylegan2", "r3gan", "biggan"])
def test_a_training_by_its_overrides_starts_from_every_tensor(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    content = pair(name)
    if name == "biggan":
        content["D"] = published.biggan_discriminator(attention=())
    model = read(tmp_path / "x.pt", content)
    write_sparse(tmp_path / "data", Facts(model.spec.shape, 3), 16, 1)
    data = Dataset.open(tmp_path / "data", verify=False)
    params = config(*model.overrides, "training.batch=4", "gan.freeze_discriminator=1", "training.start=theirs")
    average: dict[str, Tensor] = dict(model.generator.state_dict())
    start = Start("theirs", average, model.players, name)
    start.check(params, data.facts)
    trainer = build_trainer(params, data, CPU, None, start=start)
    assert caplog.messages == []
    assert same(dict(trainer.state.players["D"].network.state_dict()), dict(model.players["D"]))
    assert same(dict(trainer.state.players["G"].network.state_dict()), average)


def without(state: State, name: str) -> State:
    return {key: tensor for key, tensor in state.items() if key != name}


def ada_with_skip() -> State:
    return {**ada(), "synthesis.b8.skip.weight": torch.ones(8, 8, 1, 1)}


def other_filter() -> State:
    return {**ada(), "synthesis.b8.resample_filter": torch.ones(4, 4) / 16}


def other_channels() -> State:
    return published.ada_generator({4: 8, 8: 8, 16: 6})


def blocks_of_several_counts() -> State:
    state = published.r3gan_generator([8, 8])
    return {name: tensor for name, tensor in state.items() if "MainLayers.1.Layers.2" not in name}


def flat_z() -> State:
    state = published.biggan_generator()
    names = [f"blocks.{i}.0.bn{bn}.{part}.weight" for i in range(3) for bn in (1, 2) for part in ("gain", "bias")]
    return {**state, **{name: state[name][:, :5] for name in names}}


def deep() -> State:
    return {**published.biggan_generator(), "blocks.0.0.conv4.weight": torch.ones(1)}


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (
            lambda: without(ada(), "synthesis.b8.conv1.affine.bias"),
            "the average generator has no tensor synthesis.b8.conv1.affine.bias, which this architecture has",
        ),
        (
            lambda: {**ada(), "a": torch.ones(1), "b": torch.ones(1), "c.d": torch.ones(1), "e": torch.ones(1)},
            "the average generator has 4 tensors without a place here: a, b, c.d, …",
        ),
        (
            ada_with_skip,
            "architecture=resnet in the authors' code: the network here has skip in the generator alone",
        ),
        (
            lambda: without(ada(), "synthesis.b4.torgb.weight"),
            "architecture=orig in the authors' code: the network here has skip in the generator alone",
        ),
        (
            lambda: without(ada(), "synthesis.b4.conv1.noise_strength"),
            "use_noise=False in the authors' code: the network here has layers with noise alone",
        ),
        (
            other_filter,
            "synthesis.b8.resample_filter is another filter than [1, 3, 3, 1], which is all that there is here",
        ),
        (
            other_channels,
            "channels=8 at 4, 8 at 8, 6 at 16 in the authors' code: the network here has channels that every doubling "
            "halves from some side on alone",
        ),
        (
            lambda: {**ada(), "synthesis.b8.conv1.weight": torch.ones(8, 7, 3, 3)},
            "the average generator does not fit name=stylegan2 width=8 halve_after=8 w_dim=5 clamp=256.0 "
            "mapping_layers=2: convs.2.conv.weight is (8, 7, 3, 3), here (8, 8, 3, 3)",
        ),
        (
            blocks_of_several_counts,
            "BlocksPerStage=[1, 2] in the authors' code: the network here has as many blocks in every stage alone",
        ),
        (
            flat_z,
            "hier=False in the authors' code: the network here has z dealt out to all blocks where the class's "
            "embedding is shared alone",
        ),
        (deep, "this is BigGAN-deep, whose blocks have four convolutions; only BigGAN's can be imported"),
        (
            lambda: {**published.biggan_generator(), "linear.weight": torch.ones(3)},
            "the average generator's tensors do not belong together: tuple index out of range",
        ),
    ],
)
def test_a_variant_that_there_is_not_here_is_one_line(made: Callable[[], State], line: str, tmp_path: Path) -> None:
    with pytest.raises(GanflowError) as refused:
        read(tmp_path / "x.pt", made())
    assert str(refused.value) == line


def test_attention_elsewhere_is_refused_and_the_generator_alone_is_not(tmp_path: Path) -> None:
    content = {"G_ema": published.biggan_generator(), "D": published.biggan_discriminator(attention=(0, 1, 2, 3))}
    with pytest.raises(GanflowError) as refused:
        read(tmp_path / "x.pt", content)
    theirs = "attention=16_8_8_8, after 4 blocks, in the authors' code"
    assert (
        str(refused.value) == f"{theirs}: the network here has attention after one block, the first of its side, alone"
    )
    assert read(tmp_path / "x.pt", content, generator_only=True).players == {}


def test_a_skip_discriminator_is_refused(tmp_path: Path) -> None:
    D = {**published.ada_discriminator(ADA, residual=False), "b4.fromrgb.weight": torch.ones(8, 3, 1, 1)}
    with pytest.raises(GanflowError, match=r"^architecture=skip in the authors' code: .* has resnet and orig alone$"):
        read(tmp_path / "x.pt", {"G_ema": ada(), "D": D})


def test_other_networks_and_names_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match=r"names \(a, b\.c, …\) are not those of biggan or r3gan or stylegan2; save"):
        read(tmp_path / "x.pt", {"a": torch.ones(1), "b.c": torch.ones(1)})
    with pytest.raises(GanflowError, match=r"are not those of r3gan; save"):
        read(tmp_path / "x.pt", ada(), network="r3gan")
    with pytest.raises(ConfigError, match=r"^network=gan3: one of biggan, r3gan, stylegan2$"):
        read(tmp_path / "x.pt", ada(), network="gan3")
    with pytest.raises(ConfigError, match=r"^stylegan2\.clmp=1: no such key; "):
        read(tmp_path / "x.pt", ada(), options={"clmp": 1})
    with pytest.raises(GanflowError, match=r"x\.pt has no generator, but discriminator; give the generator's$"):
        read(tmp_path / "x.pt", {"D": published.ada_discriminator(ADA, residual=True)})


def test_a_discriminator_from_a_file_of_its_own_must_be_of_the_same_images(tmp_path: Path) -> None:
    torch.save(published.biggan_discriminator(attention=()), tmp_path / "D.pth")
    model = read(tmp_path / "G.pth", published.biggan_generator(), discriminator=tmp_path / "D.pth")
    assert set(model.players) == {"D"}
    torch.save(published.biggan_discriminator(classes=4, attention=()), tmp_path / "D.pth")
    line = (
        "the average generator is for images (3, 32, 32) of 3 classes, the discriminator is for images (3, 32, 32) of "
        "4 classes: give a pair that was trained together"
    )
    with pytest.raises(GanflowError) as refused:
        read(tmp_path / "G.pth", published.biggan_generator(), discriminator=tmp_path / "D.pth")
    assert str(refused.value) == line


def test_what_makes_no_finite_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match="makes NaN or infinity"):
        read(tmp_path / "x.pt", {**ada(), "synthesis.b4.const": torch.full((8, 4, 4), torch.nan)})
