"""Three faults that only a GPU would show, planted one after the other: prints what each step ends with, as JSON."""

import json
from typing import Any
from unittest.mock import patch

from tests.support.cuda_shapes import device

if __name__ == "__main__":
    device.load()

import torch

from ganflow.distributed.rng import RandomStream
from ganflow.methods.players.player import Player
from ganflow.methods.regularizers import r1
from tests.support.cuda_shapes.steps import costs

gradient, backward = r1.gradient, Player.backward


def beside_a_constant(*arguments: Any) -> torch.Tensor:
    slope = gradient(*arguments)
    return slope * torch.ones(slope.shape[1])


def left_on_the_host(stream: RandomStream, draw: Any, name: str, shape: Any) -> torch.Tensor:
    return torch.zeros(stream.count, *shape)


def looked_at(player: Player, *arguments: Any) -> None:
    backward(player, *arguments)
    player.total.item()


FAULTS = {
    "a constant on the CPU": (r1, "gradient", beside_a_constant, "default"),
    "a draw left there": (RandomStream, "_rows", left_on_the_host, "ring8"),
    "a value that is read": (Player, "backward", looked_at, "default"),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    found = {}
    for name, (place, attribute, fault, recipe) in FAULTS.items():
        with patch.object(place, attribute, fault):
            try:
                costs(recipe)
                found[name] = ""
            except Exception as error:
                found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))
