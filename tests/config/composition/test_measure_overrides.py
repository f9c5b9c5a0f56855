"""A command that only measures takes the overrides that it heeds, and refuses the others with the way out."""

from pathlib import Path

import pytest

from ganflow.config import composition, params_file
from ganflow.config.composition.measure_overrides import TAKES, Given, measuring
from ganflow.errors import ConfigError, GanflowError

PICTURES, ARRAY, MODEL = Given(False, True, True), Given(False, False, False), Given(True, False, False)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_options_of_pictures_are_for_reference_and_samples() -> None:
    found = measuring(["data.resize=16", "data.crop=true", "data.filter=box", "data.test_share=0.2"], PICTURES)
    assert found.samples == {"resize": 16, "crop": True, "filter": "box"}
    assert found.reference == {**found.samples, "test_share": 0.2}


def test_options_of_pictures_leave_the_protocol_to_params_yaml() -> None:
    settings = composition.compose(["evaluation.resamples=50"])
    Path("params.yaml").write_text(params_file.dump(settings))
    assert measuring(["data.resize=16"], PICTURES).config.evaluation.resamples == 50
    assert measuring([], PICTURES).config == settings
    assert measuring(["evaluation.samples=500"], MODEL).config.evaluation.resamples == 200


def test_metrics_need_no_word_about_snapshots_and_search() -> None:
    assert list(measuring(["evaluation/metrics=[kid,ppl]"], ARRAY).config.evaluation.metrics) == ["kid", "ppl"]


@pytest.mark.parametrize(
    ("line", "given", "said"),
    [
        ("training.kimg=3", ARRAY, f"training.kimg=3: a command that only measures does not heed it; {TAKES}"),
        ("tune.metric=kid", ARRAY, f"tune.metric=kid: a command that only measures does not heed it; {TAKES}"),
        ("gan/loss=hinge", MODEL, f"gan/loss=hinge: a command that only measures does not heed it; {TAKES}"),
        ("evaluation.snapshot_samples=9", ARRAY, "evaluation.snapshot_samples=9: a command that only measures does"),
        ("data=mnist", PICTURES, "data=mnist: a command that only measures does not heed it; it takes evaluation"),
        ("data.path=x", PICTURES, "data.path=x: --samples and --reference name the images; leave data.path out"),
        ("data.resize=8", ARRAY, "data.resize=8: is about pictures in a folder, zip or tar, and there are none here; "
                                 "leave it out"),
        ("data.test_share=0.2", Given(False, True, False), "data.test_share=0.2: is about a reference in a folder"),
        ("evaluation.samples=9", PICTURES, "evaluation.samples=9: is about samples of a model; of images all are "
                                           "measured, so leave it out"),
    ],
)  # fmt: skip
def test_what_is_not_heeded_is_refused(line: str, given: Given, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        measuring([line], given)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "line", ["data.resise=8", "data.resize=[", "evaluation.resample=9", "evaluation/metrics=[fit]"]
)
def test_misspelt_overrides_are_one_line(line: str) -> None:
    with pytest.raises(GanflowError) as refused:
        measuring([line], PICTURES)
    assert "\n" not in str(refused.value)
