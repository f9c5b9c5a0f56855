"""What every page is made of. A page stands alone, asks for nothing and runs nothing."""

from collections.abc import Iterable
from html import escape
from importlib import resources

from ganflow.report import charts

# Nothing but what stands in the page: what is forgotten to be escaped could still neither run nor load.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, body: str) -> str:
    """A whole page; ``body`` is markup, ``title`` text."""
    style = charts.STYLE + resources.files("ganflow.report").joinpath("page.css").read_text(encoding="utf-8")
    # Without an icon of its own a page asks its server for one.
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def marked(told: Iterable[tuple[bool, str]]) -> str:
    """Sentences, each with a mark that says whether that is good."""
    marks = {True: ("good", "✓"), False: ("bad", "!")}
    items = (f'<li class="{marks[good][0]}"><b>{marks[good][1]}</b>{escape(text)}</li>' for good, text in told)
    return f'<ul class="verdicts">{"".join(items)}</ul>'


def section(title: str, content: str) -> str:
    """A part of the page with its heading."""
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>"


def card(content: str) -> str:
    """A box of its own."""
    return f'<div class="card">{content}</div>'


def table(head: str, rows: str, label: str, kind: str = "scroll") -> str:
    """Rows beneath a head, which may be empty, in a box that scrolls."""
    top = f"<thead>{head}</thead>" if head else ""
    return scroll(f"<table>{top}<tbody>{rows}</tbody></table>", label, kind)


def scroll(content: str, label: str, kind: str = "scroll") -> str:
    """A box that scrolls by itself, by the keyboard too."""
    return f'<div class="{kind}" role="region" aria-label="{escape(label)}" tabindex="0">{content}</div>'
