from ganflow.tracking.runs.flat_params import MAX_KEY, MAX_VALUE, clean_key, flatten, loggable


def test_flatten_keeps_lists_and_empty_mappings_as_leaves() -> None:
    nested = {"a": {"b": 1, "c": {"d": [1, 2]}}, "e": {}}
    assert flatten(nested) == {"a.b": 1, "a.c.d": [1, 2], "e": {}}


def test_values_of_secret_names_are_hidden() -> None:
    hidden = loggable({"store.password": "x", "api_token": "y", "tokens": 3, "unset.secret": ""})
    assert hidden == {"store.password": "***", "api_token": "***", "tokens": "3", "unset.secret": ""}


def test_long_keys_and_values_are_cut_and_stay_apart() -> None:
    one, two = loggable({"k" * 300: "v" * 600}), loggable({"k" * 301: "v" * 601})
    (key, value), (other_key, other_value) = *one.items(), *two.items()
    assert (len(key), len(value)) == (MAX_KEY, MAX_VALUE)
    assert key != other_key
    assert value != other_value


def test_none_is_left_out_and_keys_take_mlflows_letters() -> None:
    assert loggable({"a": None, "b": 0}) == {"b": "0"}
    assert clean_key("D/real (ß)") == "D/real ___"
