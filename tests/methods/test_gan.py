import copy
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganflow.config import components, composition
from ganflow.data.prepared.dataset import Facts
from ganflow.distributed import collectives
from ganflow.errors import ConfigError
from ganflow.methods.augment.none import NoAugmentation
from ganflow.methods.build import check_fits
from ganflow.methods.gan import GAN, build_loss, build_networks, build_regularizers
from ganflow.methods.losses.non_saturating import NonSaturating
from ganflow.methods.networks.facts import network_facts
from ganflow.methods.players.player import Player
from ganflow.methods.regularizers.base import Regularizer
from ganflow.methods.regularizers.r1 import R1
from tests.support.ranks import on_ranks
from tests.support.turns import batch, discriminator_turn

pytestmark = pytest.mark.slow

LATENT, CLASSES, SIDE, BATCH, TURNS = 3, 4, 4, 8, 3


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# D's last bias is one number, and cancels in these (in hinge while all logits are within the margin).
OF_DIFFERENCES = ("wasserstein", "relativistic", "hinge")


class Linear(nn.Module):
    """``x·w + bias of the class``; as G its output is an image of 2×2."""

    def __init__(self, rows: int, columns: int, seed: int) -> None:
        super().__init__()
        self.w = nn.Parameter(normal(rows, columns, seed=seed))
        self.bias = nn.Parameter(normal(CLASSES, columns, seed=seed + 1))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        out = x.flatten(1) @ self.w + (0 if labels is None else self.bias[labels])
        return out.squeeze(1) if out.shape[1] == 1 else out.view(-1, 1, 2, 2)


def small(penalties: dict[str, Any] | None = None) -> GAN:
    return GAN(Linear(LATENT, 4, 0), Linear(4, 1, 10), NonSaturating(), penalties or {})


def by_hand(method: GAN, x: Tensor, y: Tensor, z: Tensor, zy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(D's loss, G's loss, ‖∇D‖²) from the weights alone."""
    g, d = method.G, method.D
    on_real = x.flatten(1) @ d.w[:, 0] + d.bias[y, 0]
    on_fake = (z @ g.w + g.bias[zy]) @ d.w[:, 0] + d.bias[zy, 0]
    of_d = -torch.log(1 / (1 + torch.exp(-on_real))).mean() - torch.log(1 - 1 / (1 + torch.exp(-on_fake))).mean()
    return of_d, -torch.log(1 / (1 + torch.exp(-on_fake))).mean(), (d.w**2).sum()


X, Z = normal(6, 1, 2, 2, seed=20), normal(6, LATENT, seed=21)
Y, ZY = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([3, 3, 2, 1, 0, 0])


def test_terms_are_those_written_by_hand() -> None:
    method = small({"r1": R1(gamma=0.6)})
    of_d, of_g, slope = by_hand(method, X, Y, Z, ZY)
    terms = method.discriminator_terms(batch(X, Y, Z, ZY))
    assert list(terms) == ["adversarial", "r1"]
    torch.testing.assert_close(terms["adversarial"], of_d)
    torch.testing.assert_close(terms["r1"], 0.3 * slope)
    of_generator = method.generator_terms(batch(X, Y, Z, ZY))
    assert list(of_generator) == ["adversarial"]
    torch.testing.assert_close(of_generator["adversarial"], of_g)


def test_gradients_of_terms_are_those_written_by_hand() -> None:
    method = small({"r1": R1(gamma=0.6)})
    of_d, of_g, slope = by_hand(method, X, Y, Z, ZY)
    weights = list(method.D.parameters())
    expected = torch.autograd.grad(of_d + 0.3 * slope, weights, retain_graph=True)
    torch.testing.assert_close(
        torch.autograd.grad(sum(method.discriminator_terms(batch(X, Y, Z, ZY)).values()), weights), expected
    )
    weights = list(method.G.parameters())
    expected = torch.autograd.grad(of_g, weights)
    torch.testing.assert_close(
        torch.autograd.grad(sum(method.generator_terms(batch(X, Y, Z, ZY)).values()), weights), expected
    )


def test_a_lazy_penalty_is_due_every_kth_turn_k_times_as_strong() -> None:
    eager = small({"r1": R1(0.6)}).discriminator_terms(batch(X, Y, Z, ZY))["r1"]
    lazy = small({"r1": R1(0.6, interval=3), "other": R1(0.6, interval=2)})
    due = {turn: lazy.discriminator_terms(batch(X, Y, Z, ZY, turn)) for turn in range(7)}
    assert [turn for turn, terms in due.items() if "r1" in terms] == [0, 3, 6]
    assert [turn for turn, terms in due.items() if "other" in terms] == [0, 2, 4, 6]
    assert all("adversarial" in terms for terms in due.values())
    torch.testing.assert_close(due[3]["r1"], 3 * eager)
    torch.testing.assert_close(due[2]["other"], 2 * eager)


def test_real_images_are_differentiated_only_while_a_penalty_is_due() -> None:
    seen = []

    class Watched(Linear):
        def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
            seen.append(x.requires_grad)
            return super().forward(x, labels)

    method = GAN(Linear(LATENT, 4, 0), Watched(4, 1, 10), NonSaturating(), {"r1": R1(interval=2)})
    for turn in range(2):
        method.discriminator_terms(batch(X, Y, Z, ZY, turn))
    assert seen == [True, False, False, False]  # (real, fake) of turn 0, then of turn 1
    assert not X.requires_grad


def players(G: nn.Module, D: nn.Module, lr: float = 0.1) -> tuple[Player, Player]:
    g, d = (Player(network, torch.optim.SGD(network.parameters(), lr)) for network in (G, D))
    return g, d


def move(player: Player, terms: dict[str, Tensor]) -> None:
    player.backward(terms)
    player.step()


def test_only_the_player_whose_turn_it_is_gets_gradients_and_moves() -> None:
    method = small({"r1": R1()})
    G, D = players(method.G, method.D)
    played = GAN(G, D, method.loss, method.regularizers)
    start = copy.deepcopy((method.G.state_dict(), method.D.state_dict()))
    with D.turn(G):
        move(D, played.discriminator_terms(batch(X, Y, Z, ZY)))
    assert all(p.grad is None for p in method.G.parameters())
    torch.testing.assert_close(method.G.state_dict(), start[0], rtol=0, atol=0)
    assert not torch.equal(method.D.w, start[1]["w"])
    after = copy.deepcopy(method.D.state_dict())
    of_d = [p.grad.clone() for p in method.D.parameters()]
    with G.turn(D):
        move(G, played.generator_terms(batch(X, Y, Z, ZY)))
    torch.testing.assert_close([p.grad for p in method.D.parameters()], of_d, rtol=0, atol=0)
    torch.testing.assert_close(method.D.state_dict(), after, rtol=0, atol=0)
    assert not torch.equal(method.G.w, start[0]["w"])


def test_a_turn_that_fails_leaves_the_player_out_of_its_turn() -> None:
    method = small()
    G, D = players(method.G, method.D)
    with pytest.raises(ZeroDivisionError), D.turn(G):
        raise ZeroDivisionError
    assert not D._learning


LOSSES = list(components.choices("loss"))
# One that differentiates w is compared in its own test, with a generator that has it.
REGULARIZERS = [n for n, c in components.choices("regularizer").items() if "w" not in c.differentiates]
NETWORKS = ("mlp", "dcgan")
# Each loss alone and with R1; each regulariser with two losses, in turn all of them; and all of them together.
PAIRS = [(loss, penalties) for loss in LOSSES for penalties in ((), ("r1",))]
PAIRS += [(LOSSES[(i + j) % len(LOSSES)], (name,)) for i, name in enumerate(REGULARIZERS) for j in (0, 1)]
PAIRS += [("non_saturating", tuple(REGULARIZERS))]
CASES = tuple((loss, penalties, network) for loss, penalties in dict.fromkeys(PAIRS) for network in NETWORKS)


# Bounds that bind, and weights so mild that no player's gradients vanish within these few large steps.
OPTIONS: dict[str, dict[str, float]] = {
    "consistency": {"real": 0.3, "fake": 0.2},
    "dragan": {"weight": 0.2},
    "gradient_clipping": {"max_norm": 0.1},
    "lecam": {"start": 0, "current": False},  # else its anchors are those of a rank's rows
    "gradient_penalty": {"weight": 0.2},
    "weight_clipping": {"c": 0.5},
}


def regularizer(name: str) -> Regularizer:
    """Due every second turn, where it has turns."""
    has_turns = hasattr(components.schema("regularizer", name), "interval")
    node = {"name": name, **({"interval": 2} if has_turns else {}), **OPTIONS.get(name, {})}
    made: Regularizer = components.build("regularizer", node, "r")
    return made


def game(loss: str, penalties: tuple[str, ...], network: str) -> tuple[GAN, Player, Player]:
    """A game of the registry's own components in float64; batch normalisation is of one rank, so it stays out."""
    node = {"name": network, **({"widths": [5, 6]} if network == "mlp" else {"width": 3, "norm": "none"})}
    facts = network_facts((2, SIDE, SIDE), CLASSES)
    torch.manual_seed(7)
    D = components.build("discriminator", node, "d", conditioning="projection", **facts).double()
    G = components.build("generator", node, "g", latent_dim=LATENT, **facts).double()
    for p in [*G.parameters(), *D.parameters()]:
        p.data.mul_(2).add_(0.05)  # far from zero: gradients that are nearly equal must not pass for equal
    chosen = {name: regularizer(name) for name in penalties}
    g, d = players(G, D, lr=0.05)
    return GAN(g, d, components.build("loss", {"name": loss}, "l"), chosen), g, d


def play(loss: str, penalties: tuple[str, ...], network: str) -> list[list[Tensor]]:
    """Gradients of D's and of G's turns in a row, on this rank's rows of the same global batches."""
    method, G, D = game(loss, penalties, network)
    rows, gradients = collectives.share(BATCH), []
    for turn in range(TURNS):
        real = normal(BATCH, 2, SIDE, SIDE, seed=50 * turn)[rows]
        z, z2 = (normal(BATCH, LATENT, seed=50 * turn + draw)[rows] for draw in (1, 2))
        y, zy = torch.arange(BATCH)[rows] % CLASSES, (torch.arange(BATCH) * 3 + 1)[rows] % CLASSES
        with D.turn(G):
            move(D, method.discriminator_terms(batch(real, y, z, zy, turn, first=rows.start)))
        gradients.append([p.grad.clone() for p in D.network.parameters()])
        with G.turn(D):
            move(G, method.generator_terms(batch(real, y, z2, zy, turn, first=rows.start)))
        gradients.append([p.grad.clone() for p in G.network.parameters()])
    return gradients


def play_every_case(cases: tuple[tuple[str, tuple[str, ...], str], ...]) -> dict[Any, list[list[Tensor]]]:
    return {case: play(*case) for case in cases}


@pytest.fixture(scope="module")
def alone() -> dict[Any, list[list[Tensor]]]:
    return play_every_case(CASES)


@pytest.fixture(scope="module", params=[2, 4])
def together(request: pytest.FixtureRequest) -> list[dict[Any, list[list[Tensor]]]]:
    return on_ranks(request.param, play_every_case, CASES, deadline_s=150.0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case[0], *case[1], case[2]]))
def test_ranks_average_to_the_gradient_of_the_whole_batch(case: Any, alone: Any, together: Any) -> None:
    for of_rank in together:
        torch.testing.assert_close(of_rank[case], alone[case], rtol=1e-10, atol=1e-12)
    counted = [g for turn in alone[case] for g in turn if g.numel() > 1 or case[0] not in OF_DIFFERENCES]
    assert all(g.abs().max() > 1e-6 for g in counted)


def mean_gradient_of_plain_networks(loss: str, penalties: tuple[str, ...], network: str) -> list[Tensor]:
    """D's first gradient without Player or GAN: the loss on plain networks, penalty by a second autograd call."""
    method, G, D = game(loss, penalties, network)
    real, z = normal(BATCH, 2, SIDE, SIDE, seed=0), normal(BATCH, LATENT, seed=1)
    y, zy = torch.arange(BATCH) % CLASSES, (torch.arange(BATCH) * 3 + 1) % CLASSES
    fake_labels = y if method.loss.paired else zy
    turn = discriminator_turn(D.network, real, G.network(z, fake_labels), y, fake_labels)
    total = method.loss.discriminator(turn.real_logits, turn.fake_logits)
    for penalty in method.regularizers.values():
        term = penalty.discriminator_term(turn)
        total = total if term is None else total + penalty.interval * term
    return list(torch.autograd.grad(total, list(D.network.parameters())))


def only_adds_terms(name: str) -> bool:
    return not any(map(regularizer(name).overrides, ("perturb", "adjust_gradients")))


PLAIN = [case for case in CASES if all(map(only_adds_terms, case[1]))]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: "-".join([case[0], *case[1], case[2]]))
def test_a_player_s_first_gradient_is_that_of_the_plain_networks(case: Any, alone: Any) -> None:
    torch.testing.assert_close(alone[case][0], mean_gradient_of_plain_networks(*case), rtol=1e-10, atol=1e-12)


def test_networks_are_told_of_classes_only_when_the_method_is_conditional() -> None:
    G, D = build_networks(composition.compose(), Facts((1, 8, 8), 10))
    images = G(torch.zeros(2, 64), torch.tensor([0, 9]))
    assert images.shape == (2, 1, 8, 8)
    assert D(images, torch.tensor([0, 9])).shape == (2,)
    G, D = build_networks(composition.compose(["gan.conditioning=none", "gan.latent_dim=5"]), Facts((3, 8, 8), 10))
    assert D(G(torch.zeros(2, 5), None), None).shape == (2,)


@pytest.mark.parametrize(("classes", "has"), [(0, "no labels"), (1, "a single class")])
def test_conditioning_on_unlabelled_data_is_refused(classes: int, has: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build_networks(composition.compose(), Facts((1, 8, 8), classes))
    assert str(refused.value) == f"gan.conditioning=projection: the data set has {has}; set gan.conditioning=none"


def test_penalties_and_loss_are_those_of_the_configuration() -> None:
    config = composition.compose(
        ["gan/loss=minimax", "gan.regularizers.r1.gamma=0.5", "gan.regularizers.r1.interval=16"]
    )
    loss, regularizers = build_loss(config), build_regularizers(config)
    assert type(loss).__name__ == "Minimax"
    assert {name: (r.gamma, r.interval) for name, r in regularizers.items()} == {"r1": (0.5, 16)}


MISFITS = {
    "gan.generator.width=8": (
        10,
        "gan.generator.name=dcgan: cannot make 10×10 images; set data.resize to 8, 16, 28, 32, 64, …",
    ),
    "gan/discriminator=dcgan": (
        30,
        "gan.discriminator.name=dcgan: cannot make 30×30 images; set data.resize to 8, 16, 28, 32, 64, …",
    ),
    "gan.generator.kernel=3": (8, "gan.generator.kernel=3: one of 4, 5"),
    "gan.loss.smoothing=0.5": (
        8,
        "gan.loss.smoothing=0.5: 0 (none) to less than 0.5; 0.1 makes the real target 0.9",
    ),
    "gan.regularizers.r1.gamma=-1": (8, "gan.regularizers.r1.gamma=-1.0: must not be negative"),
    "optimizers.generator.lr=0": (8, "optimizers.generator.lr=0.0: must be more than 0"),
    "optimizers.discriminator.betas=[0.5,1.0]": (
        8,
        "optimizers.discriminator.betas=[0.5, 1.0]: must be two, each from 0 to less than 1",
    ),
    "optimizers.discriminator.betas=[0.5]": (
        8,
        "optimizers.discriminator.betas=[0.5]: must be two, each from 0 to less than 1",
    ),
    "evaluation.metrics.coverage.threshold=0": (
        8,
        "evaluation.metrics.coverage.threshold=0.0: more than 0, at most 1",
    ),
}


@pytest.mark.parametrize("override", MISFITS)
def test_a_misfit_shows_before_training_starts_in_one_line(override: str) -> None:
    resolution, message = MISFITS[override]
    config = composition.compose(["gan/generator=mlp", override] if "gan.generator" not in override else [override])
    with pytest.raises(ConfigError) as refused:
        check_fits(config, Facts((1, resolution, resolution), 10))
    assert str(refused.value) == message


def test_what_fits_is_checked_without_memory_for_weights() -> None:
    config = composition.compose(
        ["gan.generator.width=65536", "gan/discriminator=dcgan", "gan.discriminator.width=65536"]
    )
    before = asdict(config)
    check_fits(config, Facts((3, 64, 64), 10))  # its weights would take terabytes
    assert asdict(config) == before


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
def test_an_augmentation_that_follows_logits_needs_a_loss_that_gives_them_a_zero(loss: str) -> None:
    overrides = ["gan/augmentation=ada", f"gan/loss={loss}"]
    with pytest.raises(ConfigError) as refused:
        check_fits(composition.compose(overrides), Facts((1, 8, 8), 10))
    follows = f"follows where D's logits lie, which the loss {loss} leaves open; set gan.augmentation.target=0 and p"
    assert str(refused.value) == f"gan.augmentation.name=ada: {follows}"
    check_fits(
        composition.compose([*overrides, "gan.augmentation.target=0", "gan.augmentation.p=0.2"]), Facts((1, 8, 8), 10)
    )


@pytest.mark.parametrize(
    ("overrides", "boundary"),
    [
        (["gan/loss=minimax"], 0.0),
        (["gan/loss=least_squares"], 0.5),
        (["gan/loss=least_squares", "gan.loss.a=-1", "gan.loss.c=0"], 0.0),
        (["gan/loss=relativistic"], None),
    ],
)
def test_an_augmentation_sees_logits_from_where_the_discriminator_cannot_tell(
    overrides: list[str], boundary: float | None
) -> None:
    class Watching(NoAugmentation):
        seen: torch.Tensor | None = None

        def observe(self, real_logits: torch.Tensor, batch: int, turn: int) -> None:
            self.seen = real_logits

    loss, watching = build_loss(composition.compose(overrides)), Watching()
    small_one = small()
    GAN(small_one.G, small_one.D, loss, augmentation=watching).discriminator_terms(batch(X, Y, Z, ZY))
    assert (watching.seen is None) == (boundary is None)
    if boundary is not None and watching.seen is not None:
        torch.testing.assert_close(watching.seen, small_one.D(X, Y) - boundary, rtol=0, atol=0)
