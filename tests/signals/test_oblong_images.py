"""Images that are not square, 32 rows of 48: from files to a service."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.config import components, composition
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts, read_manifest
from ganflow.errors import ConfigError
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.extractors.classifier import ClassifierChoice
from ganflow.generation.sampling import Sampling
from ganflow.methods import generator
from ganflow.methods.build import check_fits
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.serving.app import Limits, Service
from tests.generation.writers.made import write
from tests.serving.here import Here, ask, listening, model_of
from tests.training.small import CPU, config, trainer

HEIGHT, WIDTH, COUNT = 32, 48, 40
SHAPE = (3, HEIGHT, WIDTH)


def picture(seed: int) -> Image.Image:
    """Smooth, and brighter to the right."""
    coarse = np.random.default_rng(seed).integers(0, 128, (4, 6, 3))
    coarse += np.linspace(0, 127, 6).astype(int)[None, :, None]
    return Image.fromarray(coarse.astype(np.uint8)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oblong")
    for n in range(COUNT):
        file = folder / "in" / "ab"[n % 2] / f"{n:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(n).save(file)
    source = components.build("source", {"name": "image_folder", "path": str(folder / "in")}, "data")
    report = prepare(source, folder / "data")
    assert report["facts"]["shape"] == list(SHAPE)
    return folder / "data"


def test_a_data_set_states_its_shape(data: Path) -> None:
    train = Dataset.open(data)
    assert train.facts == Facts(SHAPE, 2)
    assert str(train.facts) == "RGB images of 48x32"
    manifest = read_manifest(data)
    assert (manifest["format"], manifest["shape"]) == (2, list(SHAPE))
    assert "resolution" not in manifest
    assert train.images(np.arange(3)).shape == (3, *SHAPE)


GENERATORS = ("dcgan", "dcgan5x5", "dense_conv", "mlp")


@pytest.mark.parametrize(
    "overrides",
    [
        *([f"gan/generator={name}", "gan/discriminator=dcgan"] for name in GENERATORS),
        *(["gan/generator=dcgan", f"gan/discriminator={name}"] for name in ("patch", "multi_scale", "unet")),
        ["gan/generator=dcgan", "gan/discriminator=dcgan", "gan/augmentation=ada", "gan.augmentation.p=0.9"],
        ["gan/generator=dcgan", "gan/discriminator=dcgan5x5", "gan/augmentation=diffaugment"],
        ["gan/generator=dcgan", "gan/discriminator=mlp", "gan/regularizers=[consistency]"],
        *(["method=vae", "gan/generator=dcgan", f"vae/encoder={name}"] for name in ("mlp", "conv")),
    ],
    ids=" ".join,
)
def test_networks_of_any_shape_train_on_them(overrides: list[str], data: Path) -> None:
    cfg = config("training.mirror=true", "training.batch=8", "training.kimg=0.016", "gan.latent_dim=8", *overrides)
    check_fits(cfg, Dataset.open(data).facts)
    made = trainer(cfg, data)
    before = [p.detach().clone() for p in made.state.ema.network.parameters()]
    made.fit()
    assert any(not torch.equal(a, b) for a, b in zip(before, made.state.ema.network.parameters(), strict=True))
    assert Generator(made.state.ema.network, made.spec).sample(3, seed=0).shape == (3, HEIGHT, WIDTH, 3)


OF_D = "dcgan or dcgan5x5 or dense_conv or mlp or multi_scale or patch or unet"


@pytest.mark.parametrize(
    ("slot", "name", "others"), [("generator", "r3gan", " or ".join(GENERATORS)), ("discriminator", "resnet", OF_D)]
)
def test_a_network_of_squares_is_refused_with_the_ways_out(slot: str, name: str, others: str) -> None:
    cfg = composition.compose(["gan/generator=dcgan", "gan/discriminator=dcgan", f"gan/{slot}={name}"])
    with pytest.raises(ConfigError) as refused:
        check_fits(cfg, Facts(SHAPE, 10))
    ways = f"set data.resize=32 (and data.crop=true), or gan/{slot}={others}"
    why = f"is for squares, and these data are RGB images of 48x32; {ways}"
    assert str(refused.value) == f"gan.{slot}.name={name}: {why}"


def test_sides_that_doubling_does_not_reach_are_refused_with_some_that_it_does() -> None:
    with pytest.raises(ConfigError) as refused:
        components.build(
            "generator", {"name": "dcgan"}, "gan.generator", latent_dim=2, shape=(3, 50, 32), num_classes=0
        )
    hint = "set data.resize to 32 and a multiple of 8, such as 32x48"
    assert str(refused.value) == f"gan.generator.name=dcgan: cannot make 32×50 images; {hint}"


def test_a_classifier_knows_them_by_labels_or_by_turned_squares(data: Path, tmp_path: Path) -> None:
    train = Dataset.open(data)
    extractor = ClassifierChoice(width=2, kimg=0.1).build(Splits(train, None), tmp_path, CPU)
    assert len(extractor(torch.from_numpy(train.images(np.arange(5)))).embeddings) == 5
    unlabelled = Dataset.open(data)
    unlabelled.facts = Facts(SHAPE, 0)
    unlabelled.digest = "without labels"
    turned = ClassifierChoice(width=2, kimg=0.1).build(Splits(unlabelled, None), tmp_path, CPU)
    assert turned(torch.from_numpy(train.images(np.arange(5)))).logits.shape == (5, 0)


@pytest.fixture(scope="module")
def model() -> Generator:
    torch.manual_seed(0)
    spec = GeneratorSpec({"name": "dcgan", "width": 4}, 6, SHAPE, 2, ["a", "b"])
    return Generator(spec.build(), spec)


def test_a_model_s_file_says_the_shape_and_gives_the_same_samples(model: Generator, tmp_path: Path) -> None:
    generator.save(tmp_path / generator.FILE, model.network, model.spec)
    again = generator.load(tmp_path / generator.FILE)
    assert again.spec == model.spec
    np.testing.assert_array_equal(again.sample(5, seed=3), model.sample(5, seed=3))


def test_they_are_generated_and_served(model: Generator, tmp_path: Path) -> None:
    expected = model.sample(4, seed=7)
    write(f"{tmp_path}/x.npz", Sampling(model, 4, 7))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npz")["images"], expected)
    write(f"{tmp_path}/x/", Sampling(model, 4, 7))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x" / "000002.png")), expected[2])
    backend = Here()
    limits = Limits()
    with listening(Service(model_of(model, "models:/x/1", backend), backend, limits), limits) as port:
        assert json.loads(ask(port, "/").body)["samples"] == "48x32x3"
        answer = ask(port, "/generate?n=4&seed=7&format=npy")
        np.testing.assert_array_equal(np.load(io.BytesIO(answer.body)), expected)
        one = ask(port, "/generate?n=1&seed=7&format=png")
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(one.body))), expected[0])
        backend.gate.set()
