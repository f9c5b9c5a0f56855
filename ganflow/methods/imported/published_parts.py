"""The networks in a published file: the players, and the average of the generator's weights."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from torch import Tensor

AVERAGE, G, D = "average", "G", "D"
PARTS = {"G_ema": AVERAGE, "g_ema": AVERAGE, "G": G, "g": G, "D": D, "d": D}  # as code bases call them
WRAPPER = "module."  # of torch's DataParallel


@dataclass(frozen=True)
class PublishedParts:
    """State dicts by their part, under their authors' names, and the names of what else there is.

    A file of one state dict has it as ``alone``.
    """

    networks: Mapping[str, dict[str, Tensor]]
    alone: dict[str, Tensor] = field(default_factory=dict)
    beside: dict[str, Tensor] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], beside: Collection[str] = ()) -> "PublishedParts":
        """Deal the tensors of a file out; those named ``beside`` are kept for the generators."""
        networks: dict[str, dict[str, Tensor]] = {}
        others: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            head, _, inner = name.partition(".")
            if head in PARTS and inner:
                networks.setdefault(PARTS[head], {})[inner.removeprefix(WRAPPER)] = tensor
            else:
                others[name] = tensor
        if not networks:
            return cls({}, alone={name.removeprefix(WRAPPER): tensor for name, tensor in others.items()})
        left_out = dict.fromkeys(name.partition(".")[0] for name in others if name not in beside)
        return cls(networks, {}, {name: others[name] for name in beside if name in others}, tuple(left_out))
