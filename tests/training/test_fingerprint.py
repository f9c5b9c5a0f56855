from ganflow import conf
from ganflow.training.fingerprint import fingerprint


def test_what_is_computed_makes_the_name() -> None:
    one = fingerprint(conf.compose(), "data")
    assert one == fingerprint(conf.compose(), "data")
    assert one != fingerprint(conf.compose(), "other data")
    for override in ("seed=1", "optimizers.generator.lr=0.002", "gan/loss=minimax", "training.kimg=1"):
        assert fingerprint(conf.compose([override]), "data") != one, override


def test_where_it_is_computed_does_not() -> None:
    one = fingerprint(conf.compose(), "data")
    for override in ("cluster.workers=1", "tracking.uri=http://127.0.0.1:5000", "register.name=other", "tune.trials=0"):
        assert fingerprint(conf.compose([override]), "data") == one, override
