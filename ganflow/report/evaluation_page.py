"""One page that says how good a generator is: it stands alone, asks for nothing and runs nothing, so it can be sent."""

import struct
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from markupsafe import Markup

from ganflow.evaluation.evaluation_result import ClassRow
from ganflow.evaluation.metrics.base import Figure, known
from ganflow.evaluation.outcome import Evaluation, Protocol
from ganflow.report import charts
from ganflow.report.curves import Curve
from ganflow.report.html import template
from ganflow.report.verdicts import WORDS, verdicts

SHOWN = 20  # classes with bars; of more, those that are furthest from their share


@dataclass(frozen=True)
class Picture:
    """A PNG with what it shows."""

    title: str
    caption: str
    png: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, of the header, so that nothing jumps."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height

    @property
    def source(self) -> str:
        """The PNG as an address."""
        return f"data:image/png;base64,{b64encode(self.png).decode('ascii')}"

    @property
    def words(self) -> str:
        """The text for readers who do not see it."""
        return f"{self.title}: {self.caption}" if self.caption else self.title


@dataclass(frozen=True)
class PageContent:
    """The content of the page."""

    title: str
    summary: Mapping[str, str]  # facts beneath the title
    evaluation: Evaluation = field(default_factory=Evaluation)
    curves: Sequence[Curve] = ()
    classes: Sequence[ClassRow] = ()
    pictures: Sequence[Picture] = ()


def html(report: PageContent) -> str:
    """The page as a whole; the same report gives the same text."""
    evaluation, protocol = report.evaluation, report.evaluation.protocol
    sentences = verdicts(evaluation.figures, sum(row.reference > 0 for row in report.classes))
    names = [*evaluation.figures, *evaluation.left_out]
    return template("evaluation.html.j2").render(
        title=report.title,
        report=report,
        verdicts=[(verdict.good, verdict.text) for verdict in sentences],
        known={name: known().get(name, Figure(name, "", "")) for name in names},
        words=WORDS,
        bars=Markup(_bars(report.classes)),
        curves=[Markup(charts.lines(c.title, c.x_label, c.x, c.series, c.log)) for c in report.curves],
        protocol={} if protocol == Protocol() else asdict(protocol),
    )


def _bars(rows: Sequence[ClassRow]) -> str:
    farthest = sorted(range(len(rows)), key=lambda i: -abs(rows[i].generated - rows[i].reference))[:SHOWN]
    shown = [rows[i] for i in sorted(farthest)]
    title = "Share of each class" if len(shown) == len(rows) else f"The {len(shown)} classes farthest from their share"
    shares = {"generated": [row.generated for row in shown], "reference": [row.reference for row in shown]}
    return charts.bars(title, [row.name for row in shown], shares, "share of images", percent=True) if rows else ""
