"""The model card (Mitchell et al., 2019) as Hugging Face reads it: a README.md with YAML before its Markdown.

Names of classes, paths and recipes may be any text, so they stand in code spans, which nothing can end early.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from ganflow.evaluation.metrics.base import known
from ganflow.evaluation.outcome import Evaluation
from ganflow.generation import export
from ganflow.methods.generator import FILE, GeneratorSpec
from ganflow.report import snippets
from ganflow.report.html import template
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


@dataclass(frozen=True)
class Card:
    """The facts about a model."""

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
    return _render(card, left_out=left_out, front=_front(card, left_out), ways=_ways(card, left_out))


def summary(card: Card) -> str:
    """The card without what only the folder has: pictures, files and how to use them."""
    return _render(card, left_out=None, front="", ways=[])


def _render(card: Card, *, left_out: Mapping[str, str] | None, front: str, ways: Sequence[str]) -> str:
    protocol = {name: getattr(card.evaluation.protocol, name) for name in _PROTOCOL}
    return template("model_card.md.j2").render(
        card=card,
        left_out=left_out,
        front=front,
        ways=ways,
        samples=SAMPLES,
        classes=_classes(card.spec),
        known=known(),
        words=WORDS,
        code=code,
        protocol={name: value for name, value in protocol.items() if value not in (None, "")},
    )


def code(value: object, cell: bool = False) -> str:
    """Any text as a code span of one line, in which no character means anything; ``cell``: of a table."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split()) or "-"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, pad = "`" * (longest + 1), " " if "`" in (text[0], text[-1]) else ""
    span = f"{fence}{pad}{text}{pad}{fence}"
    return span.replace("|", r"\|") if cell else span


def _front(card: Card, left_out: Mapping[str, str]) -> str:
    """The metadata that Hugging Face's hub reads, as YAML."""
    licensed: dict[str, str] = {}
    if _SPDX.fullmatch(card.license):
        licensed = {"license": card.license.lower()}
    elif card.license:
        licensed = {"license": "other", "license_name": card.license}
    tag = "image-to-image" if card.spec.restores else card.spec.signal.task
    task = {"pipeline_tag": tag} if tag else {}
    forms = [name for file, name in ((export.PT2, "pytorch"), (export.ONNX, "onnx")) if file not in left_out]
    front = {**licensed, "library_name": "ganflow", **task, "tags": ["gan", "safetensors", *forms]}
    return yaml.safe_dump(front, sort_keys=False, allow_unicode=True)


def _classes(spec: GeneratorSpec) -> str:
    if not spec.num_classes:
        return "none, it is unconditional"
    names = ", ".join(f"{i} {code(name)}" for i, name in enumerate(spec.classes[:CLASSES]))
    more = ", …" if len(spec.classes) > CLASSES else ""
    return str(spec.num_classes) + (f": {names}{more}" if names else "")


def _ways(card: Card, left_out: Mapping[str, str]) -> list[str]:
    """With ganflow, with torch alone, with onnxruntime alone; or why not."""
    ways = [snippets.with_ganflow(card.spec, WEIGHTS)]
    for file, write in ((export.PT2, snippets.with_torch), (export.ONNX, snippets.with_onnxruntime)):
        why = left_out.get(file)
        ways.append(write(card.spec, f"{EXPORTS}/{file}") if why is None else f"There is no `{file}`: {code(why)}")
    return [*ways, snippets.rule(card.spec)]
