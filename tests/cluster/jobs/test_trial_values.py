import pytest

from ganflow.cluster.jobs import trial_values
from ganflow.cluster.jobs.ray_tune import SearchResult, Trial, trial_config
from ganflow.cluster.jobs.trial_files import read_best, write_search
from ganflow.config import composition
from ganflow.errors import ConfigError, GanflowError


def test_what_the_user_set_is_not_searched() -> None:
    assert "gan/loss" in trial_values.searched(composition.compose())
    assert "gan/loss" not in trial_values.searched(composition.compose(["gan/loss=minimax"]))
    searched = trial_values.searched(composition.compose(["training.batch=64", "optimizers.generator.lr=0.01"]))
    assert set(searched) == {
        "gan/loss", "optimizers.discriminator.lr", "optimizers.generator.betas", "optimizers.discriminator.betas"
    }  # fmt: skip


def test_a_trial_has_every_snapshot_by_which_it_may_be_stopped() -> None:
    config = composition.compose(["training.overhead=0.001", "tune.grace_kimg=5"])
    trial = trial_config(config).training
    assert (trial.overhead, trial.snapshot_kimg) == (None, 5.0)
    assert config.training.overhead == 0.001


def test_options_of_a_component_that_was_set_aside_are_not_searched() -> None:
    searched = trial_values.searched(composition.compose(["optimizers/generator=rmsprop"]))
    assert not [key for key in searched if key.startswith("optimizers.generator.")]


def test_trials_of_the_default_recipe_are_drawn_as_they_always_were() -> None:
    import numpy as np
    from ray.tune.search.variant_generator import generate_variants

    searched = trial_values.searched(composition.compose())
    spec = {"config": {key: trial_values.domain(dimension) for key, dimension in searched.items()}}
    ((_, drawn),) = generate_variants(spec, random_state=np.random.RandomState(0))
    assert drawn["config"] == {
        "optimizers.generator.lr": 0.001336687598083789,
        "optimizers.discriminator.lr": 0.001800924490579114,
        "optimizers.generator.betas": "[0.5,0.99]",
        "optimizers.discriminator.betas": "[0.5,0.99]",
        "training.batch": "128",
        "gan/loss": "minimax",
    }


def test_every_value_must_go_with_the_rest_of_the_configuration() -> None:
    params = composition.compose(["~tune.space", "tune.space.training.batch.choice=[64,66]", "cluster.workers=4"])
    with pytest.raises(ConfigError) as refused:
        trial_values.check_values(params)
    assert str(refused.value) == (
        "tune.space.training.batch.choice=[64, 66]: with 66: training.batch=66: must be a multiple of cluster.workers=4"
    )
    trial_values.check_values(
        composition.compose(["~tune.space", "tune.space.training.batch.choice=[64,68]", "cluster.workers=4"])
    )


def test_overrides_bring_back_the_trial() -> None:
    params = composition.compose()
    values = {"gan/loss": "minimax", "training.batch": "128", "optimizers.generator.betas": "[0.0,0.99]",
              "optimizers.generator.lr": 0.00123}  # fmt: skip
    best = composition.override(params, trial_values.overrides(values, params))
    assert best.gan.loss["name"] == "minimax"
    assert best.training.batch == 128
    assert best.optimizers.generator["betas"] == [0.0, 0.99]
    assert best.optimizers.generator["lr"] == 0.00123


def test_the_first_trial_is_the_configuration_as_it_stands() -> None:
    params = composition.compose()
    assert trial_values.overrides(trial_values.start(params, trial_values.searched(params)), params) == []


def trial(value: float | None, kimg: float, *overrides: str) -> Trial:
    return Trial(list(overrides), value, kimg, 1.0, [])


def test_only_trials_that_went_furthest_compare() -> None:
    result = SearchResult("fid", "min", [trial(9.0, 24), trial(1.0, 8, "a=1"), trial(5.0, 24, "b=1"), trial(None, 0)])
    assert result.best.overrides == ["b=1"]
    assert SearchResult("coverage", "max", result.trials).best.value == 9.0


def test_best_goes_through_the_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    write_search(tmp_path, SearchResult("fid", "min", [trial(5.0, 24, "gan/loss=minimax", "training.batch=32")]))
    assert read_best(tmp_path) == ["gan/loss=minimax", "training.batch=32"]
    write_search(tmp_path, None)
    assert read_best(tmp_path) == []
    (tmp_path / "best.yaml").unlink()
    with pytest.raises(GanflowError, match=r"best\.yaml is missing; `dvc repro tune` writes it"):
        read_best(tmp_path)
