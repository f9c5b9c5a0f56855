"""`ganflow restore` and `ganflow detect` on pictures of a user's own, by models with fresh weights."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.commands.detect import detect
from ganflow.commands.restore import restore
from ganflow.errors import GanflowError
from ganflow.generation.detection import score
from ganflow.methods import generator
from ganflow.methods.generator import GeneratorSpec
from ganflow.signals.light import standardised

EDSR = {"name": "edsr", "blocks": 1, "width": 4}
CODE = {
    "name": "autoencoder", "code": 4, "encoder": {"name": "conv", "width": 4},
    "decoder": {"name": "mlp", "widths": [8]},
}  # fmt: skip
FILLS = GeneratorSpec(EDSR, 0, (1, 8, 8), 0, given_shape=(2, 8, 8), given={"hole": {"name": "hole", "kind": "half"}})
DOUBLES = GeneratorSpec(
    EDSR, 0, (3, 16, 16), 0, given_shape=(3, 8, 8), given={"downsample": {"name": "downsample", "factor": 2}}
)
SCORE = {"normal": ["3"], "latent": 0.0, "smooth": 0.0, "relative": False, "pool": "mean"}
DETECTS = GeneratorSpec(CODE, 0, (1, 8, 8), 0, given_shape=(1, 8, 8), detection=SCORE)
OF_NOISE = GeneratorSpec({"name": "mlp", "widths": [8]}, 4, (1, 8, 8), 0)


def model(spec: GeneratorSpec, folder: Path) -> str:
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    generator.save(folder / generator.FILE, spec.build(), spec)
    return str(folder)


def picture(path: Path, height: int, width: int, mode: str = "L", seed: int = 0) -> Image.Image:
    channels = {"L": (), "RGB": (3,), "LA": (2,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), np.uint8)
    image = Image.fromarray(pixels, mode)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return image


def restored(spec: GeneratorSpec, tmp_path: Path, source: Path, masks: str = "", degrade: bool = False) -> list[str]:
    made = model(spec, tmp_path / "model")
    return restore(made, str(source), str(tmp_path / "out"), masks=masks, degrade=degrade, tile=512, seed=0)


def test_images_of_any_size_are_enlarged_by_the_names_that_they_have(tmp_path: Path) -> None:
    for place, (height, width) in {"a.jpg": (9, 30), "sub/b.png": (20, 7)}.items():
        picture(tmp_path / "in" / place, height, width, "RGB")
    lines = restored(DOUBLES, tmp_path, tmp_path / "in")
    assert lines == [f"2 images of {tmp_path / 'in'} restored by {tmp_path / 'model'}: {tmp_path / 'out'}"]
    sizes = {name: Image.open(tmp_path / "out" / name).size for name in ("a.png", "sub/b.png")}
    assert sizes == {"a.png": (60, 18), "sub/b.png": (14, 40)}


def test_what_is_made_is_the_network_s_own_image(tmp_path: Path) -> None:
    image = picture(tmp_path / "one.png", 12, 10, "RGB")
    restored(DOUBLES, tmp_path, tmp_path / "one.png")
    loaded = generator.load(tmp_path / "model" / generator.FILE)
    given = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
    expected = loaded.stored(loaded.network(torch.zeros(1, 0), None, given))[0]
    made = np.array(Image.open(tmp_path / "out/one.png")).astype(int)
    assert np.abs(made - expected).max() <= 1  # which side of a level a pixel falls on


def test_what_is_transparent_is_filled_in_and_the_rest_stays(tmp_path: Path) -> None:
    image = np.array(picture(tmp_path / "in/a.png", 8, 20, "LA"))
    restored(FILLS, tmp_path, tmp_path / "in")
    made, hidden = np.array(Image.open(tmp_path / "out/a.png")), image[..., 1] < 128
    opaque = image[..., 1] == 255  # the rest is mixed with the background
    assert np.array_equal(made[~hidden & opaque], image[..., 0][~hidden & opaque])
    assert 0 < hidden.mean() < 1


def test_masks_say_which_pixels_are_hidden(tmp_path: Path) -> None:
    image = np.array(picture(tmp_path / "in/a.png", 8, 8))
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 5:] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks/a_mask.png")
    restored(FILLS, tmp_path, tmp_path / "in", masks=str(tmp_path / "masks"))
    made = np.array(Image.open(tmp_path / "out/a.png"))
    assert np.array_equal(made[:, :5], image[:, :5])
    assert not np.array_equal(made[:, 5:], image[:, 5:])


def test_good_images_may_be_degraded_first(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png", 16, 24, "RGB")
    restored(DOUBLES, tmp_path, tmp_path / "in", degrade=True)
    assert Image.open(tmp_path / "out/a.png").size == (24, 16)


@pytest.mark.parametrize(
    ("spec", "masks", "line"),
    [
        (OF_NOISE, "", r"model=mlp.*makes images of noise alone"),
        (DOUBLES, "masks", r"masks=masks.*was not trained to fill in"),
        (FILLS, "nowhere", r"masks=nowhere.*no such folder"),
    ],
)
def test_what_cannot_be_restored_is_one_line(spec: GeneratorSpec, masks: str, line: str, tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png", 8, 8)
    with pytest.raises(GanflowError, match=line):
        restored(spec, tmp_path, tmp_path / "in", masks=masks)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_pictures_that_cannot_be_read_are_named_before_the_first_is_restored(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png", 8, 8)
    (tmp_path / "in/b.png").write_bytes(b"no picture")
    with pytest.raises(GanflowError, match=r"1 unreadable: b\.png"):
        restored(FILLS, tmp_path, tmp_path / "in")
    with pytest.raises(GanflowError, match=r"source=.*empty.*no images|no such"):
        restored(FILLS, tmp_path, tmp_path / "empty")


def test_a_mask_of_another_size_is_one_line(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png", 8, 8)
    picture(tmp_path / "masks/a.png", 4, 8)
    with pytest.raises(GanflowError, match=r"a\.png=8x4.*must be 8x8, as a\.png"):
        restored(FILLS, tmp_path, tmp_path / "in", masks=str(tmp_path / "masks"))


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def test_scores_and_alarms_are_a_table(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / f"in/{i}.png", 8, 8, seed=i)
    picture(tmp_path / "in/large.png", 20, 12, seed=4)
    plain = detect(model(DETECTS, tmp_path / "model"), str(tmp_path / "in"), str(tmp_path / "a.csv"), maps="")
    table = rows(tmp_path / "a.csv")
    assert table[0] == ["file", "score"]
    assert [name for name, _ in table[1:]] == ["0.png", "1.png", "2.png", "large.png"]
    assert "no normal images were held out" in " ".join(plain)
    assert "images of 12x20 were resized to 8x8" in plain
    scores = [float(value) for _, value in table[1:]]
    limit = sorted(scores)[1] * 1.0001
    known = GeneratorSpec(
        **{**DETECTS.__dict__, "detection": {**SCORE, "threshold": limit, "quantile": 0.99, "held_out": 70}}
    )
    lines = detect(model(known, tmp_path / "model"), str(tmp_path / "in"), str(tmp_path / "b.csv"), maps="")
    assert [row[2] for row in rows(tmp_path / "b.csv")[1:]] == [str(int(score > limit)) for score in scores]
    assert any(
        line.startswith("2 of 4 images are above the threshold") and "of 70 normal images" in line for line in lines
    )


def test_pictures_are_scored_in_the_light_of_the_data(tmp_path: Path) -> None:
    spec = replace(DETECTS, detection={**SCORE, "light": "standardised"})
    made = model(spec, tmp_path / "model")
    stored = []
    for i in range(3):
        stored.append(np.array(picture(tmp_path / f"in/{i}.png", 8, 8, seed=i))[None])
    loaded = generator.load(tmp_path / "model" / generator.FILE)
    assert loaded.spec == spec
    expected = score(loaded, torch.from_numpy(standardised(np.stack(stored))) / 127.5 - 1).scores
    told = detect(made, str(tmp_path / "in"), str(tmp_path / "a.csv"), maps="")
    assert [float(value) for _, value in rows(tmp_path / "a.csv")[1:]] == pytest.approx(expected.tolist(), rel=1e-4)
    assert "every image was brought to the brightness and contrast of the model's images" in told
    with pytest.raises(GanflowError, match=r"model=standardised.*ganflow detect"):
        restored(spec, tmp_path, tmp_path / "in")


def test_maps_are_pictures_of_the_model_s_size(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.jpg", 8, 8)
    made = model(DETECTS, tmp_path / "model")
    detect(made, str(tmp_path / "in/a.jpg"), str(tmp_path / "a.csv"), maps=str(tmp_path / "maps"))
    assert Image.open(tmp_path / "maps/a.png").size == (8, 8)


@pytest.mark.parametrize(
    ("spec", "out", "line"),
    [(FILLS, "a.csv", r"model=.*not trained on data that say what is normal"), (DETECTS, "a.txt", r"out=.*\.csv")],
)
def test_what_cannot_be_detected_is_one_line(spec: GeneratorSpec, out: str, line: str, tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png", 8, 8)
    with pytest.raises(GanflowError, match=line):
        detect(model(spec, tmp_path / "model"), str(tmp_path / "in"), str(tmp_path / out), maps="")
