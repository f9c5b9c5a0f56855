"""The model card (Mitchell et al., 2019) as Hugging Face reads it: a README.md with YAML before its Markdown.

Names of classes, paths and recipes are anybody's text, so they stand in code spans, which nothing can end early.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from ganflow.evaluation.metrics.base import Measurement, known
from ganflow.evaluation.outcome import Evaluation, Protocol
from ganflow.generation import export
from ganflow.methods.generator import FILE, GeneratorSpec
from ganflow.report import snippets
from ganflow.report.charts import number
from ganflow.report.verdicts import WORDS

SAMPLES = "samples.png"
WEIGHTS = f"artifacts/{FILE}"
EXPORTS = "export"  # the folder
CLASSES = 100  # whose names are listed

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_PROTOCOL = (
    "samples",
    "reference",
    "reference_samples",
    "reference_repeats",
    "extractor",
    "extractor_accuracy",
    "seed",
)
_USE = """- Meant for research, teaching and tests of software, and for data like those it was trained on.
- Samples are made up. They are no evidence of anything, and nothing about a person may be concluded from them.
- What the data lack, show too often or show unfairly, the samples do, too; rare classes suffer most.
- A figure holds for its samples, reference and extractor alone; those of another protocol are not comparable."""


@dataclass(frozen=True)
class Card:
    """What is known of a model."""

    name: str  # of the registered model
    spec: GeneratorSpec
    parameters: int
    data: Mapping[str, str] = field(default_factory=dict)  # facts by what they are
    origin: Mapping[str, str] = field(default_factory=dict)  # recipe, commit, run, environment
    evaluation: Evaluation = field(default_factory=Evaluation)
    license: str = ""  # SPDX id or a line of text
    exports: Collection[str] = tuple(export.FORMS)  # that it is handed over in


def markdown(card: Card, left_out: Mapping[str, str]) -> str:
    """The whole README.md.

    Args:
        card: what is known.
        left_out: files that are not there, with the reason.
    """
    front = yaml.safe_dump(_front(card, left_out), sort_keys=False, allow_unicode=True)
    picture = "" if SAMPLES in left_out else f"![samples, not chosen]({SAMPLES})"
    use = "## How to use it\n\n" + "\n\n".join(_ways(card, left_out))
    parts = [f"# {code(card.name)}", _what(card), picture, _figures(card), use, *_made(card), _limits(card)]
    return f"---\n{front}---\n\n" + "\n\n".join(filter(None, parts)) + "\n"


def summary(card: Card) -> str:
    """The card without what only the folder has: pictures, files and how to use them."""
    return "\n\n".join(filter(None, [_what(card), _figures(card), *_made(card), _limits(card)])) + "\n"


def code(value: object, cell: bool = False) -> str:
    """Any text as a code span of one line, in which no character means anything; ``cell``: of a table."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split()) or "-"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, pad = "`" * (longest + 1), " " if "`" in (text[0], text[-1]) else ""
    span = f"{fence}{pad}{text}{pad}{fence}"
    return span.replace("|", r"\|") if cell else span


def _front(card: Card, left_out: Mapping[str, str]) -> dict[str, Any]:
    """What Hugging Face's hub reads."""
    licensed: dict[str, Any] = {}
    if _SPDX.fullmatch(card.license):
        licensed = {"license": card.license.lower()}
    elif card.license:
        licensed = {"license": "other", "license_name": card.license}
    task = {} if card.spec.points else {"pipeline_tag": "unconditional-image-generation"}
    forms = [name for file, name in ((export.PT2, "pytorch"), (export.ONNX, "onnx")) if file not in left_out]
    return {**licensed, "library_name": "ganflow", **task, "tags": ["gan", "safetensors", *forms]}


def _what(card: Card) -> str:
    spec = card.spec
    makes = "points in the plane" if spec.points else f"{spec.resolution}×{spec.resolution} images"
    channels = "" if spec.points else f" of {_count(spec.channels, 'channel')}"
    facts = {"network": code(spec.network.get("name", "")), "parameters": f"{card.parameters:,}",
             "latent": f"{spec.latent_dim} values from N(0, 1)", "classes": _classes(spec)}  # fmt: skip
    told = (f"- {name}: {value}" for name, value in facts.items())
    return "\n".join([f"A generator of {makes}{channels}, trained with ganflow.", "", *told])


def _classes(spec: GeneratorSpec) -> str:
    if not spec.num_classes:
        return "none, it is unconditional"
    names = ", ".join(f"{i} {code(name)}" for i, name in enumerate(spec.classes[:CLASSES]))
    more = ", …" if len(spec.classes) > CLASSES else ""
    return str(spec.num_classes) + (f": {names}{more}" if names else "")


def _figures(card: Card) -> str:
    rows = [_row(name, measured) for name, measured in card.evaluation.figures.items()]
    if not rows:
        return "## Figures\n\nNothing was measured."
    head = ["| Figure | Value | 95 % interval | |", "|---|---|---|---|"]
    return "\n".join(["## Figures", "", *head, *rows, "", _protocol(card.evaluation.protocol)])


def _row(name: str, measured: Measurement) -> str:
    figure = known().get(name)
    label, better = (figure.label, WORDS[figure.better]) if figure else (code(name, cell=True), "")
    low, high = measured.low, measured.high
    interval = "" if low is None or high is None else f"{number(low)} to {number(high)}"
    return f"| {label} | {number(measured.value)} | {interval} | {better} |"


def _protocol(protocol: Protocol) -> str:
    values = {name: getattr(protocol, name) for name in _PROTOCOL}
    told = (f"{name.replace('_', ' ')} {code(value)}" for name, value in values.items() if value not in (None, ""))
    return f"Protocol: {', '.join(told) or 'not stated'}."


def _made(card: Card) -> list[str]:
    """Sections on data and origin; what is not known is left out."""
    sections = {"Data": card.data, "Training": card.origin}
    return [
        "\n".join([f"## {title}", "", *(f"- {name}: {code(value)}" for name, value in facts.items())])
        for title, facts in sections.items()
        if facts
    ]


def _limits(card: Card) -> str:
    share = card.evaluation.figures.get("memorised")
    nearer = "- How many samples resemble training images was not measured; look before you publish any."
    if share is not None:
        percent = f"{100 * share.value:.3g} % of the samples"
        nearer = f"- {percent} lie nearer to a training image than 95 % of held-out images do; 5 % is expected."
    held = f"Licence: {code(card.license)}." if card.license else (
        "Licence: none is stated, so none is given; `register.license` in `params.yaml` states one. It is about the "
        "weights; that of the data may bind, too.")  # fmt: skip
    return "\n".join(["## Intended use and limits", "", _USE, nearer, "", held])


def _ways(card: Card, left_out: Mapping[str, str]) -> list[str]:
    """With ganflow, with torch alone, with onnxruntime alone; or why not."""
    ways = [snippets.with_ganflow(card.spec, WEIGHTS)]
    for file, write in ((export.PT2, snippets.with_torch), (export.ONNX, snippets.with_onnxruntime)):
        why = left_out.get(file)
        ways.append(write(card.spec, f"{EXPORTS}/{file}") if why is None else f"There is no `{file}`: {code(why)}")
    return [*ways, snippets.rule(card.spec)]


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
