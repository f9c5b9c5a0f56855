"""A training that starts from a trained model (fine-tuning): its weights in place of fresh ones, wherever they fit."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.distributed import collectives
from ganflow.errors import require
from ganflow.methods import generator
from ganflow.methods.base import BuiltMethod
from ganflow.methods.build import build_generator, shapes_only
from ganflow.methods.players import players_file
from ganflow.methods.players.players_file import Weights

logger = logging.getLogger(__name__)

KEY, AVERAGE = "training.start", "average"
NAMED = 3  # tensors in one line


@dataclass(frozen=True)
class Start:
    """Weights that players begin with.

    Attributes:
        source: where they are from, for lines.
        average: of the generator's.
        players: of every player's network, by name; of an earlier ganflow's model there are none.
        generator: the name of its network; "" at the workers, where it was checked before.
    """

    source: str
    average: Weights
    players: Mapping[str, Weights]
    generator: str = ""

    @classmethod
    def of(cls, source: str, weights: Path, players: Path | None) -> "Start":
        """Read a model's files.

        Raises:
            GanflowError: a file that is none of ganflow's.
        """
        model = generator.load(weights)
        others = {} if players is None else players_file.load(players)
        return cls(source, model.network.state_dict(), others, model.spec.network["name"])

    @classmethod
    def read(cls, source: str, path: Path) -> "Start":
        """Read what :meth:`write` wrote."""
        players = players_file.load(path)
        return cls(source, players.pop(AVERAGE), players)

    def write(self, path: Path) -> str:
        """Write all of it as one file, by which it travels to workers; gives the sha256 of that."""
        players_file.save(path, {AVERAGE: self.average, **self.players})
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def check(self, config: Config, facts: Facts) -> None:
        """Refuse another network for the generator, or one of which nothing fits, before any work.

        Raises:
            ConfigError: with the key.
        """
        name = config.gan.generator["name"]
        way = f"its generator is a {self.generator}, and gan.generator.name={name}; set gan/generator={self.generator}"
        require(name == self.generator, KEY, self.source, way)
        with shapes_only():
            network = build_generator(config, facts)
        misfit = f"none of its generator's tensors has the shape of one for {facts} with the options of gan.generator"
        require(bool(_fitting(network, self.average)), KEY, self.source, misfit)

    def give(self, built: BuiltMethod, average: nn.Module) -> None:
        """Load the weights into the players and the average; rank 0 says in a line each what stays fresh."""
        for name, player in built.players.items():
            if name in self.players:
                self._load(player.network, self.players[name], name)
            elif name == built.generator_player:
                self._load(built.generator, self.average, name)
            else:
                _say(f"{name} starts afresh: {self.source} has no weights of it")
        self._load(average, self.average, "the average")

    def _load(self, network: nn.Module, weights: Weights, name: str) -> None:
        fitting, state = _fitting(network, weights), network.state_dict()
        network.load_state_dict({**state, **fitting})
        if fresh := [tensor for tensor in state if tensor not in fitting]:
            named = ", ".join(fresh[:NAMED]) + (", …" if len(fresh) > NAMED else "")
            _say(f"{len(fitting)} of {len(state)} tensors of {name} are those of {self.source}; fresh are {named}")


def _say(line: str) -> None:
    if collectives.rank() == 0:
        logger.warning(line)


def _fitting(network: nn.Module, weights: Weights) -> dict[str, Tensor]:
    """The weights that have the name and the shape of one of the network's."""
    tensors = network.state_dict().items()
    return {name: weights[name] for name, t in tensors if name in weights and weights[name].shape == t.shape}
