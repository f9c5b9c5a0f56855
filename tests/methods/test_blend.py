from dataclasses import replace

import pytest
import torch

from ganflow.errors import ConfigError
from ganflow.methods.blend import blend
from ganflow.methods.generator import Generator, GeneratorSpec

GIVEN: dict[str, dict[str, object]] = {"blur": {"name": "blur"}, "noise": {"name": "noise", "sigma": 5}}
SPEC = GeneratorSpec({"name": "dcgan", "width": 8}, 4, (1, 8, 8), 0, given=GIVEN)


def made(seed: int, spec: GeneratorSpec = SPEC) -> Generator:
    """A model with statistics and counters of its own."""
    torch.manual_seed(seed)
    network = spec.build()
    for _ in range(seed):
        network(torch.randn(4, 4), None)
    return Generator(network, spec)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_the_ends_are_the_two_models_to_the_bit(alpha: float) -> None:
    a, b = made(1), made(2)
    end = (b if alpha else a).network.state_dict()
    for name, tensor in blend(a, b, alpha).network.state_dict().items():
        if tensor.is_floating_point():
            assert torch.equal(tensor, end[name]), name


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.8])
def test_between_them_is_the_weighted_mean_and_both_stay_as_they_were(alpha: float) -> None:
    a, b = made(1), made(2)
    of_a, of_b = ({k: v.clone() for k, v in m.network.state_dict().items()} for m in (a, b))
    made_of = blend(a, b, alpha).network.state_dict()
    assert any(name.endswith("running_var") for name in made_of)
    for name, tensor in made_of.items():
        if not tensor.is_floating_point():
            assert torch.equal(tensor, of_a[name]), name
            continue
        mean = (1 - alpha) * of_a[name].double() + alpha * of_b[name].double()
        torch.testing.assert_close(tensor.double(), mean, rtol=1e-6, atol=1e-7)
    assert all(torch.equal(t, of_a[k]) for k, t in a.network.state_dict().items())
    assert all(torch.equal(t, of_b[k]) for k, t in b.network.state_dict().items())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"network": {"name": "dcgan", "width": 16}}, "network.width=8: the other model has 16; "),
        ({"shape": (3, 8, 8)}, "shape=(1, 8, 8): the other model has (3, 8, 8); "),
        ({"given": {}}, "given=['blur', 'noise']: the other model has []; "),
        ({"given": dict(reversed(GIVEN.items()))}, "given=['blur', 'noise']: the other model has ['noise', 'blur']; "),
        ({"given": GIVEN | {"noise": {"name": "noise", "sigma": 9}}}, "options.noise.sigma=5: the other model has 9; "),
        ({"detection": {"threshold": 1.0}}, "detection.threshold=None: the other model has 1.0; "),
    ],
)  # fmt: skip
def test_models_that_differ_in_more_than_their_weights_are_refused(change: dict[str, object], line: str) -> None:
    a, b = made(0), made(0)
    other = Generator(b.network, replace(SPEC, **change))  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as refused:
        blend(a, other, 0.5)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_the_two_is_refused(alpha: float) -> None:
    with pytest.raises(ConfigError, match=r"alpha=.*0 \(the first model\) to 1"):
        blend(made(0), made(0), alpha)
