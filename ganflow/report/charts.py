"""Charts as SVG text, by arithmetic alone: they need no library, no script, and scale with the page.

Colours are CSS variables, so that :data:`STYLE`, which a page holds once, follows the reader's light or dark mode.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

Values = Sequence[float | None]  # None and what is not finite are gaps

WIDTH, HEIGHT = 420, 250
TOP, RIGHT, BOTTOM, LEFT = 34, 14, 42, 50  # around the plot
MOST = 400  # points of a line: two per pixel are one
GLYPH = 7.2  # pixels that a character takes, about
ROW, BAR = 30, 10  # pixels per class, and per bar
COLOURS = 6

STYLE = """
:root{--ink:#1c2024;--soft:#60666e;--rule:#dfe2e6;
--c0:#2563c9;--c1:#d4620a;--c2:#0d8a63;--c3:#9a3fc4;--c4:#c62f4b;--c5:#56616e}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a0a7b0;--rule:#343a41;
--c0:#6ea8ff;--c1:#ffa057;--c2:#4fd1a1;--c3:#d294f5;--c4:#ff7d92;--c5:#aab4c0}}
svg.chart{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}
.chart text{fill:var(--soft)}.chart .title{fill:var(--ink);font-weight:600;font-size:15px}
.chart .name{fill:var(--ink)}.chart .rule{stroke:var(--rule);stroke-width:1}
.chart .line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
"""


@dataclass(frozen=True)
class Axis:
    """The positions of values between two ends in pixels, and the ticks among them."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value in pixels."""
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)


def lines(title: str, x_label: str, x: Sequence[float], series: Mapping[str, Values], log: bool = False) -> str:
    """Series over ``x`` as lines; None and NaN are gaps, and on a logarithmic axis so is what is not above 0."""
    defined = {name: _known(values, log) for name, values in series.items()}
    finite = [value for values in defined.values() for value in values if value is not None]
    if not finite:
        return _svg(title, HEIGHT, [_text(WIDTH / 2, HEIGHT / 2, "nothing measured", "middle")])
    legend, below = _legend(list(series)) if len(series) > 1 else ([], TOP)
    height = HEIGHT + below - TOP
    across = _axis(x, LEFT, WIDTH - RIGHT, fit=False)
    up = _axis(finite, height - BOTTOM, below + 8, log=log)
    body = [*legend, *_grid(across, up, x_label)]
    for i, values in enumerate(defined.values()):
        for run in _runs(_thin(list(zip(x, values, strict=True)))):
            body.append(_line([(across(a), up(b)) for a, b in run], f"var(--c{i % COLOURS})", dashed=i >= COLOURS))
    return _svg(title, height, body, f"{', '.join(series)} over {x_label}")


def bars(
    title: str, names: Sequence[str], series: Mapping[str, Values], x_label: str = "", percent: bool = False
) -> str:
    """Horizontal bars, one group per name with a bar of each series; values are 0 or more, None leaves no bar."""
    defined = [_known(values, log=False) for values in series.values()]
    longest = max((len(name) for name in names), default=0)
    left = min(24 + GLYPH * longest, WIDTH * 0.4)
    legend, below = _legend(list(series))
    height = below + 8 + ROW * len(names) + BOTTOM
    finite = [value for values in defined for value in values if value is not None]
    across = _axis([0.0, max(finite, default=0.0) or 1.0], left, WIDTH - RIGHT - 8)
    body = list(legend)
    for tick in across.ticks:
        at, text = across(tick), f"{number(tick * 100)} %" if percent else number(tick)
        body.append(_rule(at, below + 4, at, height - BOTTOM) + _text(at, height - BOTTOM + 17, text, "middle"))
    for row, name in enumerate(names):
        top = below + 8 + row * ROW + (ROW - BAR * len(defined)) / 2
        body.append(_text(left - 8, below + 8 + (row + 0.5) * ROW + 4, _short(name, left - 14), "end", "name"))
        body += [_bar(across, top + i * BAR, values[row], i) for i, values in enumerate(defined)]
    body.append(_text((left + WIDTH) / 2, height - 6, x_label, "middle"))
    return _svg(title, height, body, f"{', '.join(series)} of each of {len(names)}")


def number(value: float, digits: int = 4) -> str:
    """A number for people: ``digits`` significant ones, thousands apart, no padded exponent."""
    if not math.isfinite(value):
        return "not finite"
    if abs(value) >= 1000 and abs(value) < 1e7:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def round_ticks(low: float, high: float, most: int = 6, around: bool = False) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high], ``most`` at most, or the fewest around it."""
    least = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if around:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))  # 3 · 0.1 is no round number
    return tuple(round(i * step, digits) for i in range(first, last + 1))


def log_ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    """Powers of ten around [low, high], and 2 and 5 times them while there is room."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [m * 10.0**power for power in powers for m in (1, 2, 5)]
    below = max((i for i, tick in enumerate(fine) if tick <= low), default=0)
    above = min((i for i, tick in enumerate(fine) if tick >= high), default=len(fine) - 1)
    fine = fine[below : max(above, below + 1) + 1]
    if len(fine) <= most:
        return tuple(fine)
    stride = -(-len(powers) // most)
    return tuple(10.0**power for power in powers[::stride])


def _axis(values: Sequence[float], start: float, end: float, log: bool = False, fit: bool = True) -> Axis:
    """An axis over the values; where it may grow to ``fit``, it ends at ticks."""
    low, high = min(values), max(values)
    if log:
        ticks = log_ticks(low, high)
        return Axis(min(low, ticks[0]), max(high, ticks[-1]), start, end, ticks, log=True)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # a constant has no extent
        low, high = min(0.0, low), max(0.0, high) or float(not low)
    ticks = round_ticks(low, high, around=fit)
    return Axis(min(low, ticks[0]), max(high, ticks[-1]), start, end, ticks)


def _grid(across: Axis, up: Axis, x_label: str) -> list[str]:
    """Rules with their numbers, and what the x axis is of."""
    body = []
    for tick in up.ticks:
        at = up(tick)
        body.append(_rule(across.start, at, across.end, at) + _text(across.start - 7, at + 4, number(tick), "end"))
    body += [_text(across(tick), up.start + 17, number(tick), "middle") for tick in across.ticks]
    return [*body, _text((across.start + across.end) / 2, up.start + 36, x_label, "middle")]


def _legend(names: Sequence[str]) -> tuple[list[str], float]:
    """Swatches with names, in as many rows as they take, and where they end."""
    body, at, y = [], float(LEFT), TOP + 12.0
    for i, name in enumerate(names):
        shown = _short(name, WIDTH - LEFT - RIGHT - 20)
        needed = 34 + GLYPH * len(shown)
        if at > LEFT and at + needed > WIDTH:
            at, y = float(LEFT), y + 18
        body.append(f'<rect x="{at:.1f}" y="{y - 8:.1f}" width="14" height="6" rx="2" fill="var(--c{i % COLOURS})"/>')
        body.append(_text(at + 19, y, shown, "start", "name"))
        at += needed
    return body, y + 4


def _known(values: Values, log: bool) -> list[float | None]:
    return [v if v is not None and math.isfinite(v) and (v > 0 or not log) else None for v in values]


def _thin(points: list[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """At most about ``MOST`` points: of each stretch the lowest, the highest and a gap, so that spikes are kept."""
    if len(points) <= MOST:
        return points
    stretch, thinned = -(-2 * len(points) // MOST), []
    for first in range(0, len(points), stretch):
        part = range(first, min(first + stretch, len(points)))
        defined = sorted((value, i) for i in part if (value := points[i][1]) is not None)
        gaps = [i for i in part if points[i][1] is None][:1]
        thinned += [points[i] for i in sorted({i for _, i in defined[:1] + defined[-1:]} | set(gaps))]
    return thinned


def _runs(points: Sequence[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    """The stretches of points without a gap."""
    run: list[tuple[float, float]] = []
    for x, y in [*points, (0.0, None)]:
        if y is not None:
            run.append((x, y))
        elif run:
            yield run
            run = []


def _line(places: Sequence[tuple[float, float]], colour: str, dashed: bool) -> str:
    if len(places) == 1:  # between two gaps
        return f'<circle cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="2.6" fill="{colour}"/>'
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="line" style="stroke:{colour}"{dash} points="{path}"/>'


def _bar(across: Axis, top: float, value: float | None, i: int) -> str:
    if value is None:
        return ""
    width = max(0.0, across(value) - across.start)
    box = f'x="{across.start:.1f}" y="{top + 1:.1f}" width="{width:.1f}" height="{BAR - 2}"'
    return f'<rect {box} rx="1.5" fill="var(--c{i % COLOURS})"><title>{number(value)}</title></rect>'


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="rule" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _short(text: str, width: float) -> str:
    room = max(1, int(width / GLYPH))
    return text if len(text) <= room else text[: room - 1] + "…"


def _svg(title: str, height: float, body: Sequence[str], description: str = "") -> str:
    label = escape(f"{title}: {description}" if description else title)
    head = f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img"'
    shown = _text(0, 16, _short(title, WIDTH * 0.9), "start", "title")
    return f'{head} aria-label="{label}">{shown}{"".join(body)}</svg>'
