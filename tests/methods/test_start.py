"""Fine-tuning: players that begin with a model's weights."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError, GanflowError
from ganflow.methods import generator
from ganflow.methods.players import players_file
from ganflow.methods.start import Start
from ganflow.training.build import build_trainer
from ganflow.training.checkpoints.checkpoint import CheckpointStore
from ganflow.training.checkpoints.fingerprint import fingerprint
from ganflow.training.model_folder import export_model
from ganflow.training.trainer import Trainer
from tests.support.ranks import on_ranks
from tests.training.small import CPU, config, run, same

LATENT = "gan.latent_dim=4"
SMALL = (LATENT, "gan.generator.widths=[16]", "gan.discriminator.widths=[16]", "training.mirror=true")
NETWORKS = ("gan/generator=mlp", "gan/discriminator=mlp", *SMALL)


@pytest.fixture(scope="module")
def model(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained model."""
    folder = tmp_path_factory.mktemp("model")
    run(config(*NETWORKS), digits, folder / "run")
    export_model(config(*NETWORKS), Dataset.open(digits), CheckpointStore(folder / "run").storage, folder / "model")
    return folder / "model"


def start_of(model: Path) -> Start:
    return Start.of("the model", model / generator.FILE, model / players_file.FILE)


def begun(data: Path, start: Start | None, *overrides: str, folder: Path | None = None) -> Trainer:
    return build_trainer(config(*NETWORKS, *overrides), Dataset.open(data), CPU, folder, start=start)


def weights(trainer: Trainer, player: str) -> dict[str, Tensor]:
    return trainer.state.players[player].network.state_dict()


def test_players_and_the_average_begin_with_the_model_s(digits: Path, model: Path) -> None:
    start = start_of(model)
    made = begun(digits, start)
    for player in "GD":
        assert same(dict(weights(made, player)), dict(start.players[player])), player
    assert same(dict(made.state.ema.network.state_dict()), dict(start.average))
    assert not same(dict(start.average), dict(start.players["G"]))
    assert made.state.nimg == 0


def test_a_model_without_players_gives_its_average_to_the_generator(
    digits: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    start = Start.of("an old model", model / generator.FILE, None)
    made = begun(digits, start)
    assert same(dict(weights(made, "G")), dict(start.average))
    assert same(dict(weights(made, "D")), dict(weights(begun(digits, None), "D")))
    assert caplog.messages == ["D starts afresh: an old model has no weights of it"]


def test_what_has_another_shape_stays_fresh_and_a_line_names_it(
    digits: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    start = start_of(model)
    made, fresh = begun(digits, start, "gan.latent_dim=5"), begun(digits, None, "gan.latent_dim=5")
    differing = [name for name, tensor in weights(fresh, "G").items() if tensor.shape != start.average[name].shape]
    assert differing
    for name, tensor in weights(made, "G").items():
        expected = weights(fresh, "G")[name] if name in differing else start.players["G"][name]
        assert torch.equal(tensor, expected), name
    total = len(start.average)
    line = f"{total - len(differing)} of {total} tensors of G are those of the model; fresh are {', '.join(differing)}"
    assert line in caplog.messages


def test_a_generator_of_which_nothing_fits_is_refused(digits: Path, model: Path) -> None:
    facts = Dataset.open(digits).facts
    start_of(model).check(config(*NETWORKS), facts)
    with pytest.raises(ConfigError) as refused:
        start_of(model).check(config("gan/generator=dcgan", LATENT), facts)
    why = "its generator is a mlp, and gan.generator.name=dcgan; set gan/generator=mlp"
    assert str(refused.value) == f"training.start=the model: {why}"
    other = ["gan.generator.widths=[5]", "gan.latent_dim=7"]
    with pytest.raises(ConfigError) as refused:
        start_of(model).check(config("gan/generator=mlp", *other), Facts((3, 8, 8), 9))
    why = "none of its generator's tensors has the shape of one for RGB images of 8x8 with the options of gan.generator"
    assert str(refused.value) == f"training.start=the model: {why}"


def test_it_travels_as_one_file(model: Path, tmp_path: Path) -> None:
    start = start_of(model)
    digest = start.write(tmp_path / "start")
    again = Start.read("the model", tmp_path / "start")
    assert again.write(tmp_path / "again") == digest
    assert same(dict(again.average), dict(start.average))
    assert same({k: dict(v) for k, v in again.players.items()}, {k: dict(v) for k, v in start.players.items()})
    (tmp_path / "torn").write_bytes((tmp_path / "start").read_bytes()[:50])
    with pytest.raises(GanflowError, match=r"torn: no readable players: "):
        Start.read("the model", tmp_path / "torn")


def fine_tuned(data: Path, model: Path, folder: Path, *overrides: str) -> dict[str, Any]:
    made = begun(data, start_of(model), "training.kimg=0.128", *overrides, folder=folder)
    made.resume()
    made.fit()
    return made.state.state_dict()


def test_ranks_make_what_one_makes_and_a_finished_run_goes_on(digits: Path, model: Path, tmp_path: Path) -> None:
    alone = fine_tuned(digits, model, tmp_path / "one")
    assert same(fine_tuned(digits, model, tmp_path / "one"), alone)  # from its last checkpoint, not from the start
    for state in on_ranks(2, fine_tuned, digits, model, tmp_path / "two"):
        for player in "GD":
            for name, tensor in state["players"][player]["network"].items():
                torch.testing.assert_close(tensor, alone["players"][player]["network"][name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("ranks", "overrides"), [(1, ()), (2, ()), (1, ("gan.discriminator.spectral_norm=true",))])
def test_frozen_layers_of_the_discriminator_keep_their_weights(
    ranks: int, overrides: tuple[str, ...], digits: Path, model: Path, tmp_path: Path
) -> None:
    frozen = ("gan.freeze_discriminator=1", "training.start=somewhere", "gan/regularizers=[r1]")
    before = weights(begun(digits, start_of(model), *frozen, *overrides), "D")
    for state in on_ranks(ranks, fine_tuned, digits, model, tmp_path / "run", *frozen, *overrides):
        after = {name: tensor for name, tensor in state["players"]["D"]["network"].items() if not name.endswith(".u")}
        moved = [name for name, tensor in after.items() if not torch.equal(tensor, before[name])]
        first = [name for name in after if name.startswith("layers.1.")]
        assert len(first) == 2
        assert set(moved) == {name for name in after if name not in first}


def test_no_parameter_is_frozen_where_none_is_asked_for(digits: Path) -> None:
    for overrides in ((), ("gan.discriminator.spectral_norm=true",)):
        player = begun(digits, None, *overrides).state.players["D"]
        assert len(player.parameters) == len(list(player.network.parameters()))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["gan.freeze_discriminator=1"], "0, or set training.start: fresh layers that do not learn are noise"),
        (["gan.freeze_discriminator=-1"], "0 (all learn) or more"),
    ],
)
def test_freezing_needs_a_start(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config(*NETWORKS, *overrides)
    assert str(refused.value).endswith(said)


def test_more_layers_than_there_are_cannot_be_frozen(digits: Path, model: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        begun(digits, start_of(model), "gan.freeze_discriminator=9", "training.start=somewhere")
    assert str(refused.value) == "gan.freeze_discriminator=9: must be less than 3, the layers of this discriminator"


def test_the_run_is_named_by_the_weights_it_begins_with(model: Path, tmp_path: Path) -> None:
    params = config(*NETWORKS)
    assert fingerprint(params, "data", start_of(model).write(tmp_path / "s")) != fingerprint(params, "data")
    assert fingerprint(params, "data", "") == fingerprint(params, "data")
