"""MVTec AD's layout gives good images to train with, held-out ones, and a test split with the defects' pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, read_manifest
from ganflow.data.summary import lines
from ganflow.errors import ConfigError
from ganflow.signals.light import standardised
from tests.data.made import everything, noise, png, refused, source, write_tar, write_tree, write_zip

DEFECTS = ("hole", "crack")


def image(kind: str, i: int, split: str = "test") -> np.ndarray:
    return noise(hash_of(kind, split) + i, 12, 12, 3)


def hash_of(kind: str, split: str) -> int:
    return 1000 * [("good", "train"), ("good", "test"), ("hole", "test"), ("crack", "test")].index((kind, split))


def mask(kind: str, i: int) -> np.ndarray:
    """A rectangle of its own per image, 255 inside and some greys elsewhere."""
    levels = noise(hash_of(kind, "test") + 500 + i, 12, 12) // 2  # up to 127
    levels[i : i + 4, 2 : 9 if kind == "hole" else 6] = 255
    return levels


def products(top: str = "", masks: bool = True) -> dict[str, bytes]:
    files = {f"{top}train/good/{i:03}.png": png(image("good", i, "train")) for i in range(20)}
    for kind in ("good", *DEFECTS):
        files |= {f"{top}test/{kind}/{i:03}.png": png(image(kind, i)) for i in range(5)}
    if masks:
        files |= {f"{top}ground_truth/{k}/{i:03}_mask.png": png(mask(k, i)) for k in DEFECTS for i in range(5)}
    return files


def without(name: str, **more: bytes) -> dict[str, bytes]:
    return {n: raw for n, raw in products().items() if not n.startswith(name)} | more


@pytest.mark.parametrize("write", [write_tree, write_zip, write_tar])
def test_images_labels_and_masks_stay_together(write: Any, tmp_path: Path) -> None:
    prepare(source("inspection", write(tmp_path / "in.any", products("tiles/"))), tmp_path / "data")
    data = Dataset.open(tmp_path / "data", "test")
    assert data.classes == ["good", "crack", "hole"]
    assert (data.facts.normal, data.facts.masked, data.facts.num_classes) == ((0,), True, 3)
    order = [(kind, i) for kind in ("crack", "good", "hole") for i in range(5)]  # as the files are called
    assert [data.classes[k] for k in np.asarray(data.labels)] == [kind for kind, _ in order]
    expected = [image(kind, i) for kind, i in order]
    np.testing.assert_array_equal(data.images(np.arange(15)).transpose(0, 2, 3, 1), expected)
    truth = [mask(kind, i) > 127 if kind != "good" else np.zeros((12, 12)) for kind, i in order]
    np.testing.assert_array_equal(data.masks(np.arange(15))[:, 0], truth)


def test_a_share_of_the_good_images_is_held_out(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "in", products())
    report = prepare(source("inspection", path), tmp_path / "data")
    train, held = everything(tmp_path / "data"), everything(tmp_path / "data", "held_out")
    assert (len(train), len(held)) == (18, 2)
    both = {picture.tobytes() for picture in (*train, *held)}
    assert both == {image("good", i, "train").transpose(2, 0, 1).tobytes() for i in range(20)}
    assert not np.asarray(Dataset.open(tmp_path / "data", "held_out").labels).any()
    report = prepare(source("inspection", path, hold_out=0.0), tmp_path / "data")
    assert {name: split["count"] for name, split in report["splits"].items()} == {"train": 20, "test": 15}


def test_the_line_and_no_warning_of_classes_that_train_lacks(tmp_path: Path) -> None:
    got = lines(prepare(source("inspection", write_tree(tmp_path / "in", products())), tmp_path / "data"))
    assert got == [
        "35 RGB images of 12x12; masks of the test images; 3 classes from folders of test/: good, crack, hole; "
        "normal: good; train 18 (train/good/), test 15 (test/), held_out 2 (0.1 of train/good/)"
    ]


def test_images_may_be_brought_to_one_light_and_masks_stay(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "in", products())
    prepare(source("inspection", path), tmp_path / "own")
    prepare(source("inspection", path, light="standardised"), tmp_path / "one")
    for split in ("train", "held_out", "test"):
        own, one = (Dataset.open(tmp_path / name, split) for name in ("own", "one"))
        rows = np.arange(len(own))
        np.testing.assert_array_equal(one.images(rows), standardised(own.images(rows)))
        assert (own.facts.light, one.facts.light) == ("", "standardised")
    np.testing.assert_array_equal(one.masks(rows), own.masks(rows))
    manifests = [read_manifest(tmp_path / name) for name in ("own", "one")]
    assert ["light" in manifest for manifest in manifests] == [False, True]
    assert [manifest["source"].get("light") for manifest in manifests] == [None, "standardised"]
    with pytest.raises(ConfigError, match=r"light=dark.*as_it_is, standardised"):
        source("inspection", path, light="dark")


def test_masks_are_resized_without_new_values_as_the_images_are(tmp_path: Path) -> None:
    prepare(source("inspection", write_tree(tmp_path / "in", products()), resize=6), tmp_path / "data")
    data = Dataset.open(tmp_path / "data", "test")
    centres = np.arange(6) * 2 + 1  # of pixels of twice the size, as Pillow rounds
    truth = [(mask("crack", i) > 127)[np.ix_(centres, centres)] for i in range(5)]
    np.testing.assert_array_equal(data.masks(np.arange(5))[:, 0], truth)


def test_masks_are_cropped_as_the_images_are_and_lost_defects_are_counted(tmp_path: Path) -> None:
    files = products()
    corner = np.zeros((12, 12), np.uint8)
    corner[0, 0] = 255
    files["ground_truth/hole/000_mask.png"] = png(corner)
    files["ground_truth/hole/001_mask.png"] = png(np.ones((12, 12), np.uint8))  # 0 and 1 are not MVTec's levels
    options = {"resize": "4x12", "crop": True}
    report = prepare(source("inspection", write_tree(tmp_path / "in", files), **options), tmp_path / "data")
    data = Dataset.open(tmp_path / "data", "test")
    np.testing.assert_array_equal(data.masks(np.arange(5))[:, 0], [mask("crack", i)[:, 4:8] > 127 for i in range(5)])
    line = lines(report)[1]
    assert "; 1 whose anomalous pixels are lost by data.crop or data.resize" in line
    assert "; 1 with a mask that has no pixel above 127" in line


def test_without_a_folder_of_masks_a_note_says_that_pixels_are_not_known(tmp_path: Path) -> None:
    report = prepare(source("inspection", write_tree(tmp_path / "in", products(masks=False))), tmp_path / "data")
    assert "masked" not in report["facts"]
    assert report["warnings"] == ["there is no folder ground_truth/, so which pixels are anomalous is not known"]
    assert not list((tmp_path / "data").rglob("masks-*"))


def test_grey_and_colour_are_decided_by_the_images_and_not_by_the_masks(tmp_path: Path) -> None:
    assert (
        prepare(source("inspection", write_tree(tmp_path / "in", products())), tmp_path / "data")["facts"]["channels"]
        == 3
    )
    files = {
        name: raw if "truth" in name else png(noise(i, 12, 12)) for i, (name, raw) in enumerate(products().items())
    }
    path = write_tree(tmp_path / "in", files)
    assert prepare(source("inspection", path), tmp_path / "data")["facts"]["channels"] == 1
    assert prepare(source("inspection", path, channels=3), tmp_path / "data")["facts"]["channels"] == 3


@pytest.mark.parametrize("bad", ["test/hole/002.png", "ground_truth/hole/002_mask.png"])
def test_a_bad_mask_is_a_bad_image(bad: str, tmp_path: Path) -> None:
    path = write_tree(tmp_path / "in", {**products(), bad: b"text"})
    assert refused("inspection", path, tmp_path).startswith(f"1 unreadable image: {bad} (not an image)")
    report = prepare(source("inspection", path, on_bad_image="skip"), tmp_path / "data")
    assert report["splits"]["test"]["per_class"] == {"good": 5, "crack": 5, "hole": 4}
    masks = Dataset.open(tmp_path / "data", "test").masks(np.arange(14))
    np.testing.assert_array_equal(masks[10:, 0], [mask("hole", i) > 127 for i in (0, 1, 3, 4)])


GOOD = png(noise(0, 12, 12, 3))
NO_MASK = "{} no mask in ground_truth/<defect>/<name>_mask.png: {}"


@pytest.mark.parametrize(
    ("files", "options", "says"),
    [
        (without("ground_truth/hole/003"), {}, NO_MASK.format("1 image has", "test/hole/003.png")),
        (without("ground_truth/hole"), {}, NO_MASK.format("5 images have", "test/hole/000.png, ")),
        (without("test/hole/003"), {}, "1 mask has no image in test/: ground_truth/hole/003_mask.png"),
        (without("test/good"), {}, "has no test/good/, and detection is measured on good images too"),
        (without("test/hole") | without("test/crack"), {}, ""),
        (without("train"), {}, "has no train/good/: training is on good images alone"),
        ({**products(), "train/hole/1.png": GOOD}, {}, "holds train/hole/, and training is on good images alone"),
        ({**products(), "test/good/000.bmp": GOOD}, {}, "test/good/000.bmp and test/good/000.png have one name"),
        ({**products(), "ground_truth/hole/004_mask.png": png(noise(0, 9, 12))}, {},
         "1 mask is of another size than the image: ground_truth/hole/004_mask.png 12x9 of 12x12"),
        ({**products(), "test/good/000.png": png(noise(0, 9, 12, 3))}, {}, "data.resize=0: leaves images of mixed siz"),
        (products(), {"hold_out": 0.01}, "data.hold_out=0.01: holds out none of 20 normal images; 0 makes no"),
    ],
)  # fmt: skip
def test_what_is_not_laid_out_so_is_one_line(
    files: dict[str, bytes], options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    if not says:
        files = {n: raw for n, raw in products().items() if "hole" not in n and "crack" not in n}
        says = "has no defects beside test/good/, and detection is measured on anomalies too"
    assert says in refused("inspection", write_tree(tmp_path / "in", files), tmp_path, **options)


def test_what_lies_beside_is_left_out_and_counted(tmp_path: Path) -> None:
    files = {
        **products(),
        "readme.txt": b"",
        "license.png": GOOD,
        "train/loose.png": GOOD,
        "validation/good/1.png": GOOD,
    }
    report = prepare(source("inspection", write_tree(tmp_path / "in", files)), tmp_path / "data")
    expected = {".txt": 1, "beside the kinds of train": 1, "beside train, test and ground_truth": 2}
    assert report["ignored"] == expected
    digest = prepare(source("inspection", write_tree(tmp_path / "other", products())), tmp_path / "data")["digest"]
    assert digest == report["digest"]


@pytest.mark.parametrize(("option", "value"), [("hold_out", 1.0), ("hold_out", -0.5), ("encoding", "klingon")])
def test_an_impossible_option_is_named_with_its_key(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^data\.{option}={value}: "):
        source("inspection", "somewhere", **{option: value})
