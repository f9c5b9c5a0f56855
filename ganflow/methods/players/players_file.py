"""The players' networks as one file beside the generator's: what another training may start from.

The generator's file holds the average, which is sampled; this one the weights with which every player left off.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ganflow.errors import GanflowError

FILE = "players.safetensors"
Weights = Mapping[str, Tensor]


def save(path: Path, players: Mapping[str, Weights]) -> None:
    """Write the networks' tensors by player and name; the same ones give the same bytes."""
    from safetensors.torch import save_file

    tensors = {f"{player}/{name}": tensor for player, weights in players.items() for name, tensor in weights.items()}
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)


def load(path: Path) -> dict[str, dict[str, Tensor]]:
    """Read what :func:`save` wrote: tensors by player and name.

    Raises:
        GanflowError: no such file, or no safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise GanflowError(f"{path}: no readable players: {error}") from None
    players: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        player, _, inner = name.partition("/")
        players.setdefault(player, {})[inner] = tensor
    return players
