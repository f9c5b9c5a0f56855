"""Degradations one after the other, as the configuration's ``given`` lists them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganflow.config import components
from ganflow.distributed.rng import RandomStream
from ganflow.errors import ConfigError, require
from ganflow.methods.degradations.base import Degradation
from ganflow.signals.base import Shape

Nodes = Mapping[str, Mapping[str, Any]]  # as params.yaml has them: a degradation's options by its name, in order


class DegradationChain:
    """From images (N, C, H, W) in [-1, 1] to what a model is given of them, and back by simple methods.

    Attributes:
        shape: of what a model is given, its channels first; the last one is the mask where pixels are hidden.
        masks: whether pixels are hidden.

    Raises:
        ConfigError: an unknown degradation or option, images that cannot be degraded so, or a mask that is not last.
    """

    def __init__(self, nodes: Nodes, shape: Shape) -> None:
        self.steps: dict[str, Degradation] = {}
        for name, node in nodes.items():
            step: Degradation = components.build("degradation", node, f"given.{name}")
            hidden = next((before for before, other in self.steps.items() if other.masks), "")
            require(not hidden, f"given.{name}", name, f"must come before {hidden}, which hides pixels")
            try:
                shape = step.shape(shape)
            except ConfigError as error:
                raise error.under(f"given.{name}") from None
            self.steps[name] = step
        self.shape = shape
        self.masks = any(step.masks for step in self.steps.values())

    def __call__(self, images: Tensor, draw: RandomStream) -> Tensor:
        """The images, degraded step by step: (N, *shape), of which a model makes them again."""
        for name, step in self.steps.items():
            images = step(images, draw.substream(name))
        return images

    def simple(self, given: Tensor) -> Tensor:
        """The images again, each step undone by its simple method: what a model has to beat."""
        for step in reversed(self.steps.values()):
            given = step.simple(given)
        return given

    def hidden(self, given: Tensor) -> Tensor | None:
        """The mask (N, 1, H, W), 1 where pixels are hidden; None where none are."""
        return given[:, -1:] if self.masks else None
