from dataclasses import asdict
from typing import Any

import pytest
import torch

from ganflow.config import components, composition
from ganflow.config.scheduled_options import below
from ganflow.data.prepared.dataset import Facts
from ganflow.methods.base import MethodBuilder, Turn
from ganflow.methods.build import build_method, kept
from ganflow.training.build import images_per_turn

FACTS = Facts((1, 8, 8), 10)
METHODS: dict[str, Any] = components.choices("method")


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_declares_is_in_params_yaml(name: str) -> None:
    method, params = METHODS[name], asdict(composition.compose([f"method={name}"]))
    assert issubclass(method, MethodBuilder)
    for key in (*method.sections, *method.schedulable, *method.optimizers.values()):
        assert below(params, key) is not None, key


@pytest.mark.parametrize("name", METHODS)
def test_players_have_turns_and_the_generator_is_one_player_s(name: str) -> None:
    config = composition.compose([f"method={name}"])
    built = build_method(config, FACTS, torch.device("cpu"))
    assert set(built.players) == {turn.player for turn in built.method.turns} == set(METHODS[name].optimizers)
    owners = built.players if name == "f_anogan" else [built.generator_player]  # whose encoder is kept, too
    owned = {id(parameter) for owner in owners for parameter in built.players[owner].parameters}
    assert {id(parameter) for parameter in built.generator.parameters()} <= owned
    leaves = kept(config, FACTS)
    z, labels = torch.zeros(2, leaves.latent_dim), torch.tensor([0, 9])
    given = [torch.zeros(2, *leaves.given_shape)] if leaves.given_shape else []
    assert built.generator(z, labels, *given).shape == (2, 1, 8, 8)


def test_the_images_of_a_step_are_shared_among_a_player_s_turns() -> None:
    def turns(*names: str, fresh: int) -> list[Turn]:
        return [Turn(name, lambda batch: {}, fresh=place < fresh) for place, name in enumerate(names)]

    assert images_per_turn(turns("D", "G", fresh=1), 32) == {"D": 32, "G": 32}
    assert images_per_turn(turns("D", "D", "G", fresh=2), 32) == {"D": 32, "G": 64}
    assert images_per_turn(turns("autoencoder", "D", "encoder", fresh=1), 8) == {"autoencoder": 8, "D": 8, "encoder": 8}
