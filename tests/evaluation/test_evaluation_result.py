"""A whole evaluation: what it says of known generators, on one rank and on two, and the files it leaves."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.config import composition
from ganflow.config.schema import EvaluationConfig
from ganflow.config.validation import figures_of
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.data.prepared.shards import SplitWriter, workplace, write_manifest
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.evaluation_result import Measured, evaluate
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.evidence.samples import ImageSamples, Samples
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.metrics.base import Measurement
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.report import metrics_file, report_files
from ganflow.report.metrics_file import flat
from ganflow.terminal.progress import Advanced
from tests.support.ranks import on_ranks
from tests.support.replay import Replay
from tests.support.small import EXTRACTOR

pytestmark = pytest.mark.slow

SPEC = GeneratorSpec({"name": "mlp", "widths": [16]}, 4, (1, 8, 8), 10, [str(d) for d in range(10)])


QUICK = EXTRACTOR | {"kimg": 0.3}


def evaluator(data: Path, cache: Path, *metrics: str, extractor: dict[str, Any] = EXTRACTOR) -> Evaluator:
    chosen = [f"evaluation/metrics=[{','.join(('fid', 'coverage', *metrics))}]"] if metrics else []
    config = EvaluationConfig(extractor=extractor, metrics=composition.compose(chosen).evaluation.metrics)
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
    copies = flat(measured(replay(Dataset.open(digits)), by).figures)
    assert copies["memorised"] > 0.9
    assert copies["memorisation_p"] < 1e-6
    honest = flat(measured(replay(Dataset.open(digits, "test")), by).figures)
    assert honest["memorised"] < 0.1
    assert honest["memorisation_p"] > 0.05


def test_a_generator_that_drops_three_classes_loses_as_much_coverage(digits: Path, cache: Path) -> None:
    by = evaluator(digits, cache, "diversity")
    whole = measured(replay(Dataset.open(digits)), by)
    found = measured(replay(Dataset.open(digits), without=(2, 5, 7)), by)
    assert whole.figures["coverage"].value - found.figures["coverage"].value == pytest.approx(0.3)
    assert found.figures["class_reverse_kl"].value > 0.3 > whole.figures["class_reverse_kl"].value
    assert [c.name for c in found.classes if c.generated < 0.05] == ["2", "5", "7"]


def test_the_closest_pairs_of_a_replay_are_pairs_of_one(digits: Path, cache: Path) -> None:
    found = measured(replay(Dataset.open(digits)), evaluator(digits, cache, "diversity"))
    pairs = np.asarray(Image.open(io.BytesIO(found.pictures["pairs"])))
    height = (pairs.shape[0] - 2) // 2  # a gap of two pixels above, between and below
    np.testing.assert_array_equal(pairs[2:height], pairs[height + 2 : -2])
    assert set(found.pictures) == {"samples", "pairs"}, "no ways between latents of an unknown generator"


def whole_evaluation(data: Path, cache: Path) -> tuple[dict[str, Any], list[str]] | None:
    seen: list[Advanced] = []
    by = replace(evaluator(data, cache), listener=seen.append)
    found = evaluate(by, by.drawn(generator(), 301), 50)
    assert sum(event.count for event in seen if event.what == "samples") in (150, 151, 301)
    return None if found is None else (metrics_file.contents(found), sorted(found.pictures))


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
    return None if found is None else flat(found.figures)


def test_metrics_that_ask_for_no_features_leave_no_rank_waiting(digits: Path, cache: Path) -> None:
    first, second = on_ranks(2, only_ways, digits, cache)
    assert second is None
    assert first["ppl"] > 0


def left_out_on_a_rank(data: Path, cache: Path) -> tuple[dict[str, float], dict[str, str]]:
    by = evaluator(data, cache)
    test = Dataset.open(data, "test")
    found = by.outcome(by.inputs(ImageSamples(test, np.where(test.labels == 3, 4, test.labels))))
    return flat(found.figures), dict(found.left_out)


def test_what_one_rank_cannot_measure_costs_no_other_figure(digits: Path, cache: Path) -> None:
    """The samples lack a class: of all figures only the mean over the classes goes without."""
    alone = left_out_on_a_rank(digits, cache)
    assert on_ranks(2, left_out_on_a_rank, digits, cache) == [alone, alone]
    figures, left_out = alone
    why = "class 3 has 0 samples, and needs 2; raise evaluation.samples, or leave intra_fid out"
    assert left_out == {"intra_fid": why}
    assert set(figures) >= set(figures_of(list(evaluator(digits, cache).config.metrics))) - {"intra_fid"}


def small(root: Path, counts: dict[str, int], test: dict[str, int] | None = None, like: int | None = None) -> Path:
    """A data set of so many random images of each class; ``like``: of all the same grey."""
    rng = np.random.default_rng(0)
    facts = Facts((1, 8, 8), len(counts))
    with workplace(root) as place:
        splits = {}
        for split, per_class in (("train", counts), ("test", test or {})):
            labels = np.repeat(np.arange(len(per_class)), list(per_class.values()))
            if len(labels) or (split == "test" and test is not None):
                writer = SplitWriter(place.data, split, facts, 2**20)
                images = rng.integers(0, 256, (len(labels), 1, 8, 8), np.uint8)
                writer.add(images if like is None else np.full_like(images, like), labels)
                splits[split] = writer.close()
        write_manifest(place.data, facts, list(counts), splits, {"name": "made"})
    return root


def of(data: Path) -> ImageSamples:
    """Samples that are the images of a split, in turn, with their classes."""
    train = Dataset.open(data)
    return ImageSamples(train, np.asarray(train.labels) if train.facts.num_classes else None)


EVERYTHING = ("kid", "prdc", "intra_fid", "fid_infinity", "diversity", "memorisation", "inception_score", "cas", "ppl")
GENERATOR = "needs a generator of images"
SPLIT = "needs a test split of images that are not train images too"
LABELS_AND_SPLIT = "needs classes of the samples and of the reference, and a test split"


def everything(data: Path, samples: Path, tmp_path: Path) -> Measured:
    by = evaluator(data, tmp_path / "cache", *EVERYTHING, extractor=QUICK)
    return measured(of(samples), by)


def test_a_class_of_one_image_costs_its_own_fid_alone(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"many": 60, "more": 60, "one": 1}, {"many": 10, "more": 10})
    found = everything(data, small(tmp_path / "samples", {"many": 50, "more": 40, "one": 2}), tmp_path)
    assert set(found.figures) >= {"fid", "kid", "intra_fid", "precision", "recall", "coverage", "memorised", "cas"}
    why = "the reference has one image of it and not 2; the mean is without it"
    assert found.left_out == {"ppl": GENERATOR, "intra_fid of class one": why}
    assert [row.fid is None for row in found.classes] == [False, False, True]
    assert found.figures["intra_fid"].value == pytest.approx(np.mean([row.fid for row in found.classes[:2]]))
    assert metrics_file.contents(found)["left_out"] == found.left_out
    assert found.notes == [f"ppl is left out: {GENERATOR}", f"intra_fid of class one is left out: {why}"]


def test_data_of_two_images_are_measured_as_far_as_they_go(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"one": 2})
    found = everything(data, small(tmp_path / "samples", {"one": 50}), tmp_path)
    assert set(flat(found.figures)) == {"kid", "kid_std", "kid_low", "kid_high", "recall", "diversity", "authenticity"}
    few = "2 reference images of 16 features: the covariance needs more images than features; measure kid"
    balls = "needs more different reference images than evaluation.metrics.prdc.k"
    classes = "needs an extractor that knows the classes of the data"
    assert {name: found.left_out[name] for name in ("fid", "fid_infinity", "precision", "coverage", "memorised")} == {
        "fid": few, "fid_infinity": few, "precision": balls, "coverage": classes, "memorised": SPLIT
    }  # fmt: skip
    assert found.left_out["cas"] == LABELS_AND_SPLIT
    assert found.left_out["inception_score"] == "needs an extractor that knows classes"


def test_few_samples_that_somebody_gives_cost_the_figures_that_need_more(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"a": 60, "b": 60}, {"a": 10, "b": 10})
    found = everything(data, small(tmp_path / "samples", {"a": 3, "b": 1}), tmp_path)
    assert set(found.figures) >= {"kid", "precision", "density", "ball_coverage", "memorised", "coverage", "diversity"}
    why = "class 1 has 1 samples, and needs 2; raise evaluation.samples, or leave intra_fid out"
    assert found.left_out["intra_fid"] == why
    assert found.left_out["recall"] == "needs more samples than evaluation.metrics.prdc.k"
    assert found.left_out["inception_score"] == "4 samples do not fill 10 splits"
    assert found.left_out["fid"].startswith("4 samples of 16 features: the covariance needs more samples than features")


def test_reference_images_that_are_all_the_same_cost_what_is_relative_to_them(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"a": 60, "b": 60}, {"a": 10, "b": 10}, like=7)
    found = everything(data, small(tmp_path / "samples", {"a": 50, "b": 40}), tmp_path)
    assert set(found.figures) >= {"fid", "kid", "coverage", "recall", "intra_fid"}
    assert found.left_out["diversity"] == "all reference images have the same features; leave diversity out"
    same = "all train images are the same, so none has another as its neighbour"
    assert found.left_out["authenticity"] == found.left_out["memorisation_p"] == same
    assert found.protocol.reference_repeats == 119
    assert found.notes[-1].startswith("119 of 120 reference images repeat others; memorisation, precision, recall,")


def test_samples_that_are_all_the_same_are_measured(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"a": 60, "b": 60}, {"a": 10, "b": 10})
    found = everything(data, small(tmp_path / "samples", {"a": 50, "b": 40}, like=7), tmp_path)
    assert found.left_out == {"ppl": GENERATOR}
    assert found.figures["diversity"] == found.figures["recall"] == Measurement(0)


def test_data_of_one_class_have_no_figures_of_classes(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"one": 60}, {"one": 20})
    found = everything(data, small(tmp_path / "samples", {"one": 50}), tmp_path)
    assert set(found.figures) >= {"fid", "kid", "precision", "memorised", "authenticity"}
    assert found.left_out["intra_fid"] == "needs classes of the samples and of the reference"
    assert found.left_out["cas"] == LABELS_AND_SPLIT
    assert found.classes == []


def test_a_test_split_that_is_the_train_split_again_says_nothing(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"a": 60, "b": 60})
    train = Dataset.open(data)
    by = evaluator(data, tmp_path / "cache", *EVERYTHING, extractor=QUICK)
    by.splits = Splits(train, train)
    found = measured(of(data), by)
    assert {name: found.left_out[name] for name in ("memorised", "memorisation_p")} == dict.fromkeys(
        ("memorised", "memorisation_p"), SPLIT
    )
    assert found.figures["authenticity"] == Measurement(0)


def test_nothing_to_measure_is_one_line(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"one": 2})
    by = evaluator(data, tmp_path / "cache", "intra_fid", extractor=QUICK)
    with pytest.raises(GanflowError) as refused:
        measured(of(data), by)
    line = "nothing can be measured: fid: 2 samples of 16 features: the covariance needs more samples than features; "
    assert str(refused.value).startswith(line)
    assert "; coverage: needs an extractor that knows the classes of the data; class_rev" in str(refused.value)


def test_a_test_split_without_images_is_none(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"a": 60, "b": 60}, {})
    by = evaluator(data, tmp_path / "cache", "memorisation", extractor=QUICK)
    assert by.splits.test is None
    assert measured(of(data), by).left_out["memorised"] == SPLIT
    config = EvaluationConfig(extractor=EXTRACTOR, metrics={}, reference="test")
    with pytest.raises(GanflowError, match=r"has no split 'test' to be the reference; set evaluation.reference=train$"):
        build_evaluator(config, data, tmp_path / "cache", torch.device("cpu"))


def test_a_page_and_the_figures_say_what_is_left_out(tmp_path: Path) -> None:
    data = small(tmp_path / "data", {"many": 60, "more": 60, "<one>": 1})
    found = everything(data, data, tmp_path)
    report_files.write(found, tmp_path / "reports", "a model", {})
    assert json.loads((tmp_path / "reports/metrics.json").read_text())["left_out"] == found.left_out
    page = (tmp_path / "reports/report.html").read_text()
    assert "Not measured" in page
    assert f'<th scope="row">Memorised</th><td>{SPLIT}</td>' in page
    assert '<th scope="row">intra_fid of class &lt;one&gt;</th>' in page
    assert '<th scope="row">reference repeats</th><td>0</td>' in page


def test_too_few_samples_are_refused_with_the_key(digits: Path, cache: Path) -> None:
    by = evaluator(digits, cache, "kid")
    with pytest.raises(ConfigError) as refused:
        measured(by.drawn(generator(), 16), by)
    assert str(refused.value).startswith("evaluation.samples=16: must be at least 17 for fid of the 16 features of cl")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"shape": (1, 16, 16)},
            "the generator makes grey images of 16x16, 10 classes; the reference has grey images of 8x8, 10 ",
        ),
        (
            {"num_classes": 3},
            "the generator makes grey images of 8x8, 3 classes; the reference has grey images of 8x8, 10 classes",
        ),
    ],
)
def test_a_generator_of_other_images_is_refused(changes: Any, said: str, digits: Path, cache: Path) -> None:
    spec = GeneratorSpec(**{**SPEC.__dict__, **changes})
    with pytest.raises(GanflowError) as refused:
        evaluator(digits, cache, "kid").drawn(Generator(spec.build(), spec), 100)
    assert str(refused.value).startswith(said)


def test_classifiers_of_samples_are_held_against_real_images(digits: Path, cache: Path) -> None:
    by = evaluator(digits, cache, "cas")
    found = flat(measured(replay(Dataset.open(digits)), by).figures)
    assert found["cas"] == found["cas_real"] > 0.9  # the same images
    nothing = flat(measured(by.drawn(generator(), 300), by).figures)
    assert nothing["cas"] < 0.5 < nothing["cas_both"]


def test_the_files_of_an_evaluation(digits: Path, cache: Path, tmp_path: Path) -> None:
    by = evaluator(digits, cache)
    found = measured(by.drawn(generator(), 300), by)
    (tmp_path / "training.csv").write_text("kimg,D/adversarial\n1.0,0.5\n2.0,0.25\n")
    report_files.write(found, tmp_path, "a <model>", {"recipe": "default"})
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics_file.contents(found)
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
