import pytest
import torch
from torch import nn

from ganflow.errors import ConfigError
from ganflow.networks.mlp import MLPDiscriminator, MLPGenerator


@pytest.mark.parametrize("resolution", [1, 5, 10, 30])
def test_it_makes_and_judges_images_of_any_size(resolution: int) -> None:
    images = MLPGenerator(3, resolution, 2, 0, widths=[4])(torch.randn(5, 3))
    assert images.shape == (5, 2, resolution, resolution)
    assert MLPDiscriminator(resolution, 2, 0, widths=[4])(images).shape == (5,)


def test_layers_have_the_widths_asked_for() -> None:
    G, D = MLPGenerator(3, 4, 2, 0, widths=[7, 9]), MLPDiscriminator(4, 2, 0, widths=[9, 7])
    for network, sizes in ((G, [(3, 7), (7, 9), (9, 32)]), (D, [(32, 9), (9, 7), (7, 1)])):
        linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
        assert [(m.in_features, m.out_features) for m in linear] == sizes


def test_dropout_drops_while_training_alone() -> None:
    torch.manual_seed(0)
    D, images = MLPDiscriminator(4, 1, 0, widths=[64], dropout=0.5), torch.randn(1, 1, 4, 4)
    assert D(images) != D(images)
    D.eval()
    assert D(images) == D(images)


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: MLPGenerator(3, 4, 1, 0, norm="layer"), "norm=layer: one of none, batch"),
        (lambda: MLPGenerator(3, 4, 1, 0, widths=[]), "widths=[]: at least one width, each more than 0"),
        (lambda: MLPDiscriminator(4, 1, 0, widths=[8, 0]), "widths=[8, 0]: at least one width, each more than 0"),
        (lambda: MLPDiscriminator(4, 1, 0, dropout=1.0), "dropout=1.0: 0 to less than 1"),
    ],
)
def test_impossible_options_are_refused(build, line: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as refused:
        build()
    assert str(refused.value) == line
