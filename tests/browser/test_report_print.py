"""Print and PDF: nothing runs over the edge of the paper, and everything that was closed is there."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from nights import driven, night
from playwright.sync_api import Browser
from report_browser import chromium, needs_chromium, opened

from brownout.reporting import render

pytestmark = needs_chromium
LONG = "a-guest-with-a-name-that-is-far-too-long-for-any-column-of-any-table-and-has-no-place-to-break"
PAPER_PX = 703
"""Width of A4 between margins of 12 mm at 96 dots an inch."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened_browser:
        yield opened_browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    made = driven(night(LONG))
    long = replace(made.actions[1], command="ssh kvm1 'cat " + " ".join(["/proc/pressure/cpu"] * 30) + "'")
    render(replace(made, actions=(made.actions[0], long)), folder)
    return folder / "index.html"


def test_nothing_is_wider_than_the_paper(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_PX, "height": 1000})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    clipped = page.evaluate(
        """(width) => [...document.querySelectorAll("body *")].filter((node) => {
          const box = node.getBoundingClientRect();
          return box.width && (box.right > width + 1 || box.left < -1)
            && !node.closest("[hidden], script, style, .u-over, .u-under, .skip");
        }).map((node) => `${node.tagName}.${node.className} ${Math.round(node.getBoundingClientRect().right)}`)""",
        PAPER_PX,
    )
    assert clipped == []
    hidden = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((node) => {
          const style = getComputedStyle(node);
          return style.overflowX !== "visible" && node.scrollWidth > node.clientWidth + 1 && node.clientWidth;
        }).map((node) => node.tagName + "." + node.className)"""
    )
    assert hidden == []
    broken = page.evaluate(
        """() => [...document.querySelectorAll("td.num, td.probability, thead th")].filter((cell) => {
          const words = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), range = document.createRange();
          while (words.nextNode()) for (const found of words.currentNode.data.matchAll(/\\S+( (%|ms|min|h))?/g)) {
            range.setStart(words.currentNode, found.index);
            range.setEnd(words.currentNode, found.index + found[0].length);
            if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) return true;
          }
          return false;
        }).map((cell) => cell.textContent)"""
    )
    assert broken == []  # a number and its unit, and each word of a head, stand on one line
    assert page.locator("#fleet-list > button:visible").count() == 0
    assert wrong == []


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="no pdftotext: apt install poppler-utils")
def test_every_word_of_the_pdf_lies_on_the_paper(browser: Browser, report: Path, tmp_path: Path) -> None:
    page, _ = opened(browser, report)
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    boxes = subprocess.run(
        ["pdftotext", "-bbox", tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    width, height = (float(size) for size in re.findall(r'<page width="([\d.]+)" height="([\d.]+)"', boxes)[0])
    assert (round(width), round(height)) == (595, 842)
    words = re.findall(r'xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)<', boxes)
    outside = [
        word for left, top, right, low, word in words
        if float(left) < 0 or float(top) < 0 or float(right) > width or float(low) > height
    ]  # fmt: skip
    assert outside == []
    text = " ".join(word for *_, word in words)
    for said in ("Host CPU saturated", "Worked if", "Evidence", "Glossary"):
        assert said in text


def test_charts_are_on_the_paper(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    boxes = [canvas.bounding_box() for canvas in page.locator(".uplot canvas").all()]
    assert len(boxes) == 4
    assert all(box and box["width"] > 200 and box["height"] > 60 for box in boxes)
