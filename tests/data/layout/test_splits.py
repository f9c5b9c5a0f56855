"""Split folders are known by their usual names; what names leave open is asked for, with the option that settles it."""

from typing import Any

import pytest

from ganflow.data.layout.splits import Chosen, Role, checked, choose, choose_alone, role_of
from ganflow.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(
            (name, "train")
            for name in ("train", "Train", "TRAINING", "trn", "train_images", "Training-Set", "train2017")
        ),
        *((name, "train") for name in ("trainset", "TrainData", "train_val", "trainval", "train (1)")),
        *((name, "test") for name in ("test", "Testing", "TEST", "tst", "test1", "testset", "test_images")),
        *((name, "val") for name in ("val", "Valid", "validation", "dev", "eval", "Evaluation", "val2017", "holdout")),
    ],
)
def test_usual_spellings_are_read(name: str, split: str) -> None:
    assert role_of(name) == Role(split)


@pytest.mark.parametrize(
    "name", ["cat", "trainer", "testudo", "valley", "devil", "latest", "strain", "train_test", "7", ""]
)
def test_other_names_say_nothing(name: str) -> None:
    assert role_of(name) is None


def test_words_beside_the_split_are_kept() -> None:
    assert role_of("cifar10-train") == Role("train", ("cifar",))
    assert role_of("trainA") == Role("train", ("a",))


@pytest.mark.parametrize(
    ("names", "train", "test"),
    [
        ("Test Train", "Train", "Test"),
        ("Testing Training", "Training", "Testing"),
        ("training validation", "training", "validation"),
        ("dev train", "train", "dev"),
        ("seg_test seg_train", "seg_train", "seg_test"),
        ("cifar10-test cifar10-train", "cifar10-train", "cifar10-test"),
        ("test_images train_images", "train_images", "test_images"),
        ("train2017 val2017", "train2017", "val2017"),
        ("test_set training_set", "training_set", "test_set"),
    ],
)
def test_pairs(names: str, train: str, test: str) -> None:
    assert choose(names.split(), "") == Chosen(train, test)


def test_a_third_split_is_left_out_and_can_be_chosen() -> None:
    names = ["Test", "Train", "Validation"]
    assert choose(names, "") == Chosen("Train", "Test", ("Validation",))
    assert choose(names, "val") == Chosen("Train", "Validation", ("Test",))
    assert choose(names, "VALIDATION") == Chosen("Train", "Validation", ("Test",))
    assert choose(names, "none") == Chosen("Train", "", ("Test", "Validation"))


def test_class_names_are_no_splits() -> None:
    for names in (["cat", "dog"], ["airport", "train_station"], ["devil", "valley"], ["Trains", "planes"], []):
        assert choose(names, "") is None
        assert choose_alone(names, "") is None


def test_a_train_split_may_be_alone() -> None:
    assert choose_alone(["Training"], "") == Chosen("Training")


WAY_OUT = "reads splits, data.splits={train:.} takes no folder for a split"


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (
            "bus car train",
            "data.splits={}: train/ beside bus/, car/ may be a split or a class; "
            f"data.splits={{train:train}} {WAY_OUT}",
        ),
        (
            "extra test train",
            "data.splits={}: extra/, test/, train/ may be splits or classes; "
            f"data.splits={{train:train,test:test}} {WAY_OUT}",
        ),
        (
            "testA testB trainA trainB",
            "data.splits={}: testA/, testB/, trainA/, trainB/ may be splits or classes; "
            f"data.splits={{train:trainA,test:testA}} {WAY_OUT}",
        ),
        (
            "Train test train",
            "data.splits={}: Train/, train/ may each be the train split; "
            f"data.splits={{train:Train,test:test}} {WAY_OUT}",
        ),
        (
            "a_test b_train",
            "data.splits={}: a_test/, b_train/ look partly like splits; "
            f"data.splits={{train:b_train,test:a_test}} {WAY_OUT}",
        ),
        (
            "cat valid",
            "data.splits={}: there is a folder valid/ and no train/ beside it; "
            f"data.splits={{train:valid}} {WAY_OUT}",
        ),
        (
            "dev train val",
            "data.test=: must say which of dev/, val/ is the test split: data.test=dev",
        ),
        (
            "Test test train",
            "data.test=: must say which of Test/, test/ is the test split: data.test=Test",
        ),
    ],
)
def test_what_names_leave_open_is_asked_for(names: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(names.split(), "") or choose_alone(names.split(), "")
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("names", "test", "line"),
    [
        ("test train", "val", "data.test=val: names none of test/"),
        ("dev train val", "validation", "data.test=validation: may be dev/, val/"),
        ("cat dog", "val", "data.test=val: there are no splits to choose from, only cat/, dog/"),
        ("", "val", "data.test=val: there are no splits to choose from, only images"),
    ],
)
def test_a_test_split_that_is_not_there(names: str, test: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(names.split(), test) or choose_alone(names.split(), test)
    assert str(caught.value) == line


def test_named_splits_are_folders_or_lists_of_them() -> None:
    assert checked({"train": "", "test": ""}) == {}
    assert checked({"train": "a/b/", "test": ["c", "d"]}) == {"train": ["a/b"], "test": ["c", "d"]}


@pytest.mark.parametrize(
    ("splits", "line"),
    [
        ({"trian": "a"}, "splits.trian=a: is not a split; data.splits has train and test"),
        ({"train": 3}, "splits.train=3: a folder, such as Training, or a list of folders"),
        ({"train": []}, "splits.train=[]: a folder, such as Training, or a list of folders"),
        ({"test": "b"}, "splits={'test': 'b'}: must name a folder for train, such as {train:Training,test:Testing}"),
    ],
)
def test_named_splits_that_cannot_be(splits: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(splits)
    assert str(caught.value) == line
