import pickle

import pytest

from ganflow.errors import ConfigError, require


def test_a_config_error_names_key_value_and_way_out() -> None:
    assert str(ConfigError("training.batch", 0, "must be more than 0")) == "training.batch=0: must be more than 0"


def test_under_prefixes_the_key() -> None:
    assert ConfigError("lr", -1, "must be positive").under("optimizers.generator").key == "optimizers.generator.lr"


def test_a_config_error_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(ConfigError("a.b", [1], "one of 2, 3")))
    assert (error.key, error.value, error.allowed) == ("a.b", [1], "one of 2, 3")


def test_require_raises_only_when_it_does_not_hold() -> None:
    require(True, "k", 1, "never said")
    with pytest.raises(ConfigError, match="k=1: must not"):
        require(False, "k", 1, "must not")
