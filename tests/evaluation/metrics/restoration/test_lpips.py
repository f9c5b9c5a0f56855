"""LPIPS beside torchmetrics' own, on the same random backbones; the heads are the authors', which torchmetrics has."""

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import torch
import torchmetrics.functional.image.lpips as theirs
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.lpips import LPIPS, SMALLEST
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.methods.perception.backbones import Backbone, alexnet, vgg
from tests.evaluation.metrics.restoration.made import pairs, repeated
from tests.support.backbones import random_backbone, weights_file

HEADS = Path(theirs.__file__).parent / "lpips_models"
NETWORKS: dict[str, Callable[[], Backbone]] = {"alex": alexnet, "vgg": lambda: vgg("vgg16")}


@pytest.fixture(scope="module")
def backbones() -> dict[str, Backbone]:
    return {name: random_backbone(make()) for name, make in NETWORKS.items()}


@pytest.fixture(scope="module")
def files(backbones: dict[str, Backbone], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("weights")
    return {name: str(weights_file(network, folder / f"{name}.pth")) for name, network in backbones.items()}


def metric(name: str, files: dict[str, str]) -> LPIPS:
    return LPIPS(name, files[name], str(HEADS / f"{name}.pth"))


def reference(name: str, network: nn.Module, made: Tensor, target: Tensor) -> Tensor:
    """Of each image by torchmetrics, which would take the backbone from torchvision."""
    features = network.get_submodule("features")
    with mock.patch.object(theirs, "_get_tv_model_features", return_value=features):
        judge = theirs._NoTrainLpips(net=name)  # type: ignore[arg-type]
    with torch.inference_mode():
        apart: Tensor = judge(made.float() / 127.5 - 1, target.float() / 127.5 - 1)
    return apart.flatten().double()


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_torchmetrics_of_each_image_and_the_mean(
    name: str, files: dict[str, str], backbones: dict[str, Backbone]
) -> None:
    images = pairs(3, height=48, width=41)
    expected = {
        "lpips": reference(name, backbones[name], images.restored, images.target),
        "lpips_simple": reference(name, backbones[name], images.simple, images.target),
    }
    torch.testing.assert_close(
        metric(name, files).of_images(images.restored, images),
        expected["lpips"],
        rtol=1e-6,
        atol=1e-6,
        check_dtype=False,
    )
    figures = metric(name, files)(images)
    assert figures == pytest.approx({key: float(each.mean()) for key, each in expected.items()}, abs=1e-6)
    assert 1e-3 < figures["lpips"] < figures["lpips_simple"]


def test_grey_images_are_coloured_ones_of_equal_channels(files: dict[str, str]) -> None:
    grey = pairs(2, channels=1, height=40, width=40)
    made, target = (x.repeat(1, 3, 1, 1) for x in (grey.restored, grey.target))
    judged = metric("alex", files)
    coloured = Pairs(made, target, made)
    torch.testing.assert_close(judged.of_images(grey.restored, grey), judged.of_images(made, coloured))


def test_equal_images_are_at_no_distance(files: dict[str, str]) -> None:
    images = pairs(2, height=40, width=40)
    assert metric("alex", files).of_images(images.target, images).tolist() == [0, 0]


def test_a_resample_s_figure_is_that_of_the_images_repeated(files: dict[str, str]) -> None:
    images, counts, judged = pairs(4, height=36, width=36), bootstrap.counts(4, 6), metric("alex", files)
    expected = [judged(repeated(images, row))["lpips"] for row in counts]
    assert len(set(expected)) > 2
    torch.testing.assert_close(judged.resampled(images, counts=counts).tolist(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smallest_images_are_the_smallest_that_the_network_takes(
    name: str, files: dict[str, str], backbones: dict[str, Backbone]
) -> None:
    side = SMALLEST[name]
    images = pairs(1, height=side, width=side)
    assert metric(name, files)(images)["lpips"] > 0
    small = pairs(1, height=side - 1, width=side)
    with pytest.raises(
        UnmeasurableError, match=f"images of {side - 1} pixels are too small for {name}, which needs {side}"
    ):
        metric(name, files)(small)
    with pytest.raises(RuntimeError):
        backbones[name](torch.zeros(1, 3, side - 1, side), [len(backbones[name].features) - 2])


@pytest.mark.parametrize("options", [{}, {"heads": "alex.pth"}, {"backbone": "alexnet.pth"}])
def test_without_weights_a_line_says_how_to_bring_them(options: dict[str, str]) -> None:
    with pytest.raises(
        UnmeasurableError, match=r"evaluation\.metrics\.lpips\.backbone .* nothing is downloaded"
    ) as told:
        LPIPS(**options)(pairs(1, height=40, width=40))
    assert "\n" not in str(told.value)


def test_files_that_are_missing_or_another_s(files: dict[str, str]) -> None:
    images = pairs(1, height=40, width=40)
    with pytest.raises(ConfigError, match=r"^evaluation\.metrics\.lpips\.backbone=none\.pth: there is no such file$"):
        LPIPS("alex", "none.pth", str(HEADS / "alex.pth"))(images)
    with pytest.raises(ConfigError, match=r"^evaluation\.metrics\.lpips\.backbone=.*is of another network: features"):
        LPIPS("alex", files["vgg"], str(HEADS / "alex.pth"))(images)
    with pytest.raises(ConfigError, match=r"^evaluation\.metrics\.lpips\.heads=.*is of another network: lin1"):
        LPIPS("alex", files["alex"], str(HEADS / "vgg.pth"))(images)
    with pytest.raises(ConfigError, match=r"^network=squeeze: one of alex, vgg$"):
        LPIPS("squeeze")
