from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.mlp import Maxout, MLPDiscriminator, MLPGenerator, Sigmoid


@pytest.mark.parametrize("resolution", [1, 5, 10, 30])
def test_it_makes_and_judges_images_of_any_size(resolution: int) -> None:
    images = MLPGenerator(3, (2, resolution, resolution), 0, widths=[4])(torch.randn(5, 3))
    assert images.shape == (5, 2, resolution, resolution)
    assert MLPDiscriminator((2, resolution, resolution), 0, "none", widths=[4])(images).shape == (5,)


def test_layers_have_the_widths_asked_for() -> None:
    G, D = MLPGenerator(3, (2, 4, 4), 0, widths=[7, 9]), MLPDiscriminator((2, 4, 4), 0, "none", widths=[9, 7])
    for network, sizes in ((G, [(3, 7), (7, 9), (9, 32)]), (D, [(32, 9), (9, 7), (7, 1)])):
        linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
        assert [(m.in_features, m.out_features) for m in linear] == sizes


def by_hand(layers: nn.Module, x: Tensor, activation: str, slope: float) -> Tensor:
    """Hidden layers in evaluation mode, from their weights alone."""
    modules = [m for m in layers if isinstance(m, nn.Linear | nn.BatchNorm1d | nn.PReLU)]
    for module, following in pairwise([*modules, nn.Linear(1, 1)]):
        if isinstance(module, nn.Linear):
            x = x @ module.weight.T + module.bias
        elif isinstance(module, nn.BatchNorm1d):
            x = module.weight * (x - module.running_mean) / (module.running_var + 1e-5).sqrt() + module.bias
        if activation == "prelu" and not isinstance(module, nn.PReLU):
            continue
        if isinstance(following, nn.Linear):
            negative = {"leaky_relu": slope, "prelu": slope, "relu": 0.0}
            if activation == "maxout":
                x = torch.stack([x[:, piece::5] for piece in range(5)]).max(0).values
            else:
                x = torch.where(x > 0, x, negative[activation] * x)
    return x


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("activation", ["leaky_relu", "prelu", "relu", "maxout"])
def test_hidden_layers_are_those_written_by_hand(activation: str, norm: str) -> None:
    torch.manual_seed(0)
    D = MLPDiscriminator((3, 2, 2), 0, "none", [6, 4], activation, 0.3, norm, dropout=0.4).double()
    x = torch.randn(8, 3, 2, 2, dtype=torch.float64)
    for _ in range(3):
        D(x)
    features = by_hand(D.layers, x.flatten(1), activation, 0.3)
    torch.testing.assert_close(D.eval()(x), features @ D.head.linear.weight[0] + D.head.linear.bias)


def test_maxout_is_the_largest_of_five_dense_layers() -> None:
    assert Maxout()(torch.tensor([[1.0, 5, 2, 3, 4, -9, -8, -7, -6, -5]])).tolist() == [[5.0, -5.0]]
    D = MLPDiscriminator((2, 1, 1), 0, "none", [200, 200, 200], "maxout")  # PacGAN's, for points
    assert [m.out_features for m in D.modules() if isinstance(m, nn.Linear)] == [1000, 1000, 1000, 1]


@pytest.mark.parametrize("activation", ["leaky_relu", "prelu", "relu"])
def test_a_generator_s_activation_is_the_one_asked_for(activation: str) -> None:
    kinds = {"leaky_relu": nn.LeakyReLU, "prelu": nn.PReLU, "relu": nn.ReLU}
    G = MLPGenerator(3, (1, 2, 2), 0, [5, 5], activation)
    assert [type(m) for m in G.layers] == [nn.Linear, kinds[activation]] * 2 + [nn.Linear, nn.Tanh]


def test_outputs_are_on_the_range_of_images_or_without_bounds() -> None:
    torch.manual_seed(0)
    z, made = torch.randn(500, 3), {}
    for output in ("tanh", "sigmoid", "linear"):
        torch.manual_seed(1)
        G = MLPGenerator(3, (2, 1, 1), 0, [8], output=output)
        G.layers[-2].weight.data.mul_(30)
        made[output] = G(z)
    assert made["linear"].abs().max() > 4
    torch.testing.assert_close(made["tanh"], made["linear"].tanh())
    torch.testing.assert_close(made["sigmoid"], 2 / (1 + (-made["linear"]).exp()) - 1)
    assert Sigmoid()(torch.tensor([-100.0, 0.0, 100.0])).tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("build", [
    lambda **o: MLPGenerator(3, (1, 2, 2), 0, [6, 6], **o),
    lambda **o: MLPDiscriminator((1, 2, 2), 0, "none", [6, 6], **o),
])  # fmt: skip
def test_momentum_is_the_share_of_the_newest_batch(build) -> None:  # type: ignore[no-untyped-def]
    network = build(norm="batch", momentum=0.25)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
    assert len(norms) == 2
    first: list[Tensor] = []
    norms[0].register_forward_hook(lambda _, inputs, __: first.append(inputs[0].mean(0)))
    network(torch.randn(9, 3) if isinstance(network, MLPGenerator) else torch.randn(9, 1, 2, 2))
    torch.testing.assert_close(norms[0].running_mean, 0.25 * first[0])


@pytest.mark.parametrize("build", [
    lambda: MLPGenerator(3, (1, 4, 4), 0, widths=[64], dropout=0.5),
    lambda: MLPDiscriminator((1, 4, 4), 0, "none", widths=[64], dropout=0.5),
])  # fmt: skip
def test_dropout_drops_while_training_alone(build) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = build()
    x = torch.randn(1, 3) if isinstance(network, MLPGenerator) else torch.randn(1, 1, 4, 4)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: MLPGenerator(3, (1, 4, 4), 0, norm="layer"), "norm=layer: one of none, batch"),
        (lambda: MLPGenerator(3, (1, 4, 4), 0, widths=[]), "widths=[]: at least one width, each more than 0"),
        (
            lambda: MLPGenerator(3, (1, 4, 4), 0, activation="maxout"),
            "activation=maxout: one of leaky_relu, prelu, relu",
        ),
        (lambda: MLPGenerator(3, (1, 4, 4), 0, output="relu"), "output=relu: one of tanh, sigmoid, linear"),
        (
            lambda: MLPGenerator(3, (1, 4, 4), 0, momentum=0.0),
            "momentum=0.0: more than 0, at most 1: the share of the newest batch",
        ),
        (
            lambda: MLPDiscriminator((1, 4, 4), 0, "none", widths=[8, 0]),
            "widths=[8, 0]: at least one width, each more than 0",
        ),
        (lambda: MLPDiscriminator((1, 4, 4), 0, "none", dropout=1.0), "dropout=1.0: 0 to less than 1"),
        (
            lambda: MLPDiscriminator((1, 4, 4), 0, "none", activation="elu"),
            "activation=elu: one of leaky_relu, prelu, relu, maxout",
        ),
    ],
)
def test_impossible_options_are_refused(build, line: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError) as refused:
        build()
    assert str(refused.value) == line


def test_he_s_weights_keep_the_size_of_activations_through_many_layers() -> None:
    """He et al. (2015), eq. 10: with variance 2/n a ReLU network's last layer has the variance of twice its input's
    mean square; torch's own weights shrink by 1/√6 in each of the nine layers."""
    torch.manual_seed(0)
    z = torch.randn(4096, 64)
    sizes = {}
    for init in ("he", "torch"):
        G = MLPGenerator(64, (4, 4, 4), 0, widths=[256] * 8, activation="relu", output="linear", init=init)
        sizes[init] = float(G(z).detach().square().mean())
    assert 1.0 < sizes["he"] < 4.0
    assert sizes["torch"] < 0.1
    D = MLPDiscriminator((4, 4, 4), 0, "none", widths=[256], init="he")
    first, head = (m for m in D.modules() if isinstance(m, nn.Linear))
    torch.testing.assert_close(first.weight.var(), torch.tensor(2 / 64), rtol=0.05, atol=0)
    assert not first.bias.any()
    assert not head.bias.any()


def test_an_unknown_init_is_refused() -> None:
    with pytest.raises(ConfigError, match="init=xavier: one of torch, he, glorot"):
        MLPGenerator(3, (1, 4, 4), 0, init="xavier")
