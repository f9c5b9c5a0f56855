import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from ganflow.errors import GanflowError
from ganflow.generation.sampling import Sampling
from ganflow.methods.generator import slerp
from ganflow.signals import image_grid
from tests.generation.writers.made import PLAIN, POINTS, SPEC, below, model, write

GREY = Sampling(model(replace(SPEC, shape=(1, 8, 8))), 6, 3, batch=4)


def frames_of(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Pixels and milliseconds of every frame, as a reader sees them."""
    with Image.open(path) as file:
        shown = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(file)]
    return [pixels for pixels, _ in shown], [round(ms) for _, ms in shown]


def expected(sampling: Sampling, frame: int, frames: int, stops: int) -> np.ndarray:
    """One frame by itself: its picture's pixels, RGB."""
    z = sampling.generator.stops(sampling.seed, sampling.n, stops, sampling.truncation)
    stop, share = divmod(frame * stops / frames, 1)
    at = torch.full((sampling.n,), share)
    here = slerp(z[int(stop)], z[(int(stop) + 1) % stops], at)
    drawn = sampling.make(here, sampling.generator.labels(0, sampling.n, sampling.label))
    tiles = image_grid.tiles(drawn.astype(np.uint8), 3 if sampling.turn else None)
    return tiles.repeat(3, axis=2) if tiles.shape[-1] == 1 else tiles


@pytest.mark.parametrize("suffix", ["gif", "apng"])
def test_frames_are_the_walks_and_their_times_add_up(suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"walk.{suffix}"
    write(str(out), GREY, frames=20, seconds=1.5, stops=4)
    shown, times = frames_of(out)
    assert len(shown) == 20
    assert sum(times) == 1500
    assert set(times) <= {70, 80}
    for i in (0, 7, 19):
        off = np.abs(shown[i].astype(int) - expected(GREY, i, 20, 4))
        assert off.max() <= 1, "grey levels are kept, but for float32's rounding in another batch"
    with Image.open(out) as file:
        assert file.info["loop"] == 0, "without end"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_it_begins_and_ends_at_the_samples_themselves(tmp_path: Path) -> None:
    write(f"{tmp_path}/walk.apng", GREY, frames=24, seconds=2.0)
    shown, _ = frames_of(tmp_path / "walk.apng")
    grid = image_grid.grid(GREY.generator.sample(6, 3, batch=4).astype(np.uint8), 3)
    still = np.asarray(Image.open(io.BytesIO(grid)).convert("RGB")).astype(int)
    steps = [np.abs(a.astype(int) - b).mean() for a, b in zip(shown, [*shown[1:], shown[0]], strict=True)]
    assert np.abs(shown[0] - still).max() <= 1
    assert max(steps) < 4 * np.median(steps), "no jump, not from the last frame to the first either"
    assert max(np.abs(frame - still).mean() for frame in shown) > 3 * max(steps)


def test_a_walk_keeps_the_noise_of_its_sample(tmp_path: Path) -> None:
    style = model(replace(PLAIN, network={"name": "stylegan2", "width": 4, "w_dim": 6}))
    for conv in style.network.convs:
        torch.nn.init.ones_(conv.strength)
    sampling = Sampling(style, 6, 3, batch=4)
    write(str(tmp_path / "walk.apng"), sampling, frames=4, seconds=1.0, stops=2)
    write(str(tmp_path / "grid.png"), sampling)
    first = frames_of(tmp_path / "walk.apng")[0][0].astype(int)
    with Image.open(tmp_path / "grid.png") as grid:
        assert np.abs(first - np.asarray(grid.convert("RGB"))).max() <= 1
    still = [sampling.make(style.latents(3, 0, 6), None, noise) for noise in (style.noise(3, 0, 6), None)]
    assert np.abs(still[0].astype(int) - still[1]).mean() > 5


def test_colours_of_a_gif_are_close_and_the_same_in_all_frames(tmp_path: Path) -> None:
    sampling = Sampling(model(), 3, 3, label=[1])
    write(f"{tmp_path}/walk.gif", sampling, frames=12, seconds=1.0)
    shown, _ = frames_of(tmp_path / "walk.gif")
    assert len(shown) == 12
    assert np.mean([np.abs(f.astype(int) - expected_of_one(sampling, i)).mean() for i, f in enumerate(shown)]) < 8
    assert len(np.unique(np.concatenate(shown).reshape(-1, 3), axis=0)) <= 256


def expected_of_one(sampling: Sampling, frame: int) -> np.ndarray:
    z = sampling.generator.stops(3, 3, 3)
    stop, share = divmod(frame / 4, 1)
    here = slerp(z[int(stop)], z[(int(stop) + 1) % 3], torch.full((3,), share))
    return image_grid.tiles(sampling.make(here, torch.full((3,), 1)).astype(np.uint8))


def test_webp_is_one_of_the_forms(tmp_path: Path) -> None:
    write(f"{tmp_path}/walk.webp", Sampling(model(PLAIN), 1, 3), frames=10, seconds=0.5)
    shown, times = frames_of(tmp_path / "walk.webp")
    assert len(shown) == 10
    assert sum(times) == 500


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"stops": 1}, "stops=1: must be at least 2"),
        ({"frames": 2}, "frames=2: must be at least stops, 3"),
        ({"frames": 100, "seconds": 1.9}, "seconds=1.9: at least 2: 50 frames a second at most"),
    ],
)
def test_what_cannot_be_a_walk_is_refused(options: dict[str, float], line: str, tmp_path: Path) -> None:
    with pytest.raises(GanflowError) as refused:
        write(f"{tmp_path}/walk.gif", GREY, **options)
    assert str(refused.value) == line


def test_too_many_and_points_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match=r"^n=401: at most 400 walks side by side$"):
        write(f"{tmp_path}/walk.gif", replace(GREY, n=401))
    with pytest.raises(GanflowError, match="points are not images"):
        write(f"{tmp_path}/walk.gif", Sampling(model(POINTS), 2))
    assert not below(tmp_path)
