import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.methods.networks.layers.pyramid import Blur, Downsample, Upsample, stages

KERNEL = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def of_each_map(x: Tensor, function) -> Tensor:  # type: ignore[no-untyped-def]
    """A function of one map, applied to all: (N, C, H, W)."""
    return torch.tensor(np.array([[function(m) for m in maps] for maps in x.detach().numpy()]))


def maps() -> Tensor:
    return torch.randn(2, 3, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def zeros_between(m: np.ndarray) -> np.ndarray:
    wide = np.zeros((2 * m.shape[0], 2 * m.shape[1]))
    wide[::2, ::2] = m
    return wide


def test_upsampling_is_the_filter_over_zeros_between_the_pixels() -> None:
    expected = of_each_map(maps(), lambda m: 4 * convolve2d(zeros_between(m), KERNEL)[1:-2, 1:-2])
    assert expected.shape == (2, 3, 12, 16)
    torch.testing.assert_close(Upsample().double()(maps()), expected)


def test_downsampling_is_every_second_pixel_of_the_filtered_map() -> None:
    expected = of_each_map(maps(), lambda m: convolve2d(np.pad(m, 1), KERNEL, mode="valid")[::2, ::2])
    assert expected.shape == (2, 3, 3, 4)
    torch.testing.assert_close(Downsample().double()(maps()), expected)


@pytest.mark.parametrize("padding", [1, 2])
def test_blurring_is_the_filter_over_a_padded_map(padding: int) -> None:
    expected = of_each_map(maps(), lambda m: 4 * convolve2d(np.pad(m, padding), KERNEL, mode="valid"))
    torch.testing.assert_close(Blur(padding, gain=4.0).double()(maps()), expected)


@pytest.mark.parametrize("resample", [Upsample, Downsample])
def test_away_from_the_border_an_even_map_stays_as_it_is(resample: type[nn.Module]) -> None:
    assert (resample()(torch.ones(1, 2, 8, 8))[:, :, 1:-1, 1:-1] == 1).all()


def test_the_filter_is_no_part_of_what_is_saved() -> None:
    assert Upsample().state_dict() == {}


STAGES = {
    (32, (4,), 512, 32): [(4, 512), (8, 512), (16, 512), (32, 512)],
    (64, (4,), 512, 16): [(4, 512), (8, 512), (16, 512), (32, 256), (64, 128)],
    (8, (4, 7), 6, 4): [(4, 6), (8, 3)],
    (56, (4, 7), 768, 32): [(7, 768), (14, 768), (28, 768), (56, 384)],
    (14, (4, 7), 5, 32): [(7, 5), (14, 5)],
}


@pytest.mark.parametrize("case", STAGES)
def test_sides_double_and_channels_halve(case: tuple[int, tuple[int, ...], int, int]) -> None:
    assert stages("x", *case) == STAGES[case]


@pytest.mark.parametrize(("resolution", "hint"), [(1, 8), (4, 8), (7, 8), (28, 32), (33, 64), (100, 128), (192, 256)])
def test_other_sizes_are_refused_with_the_next_that_is_possible(resolution: int, hint: int) -> None:
    with pytest.raises(ConfigError) as refused:
        stages("x", resolution, (4,), 8, 32)
    assert str(refused.value) == f"name=x: cannot make {resolution}×{resolution} images; set data.resize={hint}"


@pytest.mark.parametrize(
    ("width", "halve_after", "line"),
    [
        (0, 32, "width=0: must be more than 0"),
        (8, 0, "halve_after=0: must be more than 0"),
        (4, 8, "width=4: leaves no channels at 64 pixels; raise it or halve_after"),
    ],
)
def test_impossible_widths_are_refused(width: int, halve_after: int, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        stages("x", 64, (4,), width, halve_after)
    assert str(refused.value) == line
