import itertools
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ganflow.distributed import rng

MASK = (1 << 64) - 1


def philox4x64(counter: int, key: int) -> list[int]:
    """Ten rounds as written down by Salmon et al. (2011), in Python's integers: four 64-bit words."""
    c = [counter >> 64 * i & MASK for i in range(4)]
    k = [key & MASK, key >> 64]
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [second >> 64 ^ c[1] ^ k[0], second & MASK, first >> 64 ^ c[3] ^ k[1], first & MASK]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


def words(seed: int, stream: str, first: int, count: int, size: int) -> np.ndarray:
    """The documented layout: ``ceil(size / 8)`` counters per image, 64-bit words cut low half first."""
    key, blocks = rng.derive(seed, stream) | rng.derive(stream, seed) << 64, -(-size // 8)
    # numpy counts up before it draws.
    raw = [w for i in range(first * blocks, (first + count) * blocks) for w in philox4x64(i + 1, key)]
    return np.array([half for w in raw for half in (w & 0xFFFFFFFF, w >> 32)], np.uint32).reshape(count, blocks * 8)


@pytest.mark.parametrize(("first", "count", "size"), [(0, 1, 1), (0, 3, 8), (7, 2, 9), (123_456_789_012, 2, 64)])
def test_words_are_those_of_the_paper_s_philox(first: int, count: int, size: int) -> None:
    assert (rng.bits(5, "z", first, count, size) == words(5, "z", first, count, size)).all()


def test_words_are_those_of_numpy_s_generator_advanced_to_the_image() -> None:
    key = rng.derive(1, "z") | rng.derive("z", 1) << 64
    generator = np.random.Generator(np.random.Philox(key=key).advance(40 * 2))
    expected = generator.integers(0, 1 << 32, (3, 16), np.uint32)
    assert (rng.bits(1, "z", 40, 3, 16) == expected).all()


STREAMS = {
    "uniform": lambda first, count: rng.uniform(3, "s", first, count, 5),
    "normal": lambda first, count: rng.normal(3, "s", first, count, 7),
    "integers": lambda first, count: rng.integers(3, "s", first, count, 1000),
    "order": lambda first, count: rng.sample_order(3, first, count, 37),
}


@pytest.mark.parametrize("name", STREAMS)
@given(first=st.integers(0, 1 << 40), sizes=st.lists(st.integers(0, 50), min_size=1, max_size=6))
@settings(max_examples=20)
def test_any_split_into_batches_gives_the_same_rows(name: str, first: int, sizes: list[int]) -> None:
    draw = STREAMS[name]
    starts = itertools.accumulate(sizes, initial=first)
    parts = np.concatenate([draw(start, size) for start, size in zip(starts, sizes, strict=False)])
    assert np.array_equal(parts, draw(first, sum(sizes)))


def test_uniform_draws_are_uniform_and_inside_the_open_interval() -> None:
    u = rng.uniform(0, "test", 0, 20_000, 9)
    assert u.dtype == np.float32
    assert u.shape == (20_000, 9)
    assert 0 < u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 0.01


def test_the_largest_and_the_smallest_word_stay_inside_the_open_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = np.array([[0x00000000, 0xFFFFFFFF, 0xFFFFFE00, 0xFFFFFC00, 0x80000000, 0x7FFFFFFF, 0, 0]], np.uint32)
    monkeypatch.setattr(rng, "bits", lambda *_: ends)
    u = rng.uniform(0, "any", 0, 1, 6)
    assert u.min() > 0
    assert u.max() < 1
    assert np.isfinite(rng.normal(0, "any", 0, 1, 6)).all()


def test_normal_draws_are_standard_normal_and_independent() -> None:
    z = rng.normal(0, "test", 0, 20_000, 9)
    assert z.dtype == np.float32
    assert z.shape == (20_000, 9)
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.01
    columns = np.corrcoef(z.T) - np.eye(9)
    assert np.abs(columns).max() < 4 / np.sqrt(len(z))
    for lag in (1, 2, 64):  # between images
        assert abs(np.mean(z[:-lag] * z[lag:])) < 4 / np.sqrt(z.size)
    radius = np.hypot(z[:, 0], z[:, 5])  # the two halves of one Box-Muller pair
    assert stats.kstest(radius, "rayleigh").pvalue > 0.01


def test_streams_and_seeds_do_not_repeat_each_other() -> None:
    z = [rng.normal(seed, stream, 0, 2000, 4) for seed in (0, 1) for stream in ("a", "b")]
    for one, other in itertools.combinations(z, 2):
        assert abs(np.mean(one * other)) < 4 / np.sqrt(one.size)


@pytest.mark.parametrize("below", [2, 10, 1437, 1 << 33])
def test_integers_are_uniform_below(below: int) -> None:
    k = rng.integers(0, "test", 0, 50_000, below)
    assert k.dtype == np.int64
    assert k.min() >= 0
    assert k.max() < below
    bins = min(below, 10)
    counts = np.bincount(k * bins // below, minlength=bins)
    expected = [-(-(i + 1) * below // bins) - -(-i * below // bins) for i in range(bins)]
    assert stats.chisquare(counts, np.array(expected) * len(k) / below).pvalue > 0.01


def test_integers_below_one_are_zero() -> None:
    assert not rng.integers(0, "test", 0, 1000, 1).any()


def test_integers_below_the_largest_use_all_bits() -> None:
    k = rng.integers(0, "test", 0, 5000, (1 << 63) - 1)
    ones = [int((k >> bit & 1).sum()) for bit in range(63)]
    assert all(abs(n - 2500) < 4.5 * np.sqrt(1250) for n in ones)


@pytest.mark.parametrize("n", [*range(1, 18), 63, 64, 65, 1000, 1437, 4096])
def test_every_epoch_is_a_permutation(n: int) -> None:
    order = rng.sample_order(9, 0, 3 * n, n).reshape(3, n)
    assert (np.sort(order, axis=1) == np.arange(n)).all()


@given(n=st.integers(1, 300), first=st.integers(0, 10_000), count=st.integers(1, 900))
@settings(max_examples=25)
def test_a_batch_that_straddles_epochs_takes_each_epoch_s_own_order(n: int, first: int, count: int) -> None:
    expected = [int(rng.permute(4, i // n, n, np.array([i % n]))[0]) for i in range(first, first + count)[:20]]
    assert rng.sample_order(4, first, count, n)[:20].tolist() == expected


def test_an_order_that_is_not_kept_in_memory_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = rng.sample_order(2, 500, 2000, 1437)
    monkeypatch.setattr(rng, "_CACHED_ORDER", 0)
    assert np.array_equal(rng.sample_order(2, 500, 2000, 1437), kept)


def test_seeds_and_epochs_have_their_own_order() -> None:
    orders = [rng.permute(seed, epoch, 1000, np.arange(1000)) for seed in range(3) for epoch in range(3)]
    for one, other in itertools.combinations(orders, 2):
        assert (one == other).sum() < 12  # one place agrees on average
        assert abs(stats.spearmanr(one, other).statistic) < 0.13


def test_a_billion_images_are_ordered_in_little_memory() -> None:
    places = np.unique(np.linspace(0, 10**9 - 1, 1000).astype(np.int64))
    tracemalloc.start()
    drawn = rng.permute(0, 7, 10**9, places)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert len(set(drawn.tolist())) == len(places) == 1000
    assert 0 <= drawn.min() < drawn.max() < 10**9
    assert stats.kstest(drawn / 1e9, "uniform").pvalue > 0.01


@pytest.mark.parametrize("n", [5, 10, 16, 100])
def test_every_image_comes_first_and_last_equally_often(n: int) -> None:
    ends = np.array([rng.permute(0, epoch, n, np.array([0, n - 1])) for epoch in range(2000)])
    for place in ends.T:
        assert stats.chisquare(np.bincount(place, minlength=n)).pvalue > 0.001


def test_images_may_be_asked_for_in_any_order_and_from_any_thread() -> None:
    key = rng.derive(3, "any") | rng.derive("any", 3) << 64
    firsts = [900, 0, 3, 3, 10**12, 7]
    expected = {first: np.random.Philox(key=key).advance(first).random_raw(5 * 4).view(np.uint32) for first in firsts}

    def read(first: int) -> bool:
        return all(np.array_equal(rng.bits(3, "any", first, 5, 8).ravel(), expected[first]) for _ in range(50))

    assert all(map(read, firsts))
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, firsts * 4))


@pytest.mark.parametrize("threshold", [0.04, 0.5, 1.0, 2.0])
def test_truncated_draws_are_those_of_drawing_again(threshold: float) -> None:
    """Brock et al. (2019): what is within stays; what is not is of the normal distribution between the bounds."""
    z, cut = rng.normal(3, "z", 0, 500, 40), rng.truncated_normal(3, "z", 0, 500, 40, threshold)
    within = np.abs(z) <= threshold
    assert cut.dtype == np.float32
    assert np.abs(cut).max() <= np.float32(threshold)
    np.testing.assert_array_equal(cut[within], z[within])
    for part in (cut, cut[~within]):
        assert stats.kstest(part.ravel(), stats.truncnorm(-threshold, threshold).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(cut[123:130], rng.truncated_normal(3, "z", 123, 7, 40, threshold))


def test_a_wide_threshold_changes_nothing() -> None:
    np.testing.assert_array_equal(rng.truncated_normal(3, "z", 5, 9, 40, 9.0), rng.normal(3, "z", 5, 9, 40))
