"""Which key a wrong one may have meant."""

import pytest

from ganflow.config import keys, spelling

RATES = "optimizers.generator.lr, optimizers.discriminator.lr or optimizers.encoder.lr"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lr", RATES),
        ("training.lr", RATES),
        ("learning_rate", RATES),
        ("Learning-Rate", RATES),
        ("training.batch_size", "training.batch"),
        ("bs", "training.batch"),
        ("training.bacth", "training.batch"),
        ("Training.Batch", "training.batch"),
        ("traning", "training"),
        ("optimizers.genrator.lr", "optimizers.generator.lr"),
        ("training.shedule.floor", "training.schedule.floor"),
        ("evaluation.metric", "evaluation/metrics"),
        ("loss", "gan/loss"),
        ("metrics", "evaluation/metrics"),
        ("path", "data.path"),
        ("n_critic", "training.d_steps"),
        ("z_dim", "gan.latent_dim"),
        ("num_gpus", "cluster.workers"),
        ("tune.trails", "tune.trials"),
        ("gan.regularizers.r1.gama", "gan.regularizers.r1.gamma"),
    ],
)
def test_a_key_leads_to_where_that_is_here(typed: str, meant: str) -> None:
    assert spelling.hint(typed) == f"; did you mean {meant}?"


def test_an_option_names_the_components_that_have_it() -> None:
    assert spelling.hint("gan.regularizers.r1.gamma") == "; gan/regularizers=[…,r1] takes r1"
    assert spelling.hint("gan.loss.smoothing") == "; minimax and non_saturating have it: gan/loss=minimax"


@pytest.mark.parametrize("typed", ["training.zzz", "foo.bar", "xyzzy"])
def test_nonsense_leads_nowhere(typed: str) -> None:
    assert spelling.hint(typed) == ""


def test_every_synonym_leads_to_a_place_that_there_is() -> None:
    places = {*keys.known(), *keys.slots().values(), *keys.OPEN, "experiment"}
    assert {place for places in spelling.SYNONYMS.values() for place in places} <= places
