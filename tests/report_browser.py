"""A report in a real Chromium, for the tests of its page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

__all__ = ["CHROMIUM", "SIZES", "chromium", "needs_chromium", "opened"]

CHROMIUM = os.environ.get("BROWNOUT_CHROMIUM") or shutil.which("chromium") or ""
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt install chromium, or set BROWNOUT_CHROMIUM")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
SIZES = {"laptop": (1366, 768), "phone": (390, 844)}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def opened(  # noqa: PLR0913 - a page in all its forms
    browser: Browser, report: Path, *, size: str = "laptop", scheme: str = "light", anchor: str = "", zone: str = "UTC"
) -> tuple[Page, list[str]]:
    """The page with all of its charts drawn, and what went wrong while it was opened offline."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id=zone,
        offline=True,
    )
    page = context.new_page()
    wrong: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            wrong.append(request.url)

    page.on("request", asked)
    page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.goto(report.as_uri() + anchor)
    page.evaluate("charts.drawAll()")
    page.wait_for_selector(".uplot canvas", state="attached")
    return page, wrong
