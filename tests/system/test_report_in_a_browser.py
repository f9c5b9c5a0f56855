"""A real browser shows the page whole, asks nobody for anything, and fits it to a phone."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.evaluation.evaluation_result import ClassRow
from ganflow.evaluation.metrics.base import Measurement, known
from ganflow.evaluation.outcome import Evaluation, Protocol
from ganflow.report.curves import Curve
from ganflow.report.evaluation_page import PageContent, Picture, html
from ganflow.report.html import POLICY
from ganflow.signals.image_grid import png
from tests.support.browser import chromium

OUTSIDE = "http://outside.test/asked"
WAYS = (
    '<img src="{}">', '<link rel="stylesheet" href="{}">', '<script src="{}"></script>', '<iframe src="{}"></iframe>',
    "<style>@import url({})</style>", '<p style="background:url({})">x</p>', '<object data="{}"></object>',
)  # fmt: skip
HOSTILE = f'<img src="{OUTSIDE}"><script src="{OUTSIDE}"></script><link rel=stylesheet href="{OUTSIDE}">'
MAGENTA = (255, 0, 255)
PICTURE = png(np.full((30, 1500, 3), MAGENTA, np.uint8))  # wider than a page
META = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
MEASURE = """<script>addEventListener("load", () => {
  const shown = [...document.images].map(i => i.complete && i.naturalWidth)
  const said = {shown, wide: document.documentElement.scrollWidth, window: innerWidth}
  document.body.dataset.measured = JSON.stringify(said)
})</script>"""


@pytest.fixture(scope="module")
def page() -> str:
    """A report with everything, in which every text tries to load something and some are long."""
    figures = dict.fromkeys(known(), Measurement(0.123456789))
    figures |= {
        "fid": Measurement(0.123456789, 0.1, 0.2),
        "kid": Measurement(0.1, std=1e-12),
        "x" * 200: Measurement(1.0),
    }
    evaluation = Evaluation(figures, {HOSTILE: HOSTILE}, Protocol(reference=HOSTILE, seed=0))
    curve = Curve(HOSTILE, tuple(map(float, range(50))), {f"{HOSTILE}{i}": tuple([i + 1.0] * 50) for i in range(3)})
    classes = [ClassRow(HOSTILE, 0.5, 0.25, 1.0), ClassRow("y" * 200, 0.5, 0.75)]
    pictures = [Picture("Wide", HOSTILE, PICTURE), Picture("Again", "", PICTURE)]
    facts = {HOSTILE: HOSTILE, "z" * 200: "z" * 200}
    return html(PageContent("w" * 200 + HOSTILE, facts, evaluation, [curve], classes, pictures))


def written(folder: Path, text: str) -> Path:
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


def shot(folder: Path, text: str, width: int = 1200) -> tuple[int, set[str]]:
    """Magenta pixels of the page as it is shown, and what it asked for."""
    target = folder / "shot.png"
    _, asked = chromium(written(folder, text), folder, f"--screenshot={target}", width=width, height=7000)
    pixels = np.asarray(Image.open(target).convert("RGB"))
    return int((pixels == MAGENTA).all(2).sum()), asked


@pytest.mark.parametrize("width", [1200, 600])
def test_the_page_shows_its_pictures_and_asks_for_nothing(page: str, width: int, tmp_path: Path) -> None:
    magenta, asked = shot(tmp_path, page, width)
    assert not asked
    assert magenta > 2 * 30 * 0.8 * min(width, 1000)


def test_a_page_that_asks_is_seen_to_and_the_policy_stops_it(page: str, tmp_path: Path) -> None:
    asking = page.replace("<main>", "<main>" + "".join(way.format(OUTSIDE + str(i)) for i, way in enumerate(WAYS)))
    assert META in asking
    _, asked = shot(tmp_path, asking.replace(META, ""))
    assert asked == {OUTSIDE + str(i) for i in range(len(WAYS))}
    magenta, asked = shot(tmp_path, asking)
    assert not asked
    assert magenta > 0


def test_no_script_runs(page: str, tmp_path: Path) -> None:
    scripted = page.replace("</main>", "</main>" + MEASURE)
    said, _ = chromium(written(tmp_path, scripted), tmp_path, "--dump-dom")
    assert "</main>" in said
    assert "data-measured" not in said


@pytest.mark.parametrize("width", [1200, 390, 320])
def test_the_page_is_never_wider_than_the_window(page: str, width: int, tmp_path: Path) -> None:
    # A copy without the policy may run a script, which can say what a picture of the page cannot.
    frame = f'<body style="margin:0"><iframe style="border:0" width="{width}" height="800" srcdoc="{{}}"></iframe>'
    inner = page.replace(META, "").replace("</main>", "</main>" + MEASURE)
    report = """<script>addEventListener("load", () => setTimeout(() => {
      document.body.dataset.measured = frames[0].document.body.dataset.measured
    }))</script>"""
    escaped = inner.replace("&", "&amp;").replace('"', "&quot;")
    path = written(tmp_path, "<!doctype html>" + frame.replace("{}", escaped) + report)
    said, asked = chromium(path, tmp_path, "--dump-dom")
    found = re.search(r'data-measured="(\{.*?\})"', said)
    assert found, said[-2000:]
    measured = json.loads(found[1].replace("&quot;", '"'))
    assert measured["shown"] == [1500, 1500]
    assert measured["window"] == width
    assert measured["wide"] <= width
    assert not asked
