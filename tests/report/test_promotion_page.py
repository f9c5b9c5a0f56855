import json
from html.parser import HTMLParser

from ganflow.config.schema import PromotionConfig
from ganflow.evaluation.gate import Contender, judge
from ganflow.evaluation.metrics.base import Measurement
from ganflow.evaluation.outcome import Protocol
from ganflow.report.html import POLICY
from ganflow.report.promotion_page import Record, as_json, lines, page

GATE = PromotionConfig(limits={"coverage": 0.02}, latency=None)
PROTOCOL = Protocol(samples=100, reference="train", reference_samples=50, extractor="<script>alert(1)</script>")
HOSTILE = "<img src=http://outside.test>"


def values(fid: float) -> Contender:
    figures = {"fid": Measurement(fid, fid - 0.1, fid + 0.1), "coverage": Measurement(1.0)}
    return Contender(figures, {}, PROTOCOL)


def record(fid: float) -> Record:
    decision = judge(GATE, values(fid), values(1.0), None)
    return Record("digits", 4, 3, decision, GATE, values(fid), values(1.0), "2026-11-21T10:00:00.000Z", HOSTILE)


class Seen(HTMLParser):
    """The tags of a page and the rows of its table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        if self.rows and data.strip():
            self.rows[-1].append(data.strip())


def test_the_page_has_the_figures_of_both_and_runs_nothing() -> None:
    text = page(record(0.5))
    seen = Seen(text)
    assert ["fid", "0.5", "1", "-0.5 ± 0.14", "challenger"] in seen.rows
    assert not {"img", "script"} & {*seen.tags}
    assert POLICY in text
    assert "<h1>digits version 4 is champion, in place of version 3</h1>" in text
    assert text.count('<li class="good">') == 2
    assert '<li class="bad"><b>!</b>fid is not better by more than noise' in page(record(1.0))


def test_lines_and_json_say_the_same() -> None:
    refused = record(0.95)
    data = json.loads(as_json(refused))
    assert data["decision"] == "refused"
    assert data["reasons"] == refused.decision.reasons
    assert [line for line in lines(refused) if line.startswith("FAILS")] == [f"FAILS  fid       {data['reasons'][0]}"]
    assert refused.verdict == f"refused: digits version 4 does not become champion: {data['reasons'][0]}"
    assert data["measured"]["fid"] == 0.95
    assert data["against"]["fid_high"] == 1.1
