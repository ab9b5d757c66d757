"""A night as HTML, Markdown and JSON.

``render`` writes all three into a folder, ``load_night`` reads a night back from its ``report.json``, so that any
stored night can be rendered again; ``report_of`` gives the data of the page, ``report_schema`` the contract of
``report.json``.
"""

from brownout.reporting.document import load_night, report_json, report_of, report_schema
from brownout.reporting.render import render, render_html, render_markdown
from brownout.reporting.report import SCHEMA_ID, SCHEMA_VERSION, Report
from brownout.reporting.validation import report_problems

__all__ = [
    "SCHEMA_ID",
    "SCHEMA_VERSION",
    "Report",
    "load_night",
    "render",
    "render_html",
    "render_markdown",
    "report_json",
    "report_of",
    "report_problems",
    "report_schema",
]
