"""Pages and cards by the templates beside this file. A page stands alone, asks for nothing and runs nothing."""

from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from ganflow.report import charts

# Nothing but what stands in the page: what is forgotten to be escaped could still neither run nor load.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def template(name: str) -> Template:
    """The template; one of ``.html.j2`` escapes what it is given, unless that is :class:`markupsafe.Markup`."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    templates = Environment(
        loader=PackageLoader("ganflow.report"),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = charts.STYLE + resources.files("ganflow.report").joinpath("page.css").read_text(encoding="utf-8")
    templates.globals |= {"policy": Markup(POLICY), "style": Markup(style)}
    templates.filters |= {"value": value, "share": share, "number": charts.number}
    return templates


def value(fact: object) -> str:
    """A value as text."""
    if isinstance(fact, int | float) and not isinstance(fact, bool):
        return charts.number(fact)
    return "–" if fact is None else str(fact)


def share(part: float) -> str:
    """A share of one in percent."""
    return f"{100 * part:.2f} %"
