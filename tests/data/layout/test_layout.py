"""Every file gets the split and the class that its place says, and what was understood is told."""

from collections import Counter
from typing import Any

import pytest

from ganflow.data.layout.labels import Stated
from ganflow.data.layout.layout import Layout, Reading, arrange
from ganflow.errors import GanflowError


def read(names: list[str], ignored: Counter[str] | None = None, stated: Stated | None = None, **options: Any) -> Layout:
    counted = Counter[str]() if ignored is None else ignored
    return arrange(sorted(names), Reading(**{"test_share": 0.0, **options}), counted, stated)


def shown(names: list[str], **options: Any) -> dict[str, list[str]]:
    """Split → its files, each with its class behind."""
    layout = read(names, **options)
    classes, ordered = layout.classes, sorted(names)
    return {
        split: [ordered[i] + (f" {classes[k]}" if classes else "") for i, k in zip(at, labels, strict=True)]
        for split, (at, labels) in layout.splits.items()
    }


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("training", "validation"),
        ("w/train", "w/test"),
        ("w/x/Train", "w/x/val"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train/images", "test/images"),
        ("images/train", "images/test"),
        ("cifar10-train", "cifar10-test"),
        ("test/train", "test/val"),
    ],
)
def test_splits_on_top_and_in_wrapping_folders(train: str, test: str) -> None:
    names = [f"{split}/{kind}/{i}.png" for split in (train, test) for kind in ("cat", "dog") for i in range(2)]
    layout = read(names)
    assert shown(names) == {
        "train": [f"{train}/{kind}/{i}.png {kind}" for kind in ("cat", "dog") for i in range(2)],
        "test": [f"{test}/{kind}/{i}.png {kind}" for kind in ("cat", "dog") for i in range(2)],
    }
    assert layout.understood.labels == "folders"
    assert layout.understood.warnings == []


@pytest.mark.parametrize("above", ["", "wrapper/"])
def test_splits_below_the_class_folders(above: str) -> None:
    names = [f"{above}{kind}/{split}/1.png" for kind in ("cat", "dog") for split in ("Train", "Test")]
    assert shown(names) == {
        "train": [f"{above}cat/Train/1.png cat", f"{above}dog/Train/1.png dog"],
        "test": [f"{above}cat/Test/1.png cat", f"{above}dog/Test/1.png dog"],
    }
    assert read(names).understood.splits == {"train": "*/Train/", "test": "*/Test/"}


def test_a_train_folder_alone_is_split_by_share() -> None:
    layout = read([f"Training/{kind}/{i}.png" for kind in "ab" for i in range(10)], test_share=0.2)
    assert {split: len(at) for split, (at, _) in layout.splits.items()} == {"train": 16, "test": 4}
    assert layout.understood.splits == {"train": "Training/", "test": "0.2 of every class"}


def test_a_flat_folder_in_wrappers_has_no_classes() -> None:
    for above in ("", "w/", "w/x/", "train/", "Train/images/"):
        assert read([f"{above}{i}.png" for i in range(3)]).classes == []


def test_one_folder_around_everything_is_no_class_unless_asked_for() -> None:
    names = ["faces/1.png", "faces/2.png"]
    assert read(names).understood.warnings == [
        "every image lies in one folder, faces/, which is not read as a class; data.labels=folders reads it as one"
    ]
    assert read(names, labels="folders").classes == ["faces"]
    assert read([f"w/{name}" for name in names], labels="folders").classes == ["faces"]
    split = [f"{split}/{name}" for split in ("train", "test") for name in names]
    assert (read(split).classes, read(split, labels="folders").classes) == ([], ["faces"])
    assert len(read(split).understood.warnings) == 1


def test_a_third_split_is_counted_and_told() -> None:
    ignored = Counter[str]()
    names = [f"{split}/{kind}/1.png" for split in ("train", "test", "val") for kind in "ab"]
    layout = read([*names, "logo.png"], ignored)
    assert ignored == {"in val/": 2, "beside the splits": 1}
    assert layout.understood.warnings == [
        "val/ is left out, because test/ is the test split; data.test=val takes it",
    ]
    assert layout.understood.splits == {"train": "train/", "test": "test/"}


LABELLED = [f"{split}/{kind}/{i}.png" for split in ("train", "val") for kind in ("cat", "dog") for i in range(2)]


def test_an_unlabelled_test_split_beside_a_labelled_one() -> None:
    names = [*LABELLED, "test/1.png"]
    with pytest.raises(GanflowError) as caught:
        read(names)
    assert str(caught.value) == (
        "labels do not match: test/ has no class folders, train/ has; data.test=val takes val/ instead"
    )
    assert read(names, test="val").understood.splits == {"train": "train/", "test": "val/"}
    held = read(names, test="none", test_share=0.5)
    assert held.understood.splits == {"train": "train/", "test": "0.5 of every class"}
    assert len(read(names, test="none").splits) == 1


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (
            ["train/a/1.png", "test/1.png"],
            "labels do not match: test/ has no class folders, train/ has; "
            "data.test=none takes a share of train instead",
        ),
        (
            ["train/good/1.png", "train/fine/1.png", "test/good/2.png", "test/bad/3.png"],
            "labels do not match: test/ has classes that train/ has not: bad; "
            "data.test=none takes a share of train instead",
        ),
        (
            ["a/1.png", "2.png", "3.png"],
            "labels do not match: 2 images of the source beside class folders, such as 2.png; "
            "data.labels=none reads all without labels",
        ),
        (
            ["cat/train/1.png", "cat/test/1.png", "dog/2.png"],
            "data.splits={}: cat/ has splits below it, and 1 image lies elsewhere, such as dog/2.png; "
            "data.splits={train:.} takes no folder for a split",
        ),
        (
            ["train/cat/1.png", "extra/cat/2.png"],
            "data.splits={}: train/ beside extra/ may be a split or a class; data.splits={train:train} reads splits, "
            "data.splits={train:.} takes no folder for a split",
        ),
    ],
)
def test_contradictions(names: list[str], line: str) -> None:
    with pytest.raises(GanflowError) as caught:
        read(names)
    assert str(caught.value) == line


def test_class_folders_of_test_mean_nothing_where_train_has_none() -> None:
    layout = read(["train/1.png", "test/cat/1.png", "test/dog/1.png"])
    assert layout.classes == []
    assert layout.understood.warnings == ["train/ has no class folders, so those of test/ are not read"]


def test_splits_that_the_user_names() -> None:
    names = ["bus/1.png", "car/2.png", "train/3.png"]
    assert shown(names, splits={"train": ["."]}) == {"train": ["bus/1.png bus", "car/2.png car", "train/3.png train"]}
    assert shown(names, splits={"train": ["train"]}) == {"train": ["train/3.png"]}
    extra = [f"{top}/{kind}/1.png" for top in ("train", "extra", "test", "junk") for kind in "ab"]
    ignored = Counter[str]()
    layout = read(extra, ignored, splits={"train": ["train", "extra"], "test": ["test"]})
    assert {split: len(at) for split, (at, _) in layout.splits.items()} == {"train": 4, "test": 2}
    assert layout.understood.splits == {"train": "train/, extra/", "test": "test/"}
    assert ignored == {"in no folder of data.splits": 2}


@pytest.mark.parametrize("folders", [("w/A", "w/B"), ("A", "B")])
def test_named_splits_are_found_inside_of_wrapping_folders(folders: tuple[str, str]) -> None:
    names = [f"w/{split}/{kind}/1.png" for split in "AB" for kind in ("cat", "dog")]
    splits = {"train": [folders[0]], "test": [folders[1]]}
    assert shown(names, splits=splits) == {
        "train": ["w/A/cat/1.png cat", "w/A/dog/1.png dog"],
        "test": ["w/B/cat/1.png cat", "w/B/dog/1.png dog"],
    }


def test_named_splits_are_found_below_the_class_folders() -> None:
    names = [f"{kind}/{split}/1.png" for split in "AB" for kind in ("cat", "dog")]
    assert shown(names, splits={"train": ["A"], "test": ["B"]}) == {
        "train": ["cat/A/1.png cat", "dog/A/1.png dog"],
        "test": ["cat/B/1.png cat", "dog/B/1.png dog"],
    }


def test_a_part_of_the_whole_can_be_the_test_split() -> None:
    names = ["cat/1.png", "dog/2.png", "held/cat/3.png", "held/dog/4.png"]
    assert shown(names, splits={"train": ["."], "test": ["held"]}) == {
        "train": ["cat/1.png cat", "dog/2.png dog"],
        "test": ["held/cat/3.png cat", "held/dog/4.png dog"],
    }


def test_a_named_split_that_is_not_there() -> None:
    with pytest.raises(GanflowError) as caught:
        read(["a/1.png", "b/2.png"], splits={"train": ["a"], "test": ["c"]})
    assert str(caught.value) == (
        "data.splits={'train': ['a'], 'test': ['c']}: names a folder c/ that holds no images; there are a/, b/"
    )


def test_labels_can_be_left_out() -> None:
    layout = read(["cat/1.png", "dog/2.png", "3.png"], labels="none")
    assert (layout.classes, layout.understood.labels) == ([], "data.labels=none")


def test_numbered_folders_are_read_and_doubted() -> None:
    layout = read(["00000/1.png", "00001/2.png"])
    assert layout.classes == ["00000", "00001"]
    assert layout.understood.warnings == [
        "the classes are numbered folders (00000, 00001); data.labels=none if they only portion the files"
    ]
    assert read(["0/1.png", "1/2.png"]).understood.warnings == []


def stated(labels: list[Any] | None) -> Stated:
    return Stated("dataset.json", labels, frozenset(["dataset.json"]))


def test_stated_labels_win_over_folders_and_keep_their_numbers() -> None:
    names = ["00000/1.png", "00000/2.png", "00001/3.png"]
    layout = read(names, stated=stated([26, 1, 7_000_000_000]))
    assert layout.classes == ["1", "26", "7000000000"]
    assert layout.splits["train"][1].tolist() == [1, 0, 2]
    assert layout.understood.labels == "dataset.json"
    assert read(names, stated=stated(None)).understood.labels == "dataset.json says so"
    assert read(names, stated=stated([1, 2, 3]), labels="folders").classes == ["00000", "00001"]


def test_a_negative_label_is_a_class_and_is_told() -> None:
    layout = read(["1.png", "2.png"], stated=stated([-1, 3]))
    assert layout.classes == ["-1", "3"]
    assert layout.understood.warnings == ["label -1 is read as a class of its own"]


def test_stated_labels_of_a_test_split_must_be_those_of_train() -> None:
    names = ["test/1.png", "train/2.png"]
    with pytest.raises(GanflowError, match=r"test/ has classes that train/ has not: 3; data\.test=none takes a share"):
        read(names, stated=stated([3, 4]))
