"""One page that says how good a generator is: it stands alone, asks for nothing and runs nothing, so it can be sent."""

import struct
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape

from ganflow.evaluation.evaluation_result import ClassRow
from ganflow.evaluation.metrics.base import Figure, Measurement, known
from ganflow.evaluation.outcome import Evaluation, Protocol
from ganflow.report import charts
from ganflow.report.curves import Curve
from ganflow.report.html import card, document, marked, scroll, section, table
from ganflow.report.verdicts import WORDS, verdicts

SHOWN = 20  # classes with bars; of more, those that are furthest from their share


@dataclass(frozen=True)
class Picture:
    """A PNG with what it shows."""

    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Report:
    """What the page tells."""

    title: str
    summary: Mapping[str, str]  # facts beneath the title
    evaluation: Evaluation = field(default_factory=Evaluation)
    curves: Sequence[Curve] = ()
    classes: Sequence[ClassRow] = ()
    pictures: Sequence[Picture] = ()


def html(report: Report) -> str:
    """The page as a whole; the same report gives the same text."""
    parts = (_header, _figures, _left_out, _pictures, _classes, _curves, _protocol)
    return document(report.title, "\n".join(part for part in (write(report) for write in parts) if part))


def _header(report: Report) -> str:
    told = verdicts(report.evaluation.figures, sum(row.reference > 0 for row in report.classes))
    listed = f"\n{marked((v.good, v.text) for v in told)}" if told else ""
    facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in report.summary.items())
    return f"<h1>{escape(report.title)}</h1>{listed}" + (f'\n<dl class="facts">{facts}</dl>' if facts else "")


def _figures(report: Report) -> str:
    rows = "".join(_figure(name, measured) for name, measured in report.evaluation.figures.items())
    head = '<tr><th scope="col">Figure</th><th scope="col" class="number">Value</th></tr>'
    return section("Figures", card(table(head, rows, "Figures"))) if rows else ""


def _figure(name: str, measured: Measurement) -> str:
    """The row of one figure, with its interval and its standard deviation."""
    figure = known().get(name, Figure(name, "", ""))
    low, high, std = measured.low, measured.high, measured.std
    value = f"<b>{_value(measured.value)}</b>" + (f'<div class="soft">± {_value(std)}</div>' if std is not None else "")
    if low is not None and high is not None:
        value += f'<div class="soft">95 %: {_value(low)} to {_value(high)}</div>'
    said = f'<b>{escape(figure.label)}</b> <span class="better">{escape(WORDS[figure.better])}</span>'
    if figure.says:
        said += f'<div class="soft">{escape(figure.says)} <code>{escape(name)}</code></div>'
    return f'<tr><th scope="row">{said}</th><td class="number">{value}</td></tr>'


def _left_out(report: Report) -> str:
    """The figures that could not be measured, with the reason."""
    labels = {name: figure.label for name, figure in known().items()}
    rows = "".join(
        f'<tr><th scope="row">{escape(labels.get(name, name))}</th><td>{escape(why)}</td></tr>'
        for name, why in report.evaluation.left_out.items()
    )
    return section("Not measured", card(table("", rows, "Not measured"))) if rows else ""


def _pictures(report: Report) -> str:
    cards = []
    for picture in report.pictures:
        said = f"<h3>{escape(picture.title)}</h3>" + f'<p class="soft">{escape(picture.caption)}</p>'
        width, height = struct.unpack(">II", picture.png[16:24])  # of the header, so that nothing jumps
        data = b64encode(picture.png).decode("ascii")
        image = f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{_plain(picture)}">'
        cards.append(f'<figure class="card"><figcaption>{said}</figcaption>{scroll(image, picture.title)}</figure>')
    return section("Pictures", f'<div class="pictures">{"".join(cards)}</div>') if cards else ""


def _classes(report: Report) -> str:
    rows = report.classes
    if not rows:
        return ""
    farthest = sorted(range(len(rows)), key=lambda i: -abs(rows[i].generated - rows[i].reference))[:SHOWN]
    shown = [rows[i] for i in sorted(farthest)]
    title = "Share of each class" if len(shown) == len(rows) else f"The {len(shown)} classes farthest from their share"
    shares = {"generated": [row.generated for row in shown], "reference": [row.reference for row in shown]}
    chart = charts.bars(title, [row.name for row in shown], shares, "share of images", percent=True)
    table = card(_class_table(rows))
    return section("Classes", f'<div class="charts">{card(chart)}{table}</div>')


def _class_table(rows: Sequence[ClassRow]) -> str:
    names = ["Generated", "Reference"] + (["FID"] if any(row.fid is not None for row in rows) else [])
    head = "".join(f'<th scope="col" class="number">{name}</th>' for name in names)
    body = []
    for row in rows:
        cells = [_share(row.generated), _share(row.reference), _value(row.fid)][: len(names)]
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        body.append(f'<tr><th scope="row">{escape(row.name)}</th>{numbers}</tr>')
    return table(f'<tr><th scope="col">Class</th>{head}</tr>', "".join(body), "Classes", "tall")


def _curves(report: Report) -> str:
    curves = [card(charts.lines(c.title, c.x_label, c.x, c.series, c.log)) for c in report.curves]
    return section("Training", f'<div class="charts">{"".join(curves)}</div>') if curves else ""


def _protocol(report: Report) -> str:
    if report.evaluation.protocol == Protocol():
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td>{_value(value)}</td></tr>'
        for name, value in asdict(report.evaluation.protocol).items()
    )
    return section("Protocol", card(table("", rows, "Protocol")))


def _plain(picture: Picture) -> str:
    return escape(f"{picture.title}: {picture.caption}" if picture.caption else picture.title)


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"


def _value(value: object) -> str:
    """A value as escaped text."""
    if value is None:
        return "–"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return escape(charts.number(value))
    return escape(str(value))
