"""PatchGAN beside its paper, and through a GAN's turns."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import ConfigError
from ganflow.methods.augmented_discriminator import Judgement
from ganflow.methods.networks.patch import PatchDiscriminator
from tests.support.ranks import on_ranks
from tests.training.small import config, run, trainer

PATCH = ("gan/discriminator=patch", "gan.discriminator.layers=1", "gan.discriminator.width=4")


def of_the_paper(channels: int, width: int, layers: int) -> nn.Sequential:
    """C64-C128-C256-C512 and one more convolution, by table: channels and stride of every layer."""
    table = [(width, 2), *((width * min(2**n, 8), 2) for n in range(1, layers)), (width * min(2**layers, 8), 1)]
    parts: list[nn.Module] = []
    for number, (after, stride) in enumerate(table):
        normalised = [nn.InstanceNorm2d(after)] if number else []
        parts += [nn.Conv2d(channels, after, 4, stride, 1, bias=not number), *normalised, nn.LeakyReLU(0.2)]
        channels = after
    return nn.Sequential(*parts, nn.Conv2d(channels, 1, 4, 1, 1))


@pytest.mark.parametrize(("layers", "side"), [(3, 70), (3, 256), (2, 40), (1, 8)])
def test_it_is_the_paper_s(layers: int, side: int) -> None:
    D, theirs = PatchDiscriminator((3, side, side), 0, "none", None, 8, layers), of_the_paper(3, 8, layers)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), D.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, side, side)
    torch.testing.assert_close(D(images), theirs(images))


@pytest.mark.parametrize(("layers", "pixels"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_is_as_large_as_the_paper_says(layers: int, pixels: int) -> None:
    D = PatchDiscriminator((1, 128, 128), 0, "none", None, 2, layers, norm="none").double()
    images = torch.randn(1, 1, 128, 128, dtype=torch.float64, requires_grad=True)
    verdicts = D(images)
    middle = verdicts.shape[2] // 2
    (slope,) = torch.autograd.grad(verdicts[0, 0, middle, middle], images)
    rows, columns = slope[0, 0].nonzero().T
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (pixels, pixels)


@pytest.mark.parametrize(
    ("shape", "options", "line"),
    [
        ((1, 8, 8), {"layers": 2}, "layers=2: 1 to 1 for images of 8×8"),
        ((1, 32, 48), {"layers": 4}, "layers=4: 1 to 3 for images of 48×32"),
        ((1, 4, 5), {}, "name=patch: cannot make 5×4 images; set data.resize=6 or more"),
        ((1, 64, 64), {"norm": "layer"}, "norm=layer: one of instance, batch, none"),
        ((1, 64, 64), {"width": 0}, "width=0: must be more than 0"),
    ],
)
def test_what_cannot_be_is_one_line(shape: tuple[int, int, int], options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PatchDiscriminator(shape, 0, "none", None, **options)  # type: ignore[arg-type]
    assert str(refused.value) == line


@pytest.mark.parametrize(("side", "layers"), [(6, 1), (11, 1), (12, 2), (24, 3), (256, 3)])
def test_three_layers_halve_the_map_where_they_can(side: int, layers: int) -> None:
    D = PatchDiscriminator((1, side, side), 0, "none", None, 2)
    assert [m.stride for m in D.layers if isinstance(m, nn.Conv2d)] == [(2, 2)] * layers + [(1, 1)]


def test_classes_are_matched_patch_by_patch() -> None:
    D = PatchDiscriminator((1, 8, 8), 3, "projection", None, 4, 1).double()
    images, labels = torch.randn(2, 1, 8, 8, dtype=torch.float64), torch.tensor([2, 0])
    h = D.layers(images)
    assert D.head.embedding is not None
    expected = D.head.linear(h).clone()
    padded = nn.functional.pad(h, (1, 1, 1, 1))
    for row in range(expected.shape[2]):
        for column in range(expected.shape[3]):
            mean = padded[:, :, row : row + 4, column : column + 4].mean((2, 3))
            expected[:, 0, row, column] += (D.head.embedding(labels) * mean).sum(1) / D.head.scale
    torch.testing.assert_close(D(images, labels), expected)


def test_outputs_are_read_by_their_shape() -> None:
    out = torch.randn(5, 1 + 3, 2, 2)
    judged = Judgement.of(out)
    torch.testing.assert_close(judged.logits, out[:, 0].flatten(1))
    assert judged.classes is not None
    torch.testing.assert_close(judged.classes, out[:, 1:].mean((2, 3)))
    torch.testing.assert_close(judged.by_image, out[:, 0].mean((1, 2)))
    assert Judgement.of(out[:, :1]).classes is None


TURNS = [
    (),
    ("gan/loss=hinge", "gan/augmentation=ada", "gan.augmentation.p=0.3", "gan.augmentation.interval=1"),
    ("gan/loss=relativistic", "gan/regularizers=[r1,r2]"),
    ("gan/loss=least_squares", "gan/regularizers=[lecam,consistency]", "gan.regularizers.lecam.start=0"),
    ("gan/loss=wasserstein", "gan/regularizers=[gradient_penalty]"),
    ("gan.conditioning=auxiliary", "gan/regularizers=[r1]"),
    ("gan.conditioning=none", "gan.discriminator.spectral_norm=true"),
]


def trained(data: Path, overrides: tuple[str, ...]) -> dict[str, Tensor]:
    # Adam's first steps are as long wherever a gradient is next to nothing, and parts of a batch have statistics.
    plain = ("optimizers/discriminator=sgd", "optimizers/generator=sgd", "training.microbatch=16")
    cfg = config(*PATCH, "training.kimg=0.064", *plain, *overrides)
    return dict(run(cfg, data)["state"]["players"]["D"]["network"])


@pytest.mark.parametrize("overrides", TURNS, ids=" ".join)
def test_two_ranks_train_it_as_one_does(overrides: tuple[str, ...], digits: Path) -> None:
    alone = trained(digits, overrides)
    for of_rank in on_ranks(2, trained, digits, overrides):
        for name, tensor in alone.items():
            torch.testing.assert_close(of_rank[name], tensor, rtol=1e-3, atol=1e-5)


def test_its_figures_are_of_images(digits: Path) -> None:
    made = trainer(config(*PATCH, "gan/augmentation=ada"), digits)
    made.step()
    figures = made.method.figures()
    assert figures["D_accuracy"].shape == ()
    assert 0 <= float(figures["D_accuracy"]) <= 1
    assert len(Dataset.open(digits)) > 0
