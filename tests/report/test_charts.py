"""Charts are checked by reading them back: the numbers at the ticks say where a value must lie."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganflow.report import charts

NAN = math.nan
TAG = "{http://www.w3.org/2000/svg}"


def read(text: str) -> ElementTree.Element:
    """The chart, as XML that holds no script and asks for nothing."""
    assert not re.search(r"<script|href=|url\(|https?://(?!www\.w3\.org/2000/svg)", text)
    return ElementTree.fromstring(text)


def polylines(text: str) -> list[list[tuple[float, float]]]:
    found = [line.attrib["points"].split() for line in read(text).iter(f"{TAG}polyline")]
    return [[(float(x), float(y)) for x, y in (pair.split(",") for pair in line)] for line in found]


def ticks(text: str, anchor: str) -> dict[float, float]:
    """Place by value of the numbers with this anchor: end for those of the y axis, middle for the x axis."""
    along = "y" if anchor == "end" else "x"
    found = [t for t in read(text).iter(f"{TAG}text") if t.attrib["text-anchor"] == anchor]
    numbers = [t for t in found if re.fullmatch(r"-?[\d.,e-]+", t.text or "")]
    return {float((t.text or "").replace(",", "")): float(t.attrib[along]) for t in numbers}


def words(text: str) -> list[str]:
    return [t.text or "" for t in read(text).iter(f"{TAG}text")]


def test_points_lie_where_the_ticks_say() -> None:
    text = charts.lines("FID", "kimg", [0, 50, 100], {"fid": [4.0, 2.0, 0.0]})
    across, up = ticks(text, "middle"), ticks(text, "end")
    assert {0, 20, 40, 60, 80, 100} == set(across)
    assert {0, 1, 2, 3, 4} == set(up)
    [line] = polylines(text)
    assert line[0] == pytest.approx((across[0], up[4] - 4), abs=0.2)  # a number stands 4 pixels below its rule
    assert line[1] == pytest.approx(((across[40] + across[60]) / 2, up[2] - 4), abs=0.2)
    assert line[2] == pytest.approx((across[100], up[0] - 4), abs=0.2)
    assert words(text)[0] == "FID"
    assert "kimg" in words(text)


@pytest.mark.parametrize("gap", [None, NAN, math.inf])
def test_what_was_not_measured_is_a_gap_and_a_lone_value_a_dot(gap: float | None) -> None:
    text = charts.lines("t", "x", range(7), {"a": [1.0, 2.0, gap, 3.0, gap, 1.0, 2.0]})
    assert [len(line) for line in polylines(text)] == [2, 2]
    assert len(list(read(text).iter(f"{TAG}circle"))) == 1


def test_a_logarithmic_axis_puts_powers_of_ten_equally_far_apart() -> None:
    text = charts.lines("t", "x", range(5), {"a": [1000.0, 10.0, 0.1, 0.0, -1.0]}, log=True)
    up = ticks(text, "end")
    assert {0.1, 1, 10, 100, 1000} <= set(up)
    assert up[1] - up[10] == pytest.approx(up[100] - up[1000], abs=0.2)
    [line] = polylines(text)  # 0 and less are gaps
    assert [y for _, y in line] == pytest.approx([up[1000] - 4, up[10] - 4, up[0.1] - 4], abs=0.2)


def test_every_series_has_a_colour_and_stands_in_the_legend() -> None:
    names = [f"D/a_regulariser_{i}" for i in range(8)]
    text = charts.lines("t", "x", [0, 1], {name: [i, i + 1] for i, name in enumerate(names)})
    assert set(names) <= set(words(text))
    lines = list(read(text).iter(f"{TAG}polyline"))
    assert len({(line.attrib["style"], "stroke-dasharray" in line.attrib) for line in lines}) == 8
    assert all(float(rect.attrib["x"]) + 14 < charts.WIDTH for rect in read(text).iter(f"{TAG}rect"))
    assert "a" not in words(charts.lines("t", "x", [0, 1], {"a": [0, 1]}))  # the title says it


@pytest.mark.parametrize("values", [[], [None, NAN], [3.0], [0.0, 0.0], [-2.0, -2.0], [1e-30, 1e30], [1e12, 1e12 + 1]])
@pytest.mark.parametrize("log", [False, True])
def test_whatever_was_measured_there_is_a_chart(values: list[float | None], log: bool) -> None:
    text = charts.lines("t", "x", range(len(values)), {"a": values}, log)
    for x, y in (place for line in polylines(text) for place in line):
        assert 0 <= x <= charts.WIDTH
        assert 0 <= y <= charts.HEIGHT
    if values in ([], [None, NAN]):
        assert "nothing measured" in words(text)


def test_a_long_line_keeps_its_spikes_and_gaps() -> None:
    values: list[float | None] = [math.sin(i / 1000) for i in range(100_000)]
    values[54_321], values[70_000] = 9.0, None
    text = charts.lines("t", "x", range(len(values)), {"a": values})
    places = polylines(text)
    assert len(places) == 2
    assert sum(map(len, places)) <= charts.MOST + 10
    assert min(y for line in places for _, y in line) < ticks(text, "end")[8]


def test_bars_are_as_long_as_their_values() -> None:
    text = charts.bars(
        "Classes", ["a", "b"], {"generated": [0.5, None], "reference": [0.25, 0.5]}, "share", percent=True
    )
    bars = [r for r in read(text).iter(f"{TAG}rect") if list(r)]
    assert [r[0].text for r in bars] == ["0.5", "0.25", "0.5"]
    lengths = [float(r.attrib["width"]) for r in bars]
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=0.2)
    assert lengths[0] == lengths[2]
    assert {"0 %", "50 %", "a", "b", "generated", "reference", "share"} <= set(words(text))


def test_names_are_text_and_long_ones_are_cut() -> None:
    hostile = '<script>alert("1")</script>&'
    for text in (
        charts.lines(hostile, hostile, [0, 1], {hostile: [0, 1], "b": [1, 0]}),
        charts.bars(hostile, [hostile, "x" * 500], {hostile: [0.1, 0.2], "b": [0.1, NAN]}, hostile),
    ):
        assert hostile in words(text)
        assert read(text).attrib["aria-label"].startswith(hostile)
        assert all(len(word) < 90 for word in words(text))


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_around_the_values(low: float, extent: float) -> None:
    high = low + extent
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    inside, around = charts.round_ticks(low, high), charts.round_ticks(low, high, around=True)
    slack = 1e-6 * extent
    assert all(low - slack <= tick <= high + slack for tick in inside)
    assert around[0] - slack <= low
    assert high <= around[-1] + slack
    assert len(inside) <= 6
    assert 2 <= len(around) <= 8


@given(st.floats(1e-12, 1e12), st.floats(1, 1e12))
def test_logarithmic_ticks_are_around_the_values(low: float, factor: float) -> None:
    ticks = charts.log_ticks(low, low * factor)
    assert ticks[0] <= low * (1 + 1e-9)
    assert 2 <= len(ticks) <= 9
    assert list(ticks) == sorted(set(ticks))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.29370131, "0.2937"), (10000, "10,000"), (1438.0, "1,438"), (1e-9, "1e-9"), (1.5e12, "1.5e12"), (1.0, "1"),
     (NAN, "not finite"), (0.0, "0"), (-0.5, "-0.5")],
)  # fmt: skip
def test_numbers_are_for_people(value: float, text: str) -> None:
    assert charts.number(value) == text
