"""The card of a training as one self-contained HTML page: no script, nothing is loaded from anywhere."""

import base64
import hashlib
import math
from functools import cache
from importlib.resources import files

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from brownout.domain.encoding import visible
from brownout.reporting.messages import Messages
from brownout.reporting.model_card.card_content import CardContent
from brownout.reporting.numbers import figure, percent, span

__all__ = ["CARD_PAGE", "CARD_PLOTS", "card_page", "card_plots"]

CARD_PAGE = "card.html"
RESIDUALS, DRIFT, RELIABILITY = "residuals.svg", "drift.svg", "reliability.svg"
CARD_PLOTS = (RESIDUALS, DRIFT, RELIABILITY)
STYLES = ("page/page.css", "card/card.css")
PLOT_RANGE = (0.5, 2.0)
"""Ratios that the plot of paired tests shows, on a logarithmic scale."""


def card_page(content: CardContent) -> str:
    """The page; names from telemetry are text in it."""
    style = "\n".join(
        files("brownout.reporting").joinpath("assets", *name.split("/")).read_text("utf-8") for name in STYLES
    )
    return (
        _environment()
        .get_template("card/card.html.j2")
        .render(
            card=content,
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        )
    )


def card_plots(content: CardContent) -> dict[str, str]:
    """The plots of residuals, of drift and of chances as SVG files by name; only those that show anything."""
    template = _environment().get_template("card/plot.svg.j2")
    bins = content.chances.bins if content.chances else ()
    shown = {RESIDUALS: content.residuals, DRIFT: content.drifts, RELIABILITY: bins}
    rendered = {
        name: template.render(card=content, which=name.partition(".")[0]) for name, bars in shown.items() if bars
    }
    return {name: text.strip() + "\n" for name, text in rendered.items()}


@cache
def _environment() -> Environment:
    """Templates of cards, compiled once a process."""
    environment = Environment(
        loader=PackageLoader("brownout.reporting", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.globals |= {"_": Messages.of("en")}
    environment.filters |= {
        "figure": figure,
        "percent": percent,
        "span": span,
        "ratio": _ratio,
        "plot_position": _plot_position,
    }
    environment.filters |= {"moment": _moment, "chance": _chance}
    return environment


def _ratio(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _moment(time: np.datetime64) -> str:
    return f"{str(time.astype('datetime64[m]')).replace('T', ' ')} UTC"


def _chance(value: float) -> str:
    return "–" if not math.isfinite(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _plot_position(ratio: float) -> float:
    """Where a ratio lies on the plot, 0 … 100."""
    low, high = (math.log(end) for end in PLOT_RANGE)
    value = math.log(ratio) if ratio > 0 and math.isfinite(ratio) else high
    return 100 * min(max((value - low) / (high - low), 0.0), 1.0)
