"""The page says what was measured, escapes everything, and names nothing outside itself."""

import base64
import re
from dataclasses import fields
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from ganflow.evaluation.evaluation_result import ClassRow
from ganflow.evaluation.metrics.base import Measurement, known
from ganflow.evaluation.outcome import Evaluation, Protocol
from ganflow.report.curves import Curve
from ganflow.report.evaluation_page import SHOWN, PageContent, Picture, html
from ganflow.report.html import POLICY
from ganflow.report.metrics_file import parse
from ganflow.report.verdicts import verdicts
from ganflow.signals.image_grid import png

HOSTILE = '<script>alert(1)</script><img src="http://outside.test/x.png">\'"&{{ 7 * 7 }}{% x %}'
PNG = png(np.full((6, 4, 3), 200, np.uint8))
VOID = {"meta", "link", "img"}


def report(**changes: Any) -> PageContent:
    return PageContent(**({"title": "digits", "summary": {}} | changes))


def measured(**figures: Measurement) -> Evaluation:
    return Evaluation(figures)


class Page(HTMLParser):
    """Tags with their attributes, rows of cells, and all text; tags are closed in the order in which they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data + " "

    def row(self, start: str) -> str:
        """The text of the one row that starts so."""
        [found] = [" | ".join(row) for row in self.rows if row[0].startswith(start)]
        return found


def test_an_interval_and_a_deviation_stand_in_the_row_of_their_figure() -> None:
    evaluation = measured(fid=Measurement(2.5, 2.25, 2.75), kid=Measurement(0.01, std=0.002))
    page = Page(html(report(evaluation=evaluation)))
    assert [row[0].split()[0] for row in page.rows] == ["Figure", "FID", "KID"]
    assert re.search(r"lower is better .* \| 2\.5 +95 %: 2\.25 to 2\.75", page.row("FID"))
    assert re.search(r"0\.01 +± 0\.002", page.row("KID"))


def test_every_figure_has_a_row_the_known_ones_with_words() -> None:
    figures = dict.fromkeys(known(), Measurement(0.5)) | {"mine": Measurement(12345.0)}
    page = Page(html(report(evaluation=Evaluation(figures))))
    assert len(page.rows) == 1 + len(figures)
    for name, figure in known().items():
        assert figure.says in page.row(figure.label + "  ")
        assert name in page.row(figure.label + "  ")
    assert "12,345" in page.row("mine")


def test_what_is_not_finite_is_said() -> None:
    page = Page(html(report(evaluation=measured(fid=Measurement(float("nan"), low=1.0)))))
    assert "not finite" in page.row("FID")
    assert "95 %" not in page.row("FID")


def test_the_protocol_stands_beside_the_figures() -> None:
    protocol = Protocol(samples=10000, reference="test", extractor="inception", seed=0)
    page = Page(html(report(evaluation=Evaluation({"fid": Measurement(2.5)}, {}, protocol))))
    assert "10,000" in page.row("samples")
    assert "–" in page.row("extractor accuracy")
    assert len(page.rows) == 2 + len(fields(Protocol))


def test_everything_is_text() -> None:
    page = Page(
        html(
            PageContent(
                HOSTILE,
                {HOSTILE: HOSTILE},
                Evaluation({HOSTILE: Measurement(1.0)}, {HOSTILE: HOSTILE}, Protocol(reference=HOSTILE)),
                [Curve(HOSTILE, (0.0, 1.0), {HOSTILE: (0.0, 1.0), "b": (1.0, None)}, HOSTILE)],
                [ClassRow(HOSTILE, 0.5, 0.5, 1.0)],
                [Picture(HOSTILE, HOSTILE, PNG)],
            )
        )
    )
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags
    assert sum(tag == "img" for tag, _ in page.tags) == 1
    assert sum(HOSTILE in text for text in page.texts) >= 12


def test_nothing_names_anything_outside() -> None:
    curve = Curve("a", (0.0, 1.0), {"a": (0.0, 1.0)})
    text = html(report(curves=[curve], pictures=[Picture("p", "", PNG)], classes=[ClassRow("a", 1.0, 1.0)]))
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "embed", "base", "form", "a"})
    for _, attributes in page.tags:
        assert all(attributes[name].startswith("data:") for name in ("src", "href") if name in attributes)
        assert not any(name.startswith("on") or name == "srcset" for name in attributes)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    policies = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [POLICY] == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_a_picture_stands_whole_in_the_page_with_its_size_and_words() -> None:
    page = Page(html(report(pictures=[Picture("Pairs", "Below, the closest.", PNG)])))
    [image] = [attributes for tag, attributes in page.tags if tag == "img"]
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == PNG
    assert (image["width"], image["height"]) == ("4", "6")
    assert image["alt"] == "Pairs: Below, the closest."
    assert "Below, the closest." in page.texts


def test_classes_have_bars_and_rows_and_of_many_the_farthest_have_bars() -> None:
    rows = [ClassRow(f"class {i}", 0.001 * i, 0.0, None) for i in range(SHOWN + 70)]
    page = Page(html(report(classes=rows)))
    assert len(page.rows) == 1 + len(rows)
    assert page.rows[0] == ["Class ", "Generated ", "Reference "]
    assert page.texts.count("class 69") == 1
    assert page.texts.count("class 70") == 2
    assert f"The {SHOWN} classes farthest from their share" in page.texts
    few = Page(html(report(classes=[ClassRow("a", 0.25, 0.5, 7.5), ClassRow("b", 0.75, 0.5)])))
    assert few.rows == [["Class ", "Generated ", "Reference ", "FID "],
                        ["a ", "25.00 % ", "50.00 % ", "7.5 "], ["b ", "75.00 % ", "50.00 % ", "– "]]  # fmt: skip


def test_what_is_not_there_leaves_no_heading() -> None:
    page = Page(html(report()))
    assert not {"h2", "table", "svg", "img"} & {tag for tag, _ in page.tags}
    assert html(report()) == html(report())


@pytest.mark.parametrize(
    ("figures", "classes", "told"),
    [
        ({"memorisation_p": 0.4}, 0, [(True, "Memorisation: no sign (p = 0.4)")]),
        ({"memorisation_p": 1e-9}, 0,
         [(False, "Samples lie closer to training images than held-out images do (p = 1e-9)")]),
        ({"coverage": 1.0}, 10, [(True, "Classes made: 10 of 10")]),
        ({"coverage": 0.7, "modes": 10.0}, 10, [(False, "Classes made: 7 of 10")]),
        ({"modes": 24.0}, 25, [(False, "Classes made: 24 of 25")]),
        ({"modes": 24.0}, 0, []),
        ({"fid": 1.0, "memorisation_p": float("nan"), "coverage": float("nan")}, 10, []),
    ],
)  # fmt: skip
def test_what_can_be_told_is_told_in_words(
    figures: dict[str, float], classes: int, told: list[tuple[bool, str]]
) -> None:
    evaluation = parse(figures)
    assert [(verdict.good, verdict.text) for verdict in verdicts(evaluation.figures, classes)] == told
    rows = [ClassRow(str(i), 0.0, 1 / classes) for i in range(classes)] + [ClassRow("absent", 0.0, 0.0)]
    texts = Page(html(report(evaluation=evaluation, classes=rows))).texts
    assert all(text in texts for _, text in told)
