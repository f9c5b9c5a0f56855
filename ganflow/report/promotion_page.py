"""The gate's decision about a challenger: for programs as JSON, for people as lines and as a page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ganflow import records
from ganflow.config.schema import PromotionConfig
from ganflow.config.validation import LATENCY
from ganflow.evaluation.gate import Contender, Decision
from ganflow.evaluation.significance import compare
from ganflow.report import comparison_table, metrics_file
from ganflow.report.html import template

MARKS = {True: "holds", False: "FAILS"}


@dataclass(frozen=True)
class Record:
    """A decision with all that led to it."""

    name: str  # of the registered model
    challenger: int
    champion: int | None
    decision: Decision
    gate: PromotionConfig
    measured: Contender  # the challenger
    against: Contender | None  # the champion
    when: str = ""
    by: str = ""

    @property
    def verdict(self) -> str:
        """The decision in one line."""
        which = f"{self.name} version {self.challenger}"
        alias, old = self.gate.alias, "" if self.champion is None else f", in place of version {self.champion}"
        if self.decision.promoted:
            return f"promoted: {which} is {alias}{old}"
        return f"refused: {which} does not become {alias}: {'; '.join(self.decision.reasons)}"


def as_json(record: Record) -> str:
    """All of it."""
    against = None if record.against is None else _values(record.against)
    values = asdict(record) | {"measured": _values(record.measured), "against": against}
    values |= {"decision": "promoted" if record.decision.promoted else "refused", "reasons": record.decision.reasons}
    return records.text(values | {"checks": record.decision.checks})


def lines(record: Record) -> list[str]:
    """Both models' figures, then the checks."""
    head = [f"challenger: {record.name} version {record.challenger}"]
    head.append(f"champion:   {_champion(record)}")
    width = max((len(check.figure) for check in record.decision.checks), default=0)
    checks = [f"{MARKS[c.holds]}  {c.figure:{width}s}  {c.why}" for c in record.decision.checks]
    return [*head, "", *comparison_table.columns(_rows(record)), "", *checks, ""]


def page(record: Record) -> str:
    """A page that stands alone and runs nothing."""
    title = record.verdict.partition(": ")[2].partition(":")[0]
    head, *rows = _rows(record)
    checks = [(check.holds, check.why) for check in record.decision.checks]
    return template("promotion.html.j2").render(title=title, record=record, checks=checks, head=head, rows=rows)


def _champion(record: Record) -> str:
    if record.champion is None:
        return "none yet, so promotion.first says what a first one must reach"
    return f"{record.name} version {record.champion}"


def _rows(record: Record) -> list[Sequence[str]]:
    """Figures of both, with the difference and its noise; of a challenger alone what it has."""
    if record.against is None:
        figures = metrics_file.without_bounds(record.measured.figures)
        values = figures | asdict(record.measured.protocol) | _more(record.measured)
        return [("", "challenger"), *((name, comparison_table.text(value)) for name, value in values.items())]
    return comparison_table.rows(compare(record.measured, record.against), "challenger", "champion")


def _values(side: Contender) -> dict[str, object]:
    return metrics_file.contents(side) | _more(side)


def _more(side: Contender) -> dict[str, object]:
    """The facts about a contender besides its evaluation."""
    return {"data": side.data, LATENCY: side.latency_ms, "latency_batch": side.latency_batch}
