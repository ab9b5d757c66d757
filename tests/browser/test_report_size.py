"""A report of a thousand guests is small enough to mail and opens at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from large_night import large_night
from playwright.sync_api import Browser
from report_browser import chromium, needs_chromium

from brownout.reporting import render

pytestmark = needs_chromium
LARGEST = 10_000_000
"""Bytes of the page."""
SLOWEST_S = 2.0
"""Processor time until the page is loaded and laid out."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened_browser:
        yield opened_browser


def test_a_thousand_guests_open_within_two_seconds(browser: Browser, tmp_path: Path) -> None:
    render(large_night(1000), tmp_path)
    page_file = tmp_path / "index.html"
    assert page_file.stat().st_size < LARGEST
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    profile = page.context.new_cdp_session(page)
    profile.send("Performance.enable")
    page.goto(page_file.as_uri(), wait_until="load")
    assert page.locator("#fleet-table tbody tr").count() == 50
    assert page.evaluate("document.querySelector('.who').getBoundingClientRect().height") > 0
    spent = {metric["name"]: metric["value"] for metric in profile.send("Performance.getMetrics")["metrics"]}
    assert 0 < spent["ThreadTime"] < SLOWEST_S, "the page's own thread; other work on the machine is not the page's"


def test_searching_a_thousand_guests_answers_while_one_types(browser: Browser, tmp_path: Path) -> None:
    render(large_night(1000), tmp_path)
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    took = page.evaluate(
        """() => {
          const field = document.querySelector("#fleet input");
          const start = performance.now();
          for (const text of ["v", "vm", "vm0", "vm09", "vm099"]) {
            field.value = text;
            field.dispatchEvent(new Event("input"));
          }
          return (performance.now() - start) / 5;
        }"""
    )
    assert page.locator("#fleet-table tbody tr").count() == 20, "ten guests and their consoles"
    assert took < 200, took
