"""Write a report: HTML, Markdown and JSON from one set of data."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from brownout.domain.findings import UNKNOWN
from brownout.domain.night import Night
from brownout.reporting import schema
from brownout.reporting.markdown import escape_markdown, inline_code
from brownout.reporting.numbers import clock, figure, percent, span
from brownout.reporting.report_data import report_of
from brownout.store.atomic import write_text

__all__ = ["first_actions", "render_html", "render_markdown", "write_report"]

FIRST = 6
"""Actions in the list of what to do first: as many as somebody does before lunch."""


def write_report(night: Night, folder: Path) -> schema.Report:
    """Write ``index.html``, ``report.md`` and ``report.json``, each whole or not at all; returns the data."""
    report = report_of(night)
    write_text(folder / "report.json", report.model_dump_json(indent=1))
    write_text(folder / "report.md", render_markdown(report))
    write_text(folder / "index.html", render_html(report))
    return report


def render_html(report: schema.Report) -> str:
    """One self-contained page: style, script and data are inside, nothing is loaded from anywhere."""
    script = _asset("uPlot.iife.min.js") + "\n" + _asset("report.js")
    style = _asset("uPlot.min.css") + "\n" + _asset("report.css")
    template = _environment(html=True).get_template("index.html.j2")
    return template.render(
        report=report,
        first=first_actions(report),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        charts=Markup(_json({chart.id: chart.model_dump() for chart in _charts(report)})),  # noqa: S704 - escaped
    )


def render_markdown(report: schema.Report) -> str:
    """The same for a terminal, a mail or a ticket; without charts."""
    return _environment(html=False).get_template("report.md.j2").render(report=report, first=first_actions(report))


def first_actions(report: schema.Report) -> list[schema.Action]:
    """What to do first: for open incidents, for breaches, then for the worst of what is over; each thing once."""
    ongoing = [action for incident in report.incidents if incident.open for action in incident.actions[:1]]
    over = [action for incident in report.incidents if not incident.open for action in incident.actions[:1]]
    known = [action for action in over if action.cause != UNKNOWN]
    ordered = {(action.title, action.entity): action for action in reversed([*ongoing, *report.actions, *known])}
    return list(reversed(ordered.values()))[:FIRST]


def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("brownout.reporting", "assets"),
        autoescape=html,  # noqa: S701 - Markdown has an escape of its own, in finalize
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=None if html else escape_markdown,
    )
    environment.filters |= {"clock": clock, "figure": figure, "percent": percent, "span": span, "code": inline_code}
    return environment


def _charts(report: schema.Report) -> Iterator[schema.Chart]:
    groups: Sequence[Sequence[schema.Chart]] = [report.forecasts, *(incident.charts for incident in report.incidents)]
    for charts in groups:
        yield from charts
    if report.latency is not None:
        yield report.latency


def _asset(name: str) -> str:
    return files("brownout.reporting").joinpath("assets", name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
