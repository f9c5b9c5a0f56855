"""One side of the game: a network, its optimizer, and the turn in which it alone learns."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganflow.config import components
from ganflow.config.scheduled_options import value_at
from ganflow.config.schema import Config
from ganflow.distributed import collectives, torch_internals
from ganflow.methods.players.weight_copies import WeightCopies


class Player:
    """Calling a player calls its network; only in its own turn does that lead to averaged gradients.

    Args:
        network: what learns, but for parameters that need no gradient.
        optimizer: over its parameters.
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.network = network
        self.optimizer = optimizer
        self._parallel = collectives.data_parallel(network)
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.weight_copies = WeightCopies(network)  # for turns in bf16
        self._learning = False
        self._zero = torch.zeros((), device=self.parameters[0].device if self.parameters else None)
        self.total = self._zero  # of the terms of the last turn
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]  # travels with the optimizer's state, as torch's schedulers have it

    def __call__(self, *inputs: object) -> Any:
        # A frozen network must not go through DDP: its reducer would wait for gradients that never come.
        return (self._parallel if self._learning else self.network)(*inputs)

    @contextmanager
    def turn(self, *opponents: "Player") -> Iterator[None]:
        """Unfreeze this player, freeze its opponents, and clear its gradients."""
        for opponent in opponents:
            opponent.learns(False)
        self.learns(True)
        for parameter in self.parameters:  # zero_grad takes as long as a small layer
            parameter.grad = None
        self.total = self._zero
        self._learning = True
        try:
            yield
        finally:
            self._learning = False

    def learns(self, flag: bool) -> None:
        """Let gradients reach this player's parameters, or stop them."""
        for parameter in self.parameters:
            parameter.requires_grad = flag

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def scale_rate(self, factor: float) -> None:
        """Make the learning rate this share of the initial one, whatever it is now."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def apart(self) -> contextlib.AbstractContextManager[object]:
        """For terms whose gradients are not averaged over the ranks yet, as more are to come in this turn."""
        return collectives.unsynchronised(self._parallel)

    def backward(self, terms: Mapping[str, Tensor], share: float = 1.0) -> None:
        """One joint backward of all terms, a ``share`` of the turn's: a separate one per term would break DDP."""
        total = functools.reduce(torch.add, terms.values())
        # A total that is not finite makes the gradients so, whatever its derivative: DDP tells the other ranks.
        weigh = share < 1 or collectives.world_size() > 1
        total.backward(total.detach() * 0 + share if weigh else None)
        self.total = self.total + total.detach()

    def step(self, left_out: Tensor | None = None) -> None:
        """Move along the gradients; where ``left_out`` () is 1 on the device, nothing moves."""
        torch_internals.step(self.optimizer, left_out=left_out)

    def state_dict(self) -> dict[str, object]:
        """Network and optimizer."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


def build_player(network: nn.Module, config: Config, optimizer: str, device: torch.device) -> Player:
    """A player with the optimizer at this key of ``params.yaml``, its network moved to the device."""
    torch_internals.leave_out_compiler()
    make = components.build("optimizer", value_at(config, optimizer), optimizer)
    network = to_device(network, device)  # before its parameters are listed: a move may exchange them
    return Player(network, make([parameter for parameter in network.parameters() if parameter.requires_grad]))


def to_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to the device, channels last where there are convolutions, which are faster so."""
    network = network.to(device)
    for parameter in network.parameters():  # not modules' weights: a normalised one is computed anew at every look
        if parameter.dim() == 4 and parameter.shape[1] > 1:  # with one channel DDP would warn of its strides
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
