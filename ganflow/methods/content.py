"""G that makes an image of what it is given of it: its inputs, and the content losses that it learns."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from ganflow.config import components, project_folder
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import ConfigError, require
from ganflow.methods.base import Batch
from ganflow.methods.build import degradations, given_shape
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.regularizers.base import GeneratorTurn


def made_of(batch: Batch, labels: Tensor | None) -> tuple[Tensor | None, ...]:
    """The inputs of G for these rows: z, labels, and what is given of the images where something is."""
    return (batch.z, labels) if batch.given is None else (batch.z, labels, batch.given)


def chosen_content(config: Config) -> dict[str, ContentLoss]:
    """The content losses that the configuration names, by name, before they have read any file."""
    chosen = config.gan.content.items()
    return {name: components.build("content_loss", node, _key(name)) for name, node in chosen}


def build_content(config: Config) -> dict[str, ContentLoss]:
    """The content losses that the configuration names, by name. All ranks call it together.

    Raises:
        ConfigError: a file that one needs is not to be had.
    """
    content = chosen_content(config)
    cache = project_folder.place(config.cluster.cache).expanduser()
    for name, loss in content.items():
        with _under(name):
            loss.prepare(cache)
    return content


def _key(name: str) -> str:
    return f"gan.content.{name}"


@contextmanager
def _under(name: str) -> Iterator[None]:
    """In the block, options that a content loss refuses have their full key."""
    try:
        yield
    except ConfigError as error:
        raise error.under(_key(name)) from None


def content_terms(content: Mapping[str, ContentLoss], turn: GeneratorTurn) -> dict[str, Tensor]:
    """The weighted terms by name."""
    return {name: loss.weight * loss(turn) for name, loss in content.items()}


def check_content(config: Config, facts: Facts) -> None:
    """Refuse content losses without an image to compare with, hidden pixels that they look at, or files.

    Raises:
        ConfigError: the first one that does not fit.
    """
    given, chain = given_shape(config, facts), degradations(config, facts)
    for name, loss in chosen_content(config).items():
        why = "compares G's image with the one that it should be; set given=[noise] or another degradation"
        require(given is not None, _key(name), name, why)
        hides = chain is not None and chain.masks
        require(hides or not loss.of_hidden, _key(name), name, "needs hidden pixels, as of given=[hole]")
        with _under(name):
            loss.check(facts.shape)
