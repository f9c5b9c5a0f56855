"""A request, checked against the model: every misfit is one line with key, value and what may stand there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganflow.errors import require
from ganflow.generation.sampling import classes_of
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.serving.answer import FORMATS

SEEDS = 2**63
SHOWN = 80  # characters of a wrong value
RESTORES_HERE = "makes images of what it is given: POST a picture to /restore, or /detect"
_KEYS = ("n", "seed", "label", "truncation", "format")


@dataclass(frozen=True)
class Asked:
    """One request: the samples that ``ganflow generate`` draws for the same ``n``, ``seed`` and so on."""

    n: int = 1
    seed: int = 0
    label: tuple[int, ...] | None = None  # the classes that take turns; None: all
    truncation: float | None = None
    format: str = "png"

    def latents(self, generator: Generator) -> Tensor:
        """z: (n, latent_dim)."""
        return generator.latents(self.seed, 0, self.n, self.truncation)

    def noise(self, generator: Generator) -> Tensor | None:
        """Noise: (n, noise_size); None of a network that takes none."""
        return generator.noise(self.seed, 0, self.n)

    def labels(self, generator: Generator) -> Tensor | None:
        """Classes: (n,); None of an unconditional generator."""
        return generator.labels(0, self.n, self.label)


def from_query(pairs: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The options of a URL as those of a JSON body: numbers as numbers, ``label=3,cat`` as a list.

    Raises:
        ConfigError: an option that is given twice.
    """
    fields: dict[str, object] = {}
    for key, text in pairs:
        require(key not in fields, _brief(key), _brief(text), "is given twice")
        fields[key] = text.split(",") if key == "label" else _number(text) if key != "format" else text
    return fields


def parse(fields: Mapping[str, Any], generator: Generator, most: int) -> Asked:
    """Hold options against the generator.

    Args:
        fields: option → value as JSON has it; null is as left out.
        generator: what will draw.
        most: the largest n.

    Raises:
        ConfigError: an unknown option, or a value that it cannot have.
    """
    require(not generator.spec.restores, "generate", "this model", RESTORES_HERE)
    for key, value in fields.items():
        require(key in _KEYS, _brief(key), _brief(value), f"no such option; there are {', '.join(_KEYS)}")
    given = {key: value for key, value in fields.items() if value is not None}
    asked = Asked(
        n=_whole(given, "n", 1, 1, most),
        seed=_whole(given, "seed", 0, -SEEDS + 1, SEEDS - 1),
        label=_classes(given["label"], generator.spec) if "label" in given else None,
        truncation=_truncation(given.get("truncation"), generator),
        format=given.get("format", "png"),
    )
    valid = isinstance(asked.format, str) and asked.format in FORMATS
    require(valid, "format", _brief(asked.format), f"one of {', '.join(FORMATS)}")
    generator.labels(0, 1, asked.label)
    return asked


def _whole(given: Mapping[str, Any], key: str, default: int, least: int, most: int) -> int:
    value = given.get(key, default)
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    require(fits, key, _brief(value), f"must be a whole number from {least} to {most}")
    return int(value)


def _truncation(value: Any, generator: Generator) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
    require(number and math.isfinite(value), "truncation", _brief(value), "must be a number")
    generator.check_truncation(float(value))
    # Beyond what float32 tells apart from 0 there is nothing to draw from.
    require(generator.has_w or value >= torch.finfo(torch.float32).tiny, "truncation", value, "must be more than 0")
    return float(value)


def _classes(value: object, spec: GeneratorSpec) -> tuple[int, ...]:
    """Classes from a number, a name, or a list of either."""
    labels = value if isinstance(value, list) else [value]
    require(spec.num_classes > 0, "label", _brief(value), "none: this generator is unconditional")
    require(0 < len(labels) <= spec.num_classes, "label", _brief(value), f"one to {spec.num_classes} classes")
    names = []
    for label in labels:
        plain = isinstance(label, int | str) and not isinstance(label, bool)
        numeral = not isinstance(label, str) or label.isascii() or not label.isdecimal()
        require(plain and numeral and len(str(label)) <= SHOWN, "label", _brief(label), "a class's number or name")
        names.append(str(label))
    return tuple(classes_of(names, spec))


def _number(text: str) -> int | float | str:
    """A number where the text is one of JSON's kind: no blanks, underscores or other scripts' digits."""
    if len(text) > SHOWN or not text.isascii() or set(text) & set("_ \t\n"):
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _brief(value: object) -> str:
    try:
        text = str(value)
    except ValueError:  # an int of more digits than Python writes
        text = "a very long number"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
