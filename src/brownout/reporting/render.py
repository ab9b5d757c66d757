"""Write a report: HTML, Markdown and JSON from one set of data."""

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from brownout.domain.encoding import visible
from brownout.domain.metrics import Catalogue
from brownout.domain.night import Night
from brownout.reporting.anchors import anchor
from brownout.reporting.document import report_json, report_of
from brownout.reporting.glossary import Glossary
from brownout.reporting.markdown import escape_markdown, inline_code
from brownout.reporting.messages import Language, Messages
from brownout.reporting.numbers import clock, date, figure, iso, percent, span
from brownout.reporting.owners_names import named, owners_names
from brownout.reporting.page_data import page_data, safe_json
from brownout.reporting.report import Report
from brownout.store.atomic import atomic_path

__all__ = ["render", "render_html", "render_markdown"]

SCRIPTS = ("uPlot.iife.min.js", "page/base.js", "page/chart.js", "page/tables.js", "page/entity.js", "page/main.js")
STYLES = ("uPlot.min.css", "page/page.css")
DAY_S = 86_400


def render(night: Night, folder: Path, *, language: Language = "en", record: bool = True) -> Report:
    """Write ``index.html``, ``report.md`` and ``report.json`` of a night into a folder; returns the report.

    Without ``record`` no ``report.json``. All are made before the first is put in place, and each is put there whole.
    """
    report = report_of(night, language)
    text = report_json(report)
    data = json.loads(text)
    texts = {"index.html": _page(data), "report.md": _text(data), **({"report.json": text} if record else {})}
    with ExitStack() as stack:
        parts = {name: stack.enter_context(atomic_path(folder / name)) for name in texts}
        for name, part in parts.items():
            part.write_text(texts[name], encoding="utf-8", errors="backslashreplace")
    return report


def render_html(report: Report) -> str:
    """One self-contained page: style, script and data are inside, nothing is loaded from anywhere."""
    return _page(json.loads(report_json(report)))


def render_markdown(report: Report) -> str:
    """The same in short, for a terminal, a mail or a ticket."""
    return _text(json.loads(report_json(report)))


def _page(data: Mapping[str, Any]) -> str:
    """The page of what ``report.json`` holds: what it shows cannot differ from that."""
    script, style = ("\n".join(map(_asset, names)) for names in (SCRIPTS, STYLES))
    template = _environment(data, html=True).get_template("page/page.html.j2")
    return template.render(
        report=data,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        data=Markup(safe_json(page_data(data, Messages.of(data["language"])))),  # noqa: S704 - escaped
    )


def _text(data: Mapping[str, Any]) -> str:
    return _environment(data, html=False).get_template("report.md.j2").render(report=data)


def _environment(data: Mapping[str, Any], *, html: bool) -> Environment:
    """Templates in which names are text, metrics have titles, and terms are explained."""
    say = Messages.of(data["language"])
    known = {name: metric.label for name, metric in Catalogue.load().metrics.items()}
    titles = known | {name: metric.get("title", name) for name, metric in data["metrics"].items()}
    kinds = {entity.get("kind", "") for entity in data["topology"]}
    glossary = Glossary({name: say(title) for name, title in titles.items()}, kinds, say)
    environment = Environment(
        loader=PackageLoader("brownout.reporting", "assets"),
        autoescape=html,  # noqa: S701 - Markdown has an escape of its own, in finalize
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible if html else escape_markdown,
        bytecode_cache=_compiled(html=html, language=say.language),
    )
    called = owners_names(data["topology"])
    environment.globals |= {"glossary": glossary, "_": say, "days": _days, "called": called}
    environment.filters |= {"called": lambda name: called.get(name, name), "named": partial(named, called)}
    environment.filters |= {"figure": figure, "percent": percent, "code": inline_code, "seconds": _seconds}
    environment.filters |= {
        "clock": partial(clock, language=say.language),
        "date": partial(date, language=say.language),
        "span": partial(span, language=say.language),
    }
    environment.filters |= {"anchor": partial(anchor, "e"), "when": partial(_when, say=say)}
    environment.filters |= {"plain": glossary.plain, "gloss": glossary.mark if html else glossary.note}
    environment.filters["day_of"] = lambda seconds: clock(f"{_iso(seconds)}", say.language).rpartition(" ")[0]
    return environment


class _Compiled(BytecodeCache):
    """Templates compiled once a process: compiling them takes longer than filling them in for a small fleet."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template the code that its source was compiled to before."""
        bucket.code = self.codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what a template was compiled to."""
        self.codes[bucket.key, bucket.checksum] = bucket.code


@cache
def _compiled(*, html: bool, language: str) -> _Compiled:
    """Compiled templates for a format and a language: constants in them are written out when they are compiled."""
    del html, language
    return _Compiled()


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _when(time: str | None, kind: str = "", *, say: Messages, after: str = "") -> Markup | str:
    """A time of the page, which its script shows as local time too; only the hour where it is on the day of another."""
    if time is None:
        return clock(time)
    text = clock(time, say.language)
    same = after and clock(after, say.language).rpartition(" ")[0] == text.rpartition(" ")[0]
    shown = text.rpartition(" ")[2] if same else f"{text} UTC" if kind else text
    extra = Markup(' class="{}"').format(kind) if kind else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(iso(time), extra, shown)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _days(start: float, end: float) -> list[float]:
    """Midnights between two times, at most eight of them."""
    first = -(-start // DAY_S) * DAY_S
    step = max(1, -(-int(end - first) // (8 * DAY_S))) * DAY_S
    return [first + step * number for number in range(int((end - first) // step) + 1)] if end >= first else []


def _asset(name: str) -> str:
    return files("brownout.reporting").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")
