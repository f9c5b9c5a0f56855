"""The curve of a run: learning rates, as a factor of what each optimizer starts from, and the options that move along.

``training.schedule.to`` names those options and what they become.
"""

from collections.abc import Callable, Sequence
from math import cos, pi

from torch import Tensor, nn

from ganflow.config import components
from ganflow.config.params_file import at_the_end
from ganflow.config.scheduled_options import moving, value_at
from ganflow.config.schema import Config
from ganflow.config.yaml_file import Node
from ganflow.methods.base import BuiltMethod
from ganflow.methods.players.player import Player
from ganflow.training.ema import EMA

Put = Callable[[Sequence[float]], None]


def factor(nimg: int, warmup: float, decay: str, floor: float, total: float) -> float:
    """Linear from 0 to 1 over the first ``warmup`` images, then from 1 to ``floor`` until ``total`` images.

    Args:
        nimg: real images seen before the step.
        warmup: length of the warm-up in images; 0 for none.
        decay: ``constant``, ``linear`` or ``cosine`` (Loshchilov & Hutter, 2017, eq. 5, without restarts).
        floor: share of the rate that is left at the end of a decay.
        total: images at which a decay ends.
    """
    return nimg / warmup if nimg < warmup else floor + (1.0 - floor) * left(nimg, warmup, decay, total)


def left(nimg: int, warmup: float, decay: str, total: float) -> float:
    """The share of a decay that is still to come: 1 until the end of the warm-up, 0 from ``total`` images on."""
    if decay == "constant" or nimg < warmup:
        return 1.0
    done = min(1.0, (nimg - warmup) / (total - warmup)) if total > warmup else 1.0
    return 1.0 - done if decay == "linear" else 0.5 * (1.0 + cos(pi * done))


class Ramp:
    """One option, from its value at the start to its value at the end of the schedule's decay.

    Args:
        key: of the option in ``params.yaml``.
        start: its numbers at first, one or more.
        end: and at last.
        put: hands them to what they steer.
    """

    def __init__(self, key: str, start: Sequence[float], end: Sequence[float], put: Put) -> None:
        self.key, self.start, self.end, self.now = key, list(start), list(end), list(start)
        self._put = put

    def move(self, left: float) -> None:
        """Go to where this share of the way is still to come."""
        self.now = [left * a + (1 - left) * b for a, b in zip(self.start, self.end, strict=True)]
        self._put(self.now)

    def figures(self) -> dict[str, float]:
        """The numbers that move, as they are now."""
        name = f"schedule/{self.key}"
        if len(self.now) == 1:
            return {name: self.now[0]}
        return {f"{name}.{i}": now for i, now in enumerate(self.now) if self.start[i] != self.end[i]}


def build_ramps(config: Config, built: BuiltMethod, ema: EMA) -> list[Ramp]:
    """The ramps of ``training.schedule.to``, for a training that has just been built.

    Args:
        config: a checked configuration.
        built: the method and its players.
        ema: the average.
    """
    last, schedulable = at_the_end(config), built.method.schedulable
    players = {built.optimizers[name]: player for name, player in built.players.items()}
    ramps = []
    for key in moving(config):
        section, _, option = key.rpartition(".")
        if section in players:
            ramps.append(_of_optimizer(key, players[section], value_at(last, section)))
            continue
        put = _half_life(ema) if section == "training" else _attribute(schedulable[section], option)
        ramps.append(Ramp(key, [value_at(config, key)], [value_at(last, key)], put))
    return ramps


def _attribute(owner: object, option: str) -> Put:
    assert hasattr(owner, option), f"{type(owner).__name__} keeps no {option}"

    def put(values: Sequence[float]) -> None:
        now = getattr(owner, option)
        if isinstance(now, Tensor) and isinstance(owner, nn.Module):
            now.fill_(values[0])
        else:
            setattr(owner, option, values[0])

    return put


def _half_life(ema: EMA) -> Put:
    def put(values: Sequence[float]) -> None:
        ema.half_life = values[0] * 1000

    return put


def _of_optimizer(key: str, player: Player, choice: Node) -> Ramp:
    """From what an optimizer has to what one of the last values has."""
    section, _, option = key.rpartition(".")
    first = player.optimizer.param_groups[0][option]
    make = components.build("optimizer", choice, section)
    last = make(player.parameters).param_groups[0][option]
    is_tuple = isinstance(last, tuple)

    def put(values: Sequence[float]) -> None:
        for group in player.optimizer.param_groups:  # others after a resume
            group[option] = tuple(values) if is_tuple else values[0]

    return Ramp(key, first if is_tuple else [first], last if is_tuple else [last], put)
