"""Write a report: HTML, Markdown and JSON from one set of data."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from brownout.domain.encoding import visible
from brownout.domain.metrics import Catalogue
from brownout.domain.night import Night
from brownout.reporting.document import report_json, report_of
from brownout.reporting.glossary import Glossary
from brownout.reporting.markdown import escape_markdown, inline_code
from brownout.reporting.numbers import clock, figure, percent, span
from brownout.reporting.report import Report
from brownout.store.atomic import atomic_path

__all__ = ["render", "render_html", "render_markdown"]


def render(night: Night, folder: Path) -> Report:
    """Write ``index.html``, ``report.md`` and ``report.json`` of a night into a folder; returns the report.

    All three are made before the first one is put in place, and each is put in place whole.
    """
    report = report_of(night)
    text = report_json(report)
    data = json.loads(text)
    texts = {"index.html": _page(data), "report.md": _text(data), "report.json": text}
    with ExitStack() as stack:
        parts = {name: stack.enter_context(atomic_path(folder / name)) for name in texts}
        for name, part in parts.items():
            part.write_text(texts[name], encoding="utf-8", errors="backslashreplace")
    return report


def render_html(report: Report) -> str:
    """One self-contained page: style, script and data are inside, nothing is loaded from anywhere."""
    return _page(json.loads(report_json(report)))


def render_markdown(report: Report) -> str:
    """The same for a terminal, a mail or a ticket; without charts."""
    return _text(json.loads(report_json(report)))


def _page(data: Mapping[str, Any]) -> str:
    """The page of what ``report.json`` holds: what it shows cannot differ from that."""
    script = _asset("uPlot.iife.min.js") + "\n" + _asset("report.js")
    style = _asset("uPlot.min.css") + "\n" + _asset("report.css")
    template = _environment(data, html=True).get_template("index.html.j2")
    return template.render(
        report=data,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        charts=Markup(_json({chart["id"]: chart for chart in _charts(data)})),  # noqa: S704 - escaped
    )


def _text(data: Mapping[str, Any]) -> str:
    return _environment(data, html=False).get_template("report.md.j2").render(report=data)


def _environment(data: Mapping[str, Any], *, html: bool) -> Environment:
    """Templates in which names are text, metrics have titles, and terms are explained."""
    known = {name: metric.label for name, metric in Catalogue.load().metrics.items()}
    titles = known | {name: metric.get("title", name) for name, metric in data["metrics"].items()}
    glossary = Glossary(titles, {entity.get("kind", "") for entity in data["topology"]})
    environment = Environment(
        loader=PackageLoader("brownout.reporting", "assets"),
        autoescape=html,  # noqa: S701 - Markdown has an escape of its own, in finalize
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible if html else escape_markdown,
    )
    environment.globals["glossary"] = glossary
    environment.filters |= {"clock": clock, "figure": figure, "percent": percent, "span": span, "code": inline_code}
    environment.filters |= {"plain": glossary.plain, "gloss": glossary.mark if html else glossary.note}
    return environment


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _charts(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from data["forecasts"]
    for incident in data["incidents"]:
        yield from incident["charts"]
    if data["latency"] is not None:
        yield data["latency"]


def _asset(name: str) -> str:
    return files("brownout.reporting").joinpath("assets", name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
