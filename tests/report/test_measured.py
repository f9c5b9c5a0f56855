"""A whole evaluation: what it says of known generators, on one rank and on two, and the files it leaves."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow import conf
from ganflow.data.dataset import Dataset
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.samples import Given, Samples
from ganflow.generator import Generator, GeneratorSpec
from ganflow.progress import Advanced
from ganflow.report import files
from ganflow.report.measured import Measured, evaluate
from ganflow.schema import EvaluationConfig
from tests.support.ranks import on_ranks
from tests.support.replay import Replay
from tests.support.small import EXTRACTOR

SPEC = GeneratorSpec({"name": "mlp", "widths": [16]}, 4, 8, 1, 10, [str(d) for d in range(10)])


def evaluator(data: Path, cache: Path, *metrics: str) -> Evaluator:
    chosen = [f"evaluation/metrics=[{','.join(('fid', 'coverage', *metrics))}]"] if metrics else []
    config = EvaluationConfig(extractor=EXTRACTOR, metrics=conf.compose(chosen).evaluation.metrics)
    return build_evaluator(config, data, cache, torch.device("cpu"))


def measured(samples: Samples, by: Evaluator) -> Measured:
    found = evaluate(by, samples, 50)
    assert found is not None
    return found


def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(SPEC.build(), SPEC)


def replay(data: Dataset, without: tuple[int, ...] = ()) -> Replay:
    return Replay(data, np.flatnonzero(~np.isin(data.labels, without)), labelled=True)


def test_a_generator_that_replays_train_images_is_flagged_and_the_test_split_is_not(digits: Path, cache: Path) -> None:
    by = evaluator(digits, cache, "memorisation")
    copies = measured(replay(Dataset.open(digits)), by).figures
    assert copies["memorised"] > 0.9
    assert copies["memorisation_p"] < 1e-6
    honest = measured(replay(Dataset.open(digits, "test")), by).figures
    assert honest["memorised"] < 0.1
    assert honest["memorisation_p"] > 0.05


def test_a_generator_that_drops_three_classes_loses_as_much_coverage(digits: Path, cache: Path) -> None:
    by = evaluator(digits, cache, "diversity")
    whole = measured(replay(Dataset.open(digits)), by)
    found = measured(replay(Dataset.open(digits), without=(2, 5, 7)), by)
    assert whole.figures["coverage"] - found.figures["coverage"] == pytest.approx(0.3)
    assert found.figures["class_reverse_kl"] > 0.3 > whole.figures["class_reverse_kl"]
    assert [c.name for c in found.classes if c.generated < 0.05] == ["2", "5", "7"]


def test_the_closest_pairs_of_a_replay_are_pairs_of_one(digits: Path, cache: Path) -> None:
    found = measured(replay(Dataset.open(digits)), evaluator(digits, cache, "diversity"))
    pairs = np.asarray(Image.open(io.BytesIO(found.pictures["pairs"])))
    height = (pairs.shape[0] - 2) // 2  # a gap of two pixels above, between and below
    np.testing.assert_array_equal(pairs[2:height], pairs[height + 2 : -2])
    assert set(found.pictures) == {"samples", "pairs"}, "no ways between latents of an unknown generator"


def whole_evaluation(data: Path, cache: Path) -> tuple[dict[str, Any], list[str]] | None:
    by = evaluator(data, cache)
    seen: list[Advanced] = []
    by.listener = seen.append
    found = evaluate(by, by.drawn(generator(), 301), 50)
    assert sum(event.count for event in seen if event.what == "samples") in (150, 151, 301)
    return None if found is None else (found.values, sorted(found.pictures))


def test_one_and_two_ranks_say_the_same(digits: Path, cache: Path) -> None:
    alone = whole_evaluation(digits, cache)
    first, second = on_ranks(2, whole_evaluation, digits, cache)
    assert second is None
    assert alone is not None
    assert list(first[0]) == list(alone[0])
    for name, value in alone[0].items():  # convolutions of float32 add in an order that depends on the batch
        assert first[0][name] == (pytest.approx(value, rel=1e-4, abs=1e-9) if isinstance(value, float) else value), name
    assert first[1] == alone[1] == ["interpolation", "pairs", "samples"]
    assert alone[0]["fid_low"] < alone[0]["fid_high"]


def only_ways(data: Path, cache: Path) -> dict[str, float] | None:
    config = EvaluationConfig(extractor=EXTRACTOR, metrics={"ppl": {"name": "ppl", "samples": 50}}, reference="test")
    by = build_evaluator(config, data, cache, torch.device("cpu"))
    found = evaluate(by, by.drawn(generator(), 20), 50)
    return None if found is None else found.figures


def test_metrics_that_ask_for_no_features_leave_no_rank_waiting(digits: Path, cache: Path) -> None:
    first, second = on_ranks(2, only_ways, digits, cache)
    assert second is None
    assert first["ppl"] > 0


def refused_on_a_rank(data: Path, cache: Path) -> str:
    by = evaluator(data, cache)
    test = Dataset.open(data, "test")
    labels = np.where(test.labels == 3, 4, test.labels)
    with pytest.raises(GanflowError) as refused:
        evaluate(by, Given(test, labels), 50)
    return str(refused.value)


def test_what_one_rank_refuses_all_refuse(digits: Path, cache: Path) -> None:
    lines = on_ranks(2, refused_on_a_rank, digits, cache)
    assert lines[0] == lines[1]
    assert lines[0].startswith("intra_fid: class 3 has 0 samples and ")


def test_too_few_samples_are_refused_with_the_key(digits: Path, cache: Path) -> None:
    by = evaluator(digits, cache, "kid")
    with pytest.raises(ConfigError) as refused:
        measured(by.drawn(generator(), 16), by)
    assert str(refused.value).startswith("evaluation.samples=16: must be at least 17 for fid of the 16 features of cl")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"resolution": 16}, "the generator makes images of 16 pixels, 1 channels, 10 classes, the reference has 8 p"),
        ({"num_classes": 3}, "the generator makes images of 8 pixels, 1 channels, 3 classes, the reference has 8 pix"),
    ],
)
def test_a_generator_of_other_images_is_refused(changes: Any, said: str, digits: Path, cache: Path) -> None:
    spec = GeneratorSpec(**{**SPEC.__dict__, **changes})
    with pytest.raises(GanflowError) as refused:
        evaluator(digits, cache, "kid").drawn(Generator(spec.build(), spec), 100)
    assert str(refused.value).startswith(said)


def test_classifiers_of_samples_are_held_against_real_images(digits: Path, cache: Path) -> None:
    by = evaluator(digits, cache, "cas")
    found = measured(replay(Dataset.open(digits)), by).figures
    assert found["cas"] == found["cas_real"] > 0.9  # the same images
    nothing = measured(by.drawn(generator(), 300), by).figures
    assert nothing["cas"] < 0.5 < nothing["cas_both"]


def test_the_files_of_an_evaluation(digits: Path, cache: Path, tmp_path: Path) -> None:
    by = evaluator(digits, cache)
    found = measured(by.drawn(generator(), 300), by)
    (tmp_path / "training.csv").write_text("kimg,D/adversarial\n1.0,0.5\n2.0,0.25\n")
    files.write(found, tmp_path, "a <model>", {"recipe": "default"})
    assert json.loads((tmp_path / "metrics.json").read_text()) == found.values
    rows = [line.split(",") for line in (tmp_path / "classes.csv").read_text().splitlines()]
    assert rows[0] == ["class", "generated", "reference", "fid"]
    assert [row[0] for row in rows[1:]] == [str(d) for d in range(10)]
    assert all(float(row[3]) > 0 for row in rows[1:])
    page = (tmp_path / "report.html").read_text()
    assert "a &lt;model&gt;" in page
    assert page.count("<img ") == 3
    assert "D/adversarial" in page
    drawn = sorted(p.name for p in (tmp_path / "evaluation").iterdir())
    assert drawn == ["interpolation.png", "pairs.png", "samples.png"]
