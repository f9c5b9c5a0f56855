"""The card says what is known, in Markdown and YAML that no name can break."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ganflow.evaluation.metrics.base import Measurement
from ganflow.methods.generator import GeneratorSpec
from ganflow.report.metrics_file import parse
from ganflow.report.model_card import Card, code, markdown, summary

EVALUATION = parse({
    "fid": 12.345, "fid_low": 11.9, "fid_high": 12.8, "coverage": 1.0, "memorised": 0.062, "samples": 10000,
    "reference": "test", "reference_samples": 360, "extractor": "classifier-1", "extractor_accuracy": None, "seed": 0,
})  # fmt: skip
SPEC = GeneratorSpec({"name": "dcgan"}, 64, (3, 32, 32), 2, ["cat", "dog"])
CARD = Card("animals", SPEC, 1234567, {"images": "1797"}, {"git commit": "ef" * 20}, EVALUATION, "CC-BY-4.0")


def front(text: str) -> dict[str, Any]:
    _, head, _ = text.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(head)
    return found


def test_it_says_what_is_known() -> None:
    text = markdown(CARD, {})
    assert front(text)["license"] == "cc-by-4.0"
    assert front(text)["library_name"] == "ganflow"
    for said in (
        "RGB images of 32x32", "parameters: 1,234,567", "classes: 2: 0 `cat`, 1 `dog`", "git commit: `efef",
        "| FID | 12.35 | 11.9 to 12.8 | ↓ lower is better |", "| Coverage of classes | 1 |  |", "images: `1797`",
        "samples `10000`, reference `test`, reference samples `360`, extractor `classifier-1`, seed `0`",
        "6.2 % of the samples lie nearer", "Licence: `CC-BY-4.0`.", "![samples, not chosen](samples.png)",
    ):  # fmt: skip
        assert said in text
    assert "fid_low" not in text


def test_what_is_not_known_is_said_or_left_out() -> None:
    text = markdown(Card("m", replace(SPEC, num_classes=0, classes=[]), 1), {})
    assert "license" not in front(text)
    for said in ("Nothing was measured", "none is stated", "`register.license`", "was not measured", "unconditional"):
        assert said in text
    assert "## Data" not in text
    assert "labels" not in text


def test_a_licence_in_words_is_not_taken_for_an_id() -> None:
    text = markdown(replace(CARD, license="Ask us: --- # first"), {})
    assert front(text)["license"] == "other"
    assert front(text)["license_name"] == "Ask us: --- # first"


def test_a_file_that_is_not_there_is_said_with_the_reason() -> None:
    text = markdown(CARD, {"generator.onnx": "this network `cannot`", "samples.png": "NaN"})
    assert "There is no `generator.onnx`: `` this network `cannot` ``" in text
    assert "onnxruntime.InferenceSession" not in text
    assert front(text)["tags"] == ["gan", "safetensors", "pytorch"]
    assert "![" not in text


def test_points_have_their_own_words() -> None:
    text = markdown(Card("m", GeneratorSpec({"name": "mlp"}, 4, (2, 1, 1), 0, kind="points"), 1), {})
    assert "points in the plane" in text
    assert "uint8" not in text
    assert "pipeline_tag" not in front(text)


@pytest.mark.parametrize(
    "name",
    [
        "a|b",
        "`x`",
        "``",
        "<script>alert(1)</script>",
        "a\n# b\n---\nlicense: mit",
        "![x](http://x)",
        "{{ 7 * 7 }}{% x %}",
        "\u202eabc",
        "",
    ],
)
def test_no_name_breaks_out(name: str) -> None:
    evaluation = replace(EVALUATION, figures={**EVALUATION.figures, name: Measurement(1.0)})
    card = replace(CARD, spec=replace(SPEC, classes=[name, "dog"]), data={"path": name}, evaluation=evaluation)
    plain = markdown(CARD, {})
    text = markdown(card, {})
    assert len(text.splitlines()) == len(plain.splitlines()) + 1  # the row of the figure
    assert front(text) == front(plain)
    assert f"0 {code(name)}, 1 `dog`" in text
    assert code(name) in summary(card)


@given(st.text())
def test_a_code_span_holds_any_text(text: str) -> None:
    span = code(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inner = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert span.isprintable()
    assert inner
    assert fence not in inner
