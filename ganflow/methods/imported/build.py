"""From a file that others published to a model: which network it is, its weights, and what was understood of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from ganflow.config import components
from ganflow.errors import GanflowError, require
from ganflow.methods.build import shapes_only
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.methods.imported.base import ImportedNetwork, PublishedArchitecture, TheirTensors
from ganflow.methods.imported.published_parts import AVERAGE, D, G, PublishedParts
from ganflow.methods.imported.weights_file import WAY, read_tensors

GROUP = "imported"
NOUNS = {AVERAGE: "average generator", G: "generator", D: "discriminator"}


@dataclass(frozen=True)
class PublishedModel:
    """A published model as ganflow's.

    Attributes:
        generator: the network that is sampled, an average where there is one, with its weights.
        spec: of it.
        players: weights of G and D, those that the file has.
        overrides: what a configuration needs in order to start from it.
        lines: what was understood and left out, for people.
    """

    generator: nn.Module
    spec: GeneratorSpec
    players: Mapping[str, Mapping[str, Tensor]]
    overrides: list[str]
    lines: list[str]


@dataclass(frozen=True)
class Asked:
    """A request: the file, and what its tensors do not tell.

    Attributes:
        file: with the generator, and perhaps more.
        network: the architecture's name; "" where its tensors' names are to tell.
        options: of the architecture.
        discriminator: a file of its own; None where it is in the first, or not wanted.
        generator_only: leave the discriminator out.
    """

    file: Path
    network: str = ""
    options: Mapping[str, object] | None = None
    discriminator: Path | None = None
    generator_only: bool = False


def read_published(asked: Asked) -> PublishedModel:
    """Read a published model.

    Raises:
        GanflowError: a file that cannot be read without running code, names that no architecture here has, a variant
            that the network here does not have, a tensor too many or too few.
    """
    tensors = read_tensors(asked.file)
    name, architecture = _architecture(asked, tensors)
    parts = PublishedParts.of(tensors, architecture.beside)
    states = dict(parts.networks) or {AVERAGE: parts.alone}
    if asked.discriminator is not None:
        states[D] = _discriminator(asked.discriminator)
    if asked.generator_only:
        states.pop(D, None)
    if AVERAGE not in states and G not in states:
        raise GanflowError(f"{asked.file} has no generator, but {_nouns(states)}; give the generator's")
    networks, left_out, notes = {}, dict[str, list[str]](), list[str]()
    for part in (part for part in NOUNS if part in states):
        theirs = TheirTensors({**states[part], **({} if part == D else parts.beside)}, NOUNS[part])
        networks[part] = _imported(architecture, part, theirs)
        notes += networks[part].notes
        for tensor, reason in theirs.left_out:
            left_out.setdefault(reason, []).append(tensor)
    lines = [f"left out: {head}" for head in parts.left_out]
    lines += [f"left out: {len(names)} tensors such as {min(names)}: {why}" for why, names in left_out.items()]
    return _model(name, networks, [*lines, *notes])


def _nouns(parts: Iterable[str]) -> str:
    return ", ".join(NOUNS[part] for part in parts)


def _architecture(asked: Asked, tensors: Mapping[str, Tensor]) -> tuple[str, PublishedArchitecture]:
    parts = PublishedParts.of(tensors)
    names = [set(state) for state in (*parts.networks.values(), parts.alone) if state]
    choices = components.choices(GROUP)
    made: dict[str, PublishedArchitecture] = {
        name: components.build(GROUP, {"name": name}, "network") for name in choices
    }
    knowing = [name for name, architecture in made.items() if any(map(architecture.knows, names))]
    require(asked.network in ("", *choices), "network", asked.network, f"one of {', '.join(choices)}")
    name = asked.network or next(iter(knowing), "")
    if name not in knowing:
        first, those = ", ".join(list(tensors)[:3]), name or " or ".join(choices)
        raise GanflowError(f"{asked.file}: its tensors' names ({first}, …) are not those of {those}; {WAY}")
    return name, components.build(GROUP, {"name": name, **(asked.options or {})}, name)


def _discriminator(file: Path) -> dict[str, Tensor]:
    parts = PublishedParts.of(read_tensors(file))
    state = parts.networks.get(D, parts.alone)
    if not state:
        raise GanflowError(f"{file} has no discriminator, but {_nouns(parts.networks)}")
    return state


def _imported(architecture: PublishedArchitecture, part: str, theirs: TheirTensors) -> ImportedNetwork:
    """The network, whose tensors are all there and fit, as are its authors' all taken."""
    try:
        imported = architecture.discriminator(theirs) if part == D else architecture.generator(theirs)
        theirs.check_all_taken()
        with shapes_only():
            network = _built("discriminator" if part == D else "generator", imported)
    # Tensors of any shapes, so that each step refuses what it cannot take in its own way.
    except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
        raise GanflowError(
            f"the {theirs.owner}'s tensors do not belong together: {' '.join(str(error).split())}"
        ) from None
    ours = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in imported.weights.items()}
    for name in {**ours, **given}:
        if ours.get(name) != given.get(name):
            their_shape, our_shape = given.get(name, "missing"), ours.get(name, "without a place")
            raise GanflowError(
                f"the {theirs.owner} does not fit {_options(imported)}: {name} is {their_shape}, here {our_shape}"
            )
    return imported


def _built(group: str, imported: ImportedNetwork) -> nn.Module:
    facts = imported.facts.for_component()
    network: nn.Module = components.build(group, imported.network, f"gan.{group}", **facts)
    return network


def _options(imported: ImportedNetwork) -> str:
    return " ".join(f"{key}={value}" for key, value in imported.network.items())


def _model(name: str, networks: Mapping[str, ImportedNetwork], lines: list[str]) -> PublishedModel:
    sampled = networks.get(AVERAGE) or networks[G]
    if AVERAGE not in networks:
        lines.append("the file has no average of the generator's weights: those that it left off with are sampled")
    _check_together(networks)
    facts = sampled.facts
    spec = GeneratorSpec(_whole("generator", sampled), facts.latent_dim, facts.shape, facts.num_classes)
    network = spec.build()
    network.load_state_dict(dict(sampled.weights))
    Generator(network, spec).sample(1, seed=0)  # refuses what is not finite
    players = {player: networks[player].weights for player in (G, D) if player in networks}
    of_d = f"; discriminator: {_options(networks[D])}" if D in networks else "; no discriminator"
    images = f"{spec}, {facts.num_classes} classes" if facts.num_classes else f"{spec}, unconditional"
    understood = f"understood: {images}, latent_dim={facts.latent_dim}; generator: {_options(sampled)}{of_d}"
    return PublishedModel(network, spec, players, _overrides(name, networks, sampled), [understood, *lines])


def _check_together(networks: Mapping[str, ImportedNetwork]) -> None:
    """Refuse networks of different images or classes."""
    facts = {part: (network.facts.shape, network.facts.num_classes) for part, network in networks.items()}
    first, *others = facts
    for part in others:
        pair = ", ".join(f"the {NOUNS[p]} is for images {facts[p][0]} of {facts[p][1]} classes" for p in (first, part))
        if facts[part] != facts[first]:
            raise GanflowError(f"{pair}: give a pair that was trained together")


def _whole(group: str, imported: ImportedNetwork) -> dict[str, object]:
    """The choice with all of its options, as params.yaml has it."""
    schema = components.schema(group, str(imported.network["name"]))
    return {str(key): value for key, value in components.merge(schema, imported.network).items()}


def _overrides(name: str, networks: Mapping[str, ImportedNetwork], sampled: ImportedNetwork) -> list[str]:
    chosen = {"generator": sampled} | ({"discriminator": networks[D]} if D in networks else {})
    overrides = [f"gan/{group}={name}" for group in chosen] + [f"gan.latent_dim={sampled.facts.latent_dim}"]
    if D in networks:
        overrides.append(f"gan.conditioning={networks[D].facts.conditioning}")
    for group, imported in chosen.items():
        defaults = components.defaults(components.schema(group, name))
        changed = {key: value for key, value in imported.network.items() if defaults[key] != value and key != "name"}
        overrides += [f"gan.{group}.{key}={value}" for key, value in changed.items()]
    return overrides
