"""The report in a real Chromium: no error, nothing from the network, charts that are drawn."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from nights import HOSTILE, driven, night
from playwright.sync_api import Browser
from report_browser import SIZES, chromium, needs_chromium, opened

from brownout.reporting import render

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened_browser:
        yield opened_browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    render(driven(night(HOSTILE)), folder)
    return folder / "index.html"


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_offline_without_an_error_and_fits_the_screen(
    browser: Browser, report: Path, size: str, scheme: str
) -> None:
    page, wrong = opened(browser, report, size=size, scheme=scheme)
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert page.locator(".chart").count() == page.locator(".uplot canvas").count() == 4


@pytest.mark.parametrize("size", sorted(SIZES))
def test_what_goes_on_is_in_sight_on_the_timeline(browser: Browser, report: Path, size: str) -> None:
    """It lies at the end of the time shown: nobody has to scroll to it."""
    page, _ = opened(browser, report, size=size)
    bar = page.locator(".timeline rect.now").first.bounding_box()
    assert bar
    assert bar["x"] >= 0
    assert bar["x"] + bar["width"] <= SIZES[size][0]
    name = page.locator(".timeline .who-is").first.bounding_box()
    assert name
    assert name["width"] > 120


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_against_its_ground(browser: Browser, report: Path, scheme: str) -> None:
    """WCAG AA: a contrast of at least 4.5 for body, dim and accent text."""
    page, _ = opened(browser, report, scheme=scheme)
    ratios = page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const light = (hex) => {
            const n = hex.length === 4 ? [...hex.slice(1)].map((c) => c + c).join("") : hex.slice(1);
            return [0, 2, 4].map((i) => parseInt(n.slice(i, i + 2), 16) / 255)
              .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
              .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          };
          const of = (name) => light(style.getPropertyValue(name).trim());
          const pairs = [["--ink", "--card"], ["--dim", "--card"], ["--dim", "--paper"], ["--accent", "--card"],
                         ["--bad", "--bad-soft"], ["--warn", "--warn-soft"], ["--good", "--good-soft"],
                         ["--dim", "--code"]];
          return Object.fromEntries(pairs.map(([a, b]) => {
            const [x, y] = [of(a), of(b)].sort((p, q) => q - p);
            return [a + " on " + b, (x + 0.05) / (y + 0.05)];
          }));
        }"""
    )
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


def test_charts_hold_measured_values_band_and_limit(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    inks = page.evaluate(
        """() => [...document.querySelectorAll("#forecast .uplot canvas")].map((canvas) => {
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          const seen = new Set();
          for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 40)
            seen.add(data[i] > 150 && data[i + 2] < 120 ? "warm"
                     : data[i + 2] > 150 && data[i] < 120 ? "blue" : "grey");
          return [...seen].sort();
        })"""
    )
    assert inks == [["blue", "grey", "warm"]] * 2


def test_charts_follow_the_size_of_the_window(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report)
    page.set_viewport_size({"width": 500, "height": 800})
    for chart in page.locator(".chart").all():
        if chart.is_visible():  # a chart follows when it comes near the screen
            chart.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert page.evaluate("[...document.querySelectorAll('.uplot')].every((u) => u.clientWidth <= 500)")
    assert wrong == []


def test_the_reliability_diagram_is_drawn_within_its_frame_and_read_aloud(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report)
    diagram = page.get_by_role("img", name="Reliability diagram of the chances to cross a limit")
    assert diagram.count() == 1
    outside = page.evaluate(
        """() => {
          const frame = document.querySelector(".reliability").getBoundingClientRect();
          return [...document.querySelectorAll(".reliability text, .reliability circle")].filter((item) => {
            const box = item.getBoundingClientRect();
            return !box.width || box.left < frame.left - 1 || box.right > frame.right + 1
              || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
          }).map((item) => item.textContent);
        }"""
    )
    assert outside == []
    # Dots lie where the counts say: 95 % said, 75 % came true.
    places = page.evaluate(
        """() => {
          const box = (item) => {
            const r = item.getBoundingClientRect();
            return [r.x + r.width / 2, r.y + r.height / 2];
          };
          const ideal = document.querySelector(".reliability .ideal").getBoundingClientRect();
          return [...document.querySelectorAll(".reliability .dot")].map(box)
            .map(([x, y]) => [(x - ideal.left) / ideal.width, (ideal.bottom - y) / ideal.height]);
        }"""
    )
    assert places[-1] == pytest.approx([0.95, 0.75], abs=0.01)
    assert page.locator(".reliability desc").text_content().count("came true") == 2  # type: ignore[union-attr]
    assert "worse" in page.inner_text("#skill")
    assert wrong == []


def test_what_drives_a_breach_stands_beside_it(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    rows = page.locator(".drivers")
    assert rows.count() == 1
    assert "74 ms (62 %) Host CPU busy of kvm1: 93 %, usually 61 %" in rows.nth(0).inner_text()
    assert page.inner_text("#forecast").count("part of an incident") >= 1


def test_hostile_names_are_shown_as_text(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report)
    assert wrong == []
    assert HOSTILE in page.inner_text("#forecast table")


def test_terms_explain_themselves_where_they_stand_and_in_the_glossary(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report)
    marked = page.locator("#incidents abbr[title]")
    assert marked.count() > 0
    assert len(marked.first.get_attribute("title") or "") > 20
    listed = page.locator("#glossary dt").all_inner_texts()
    assert {"host", "guest", "severity", "LSTM"} <= set(listed)
    assert wrong == []


def test_a_phone_keeps_probability_and_time_of_a_breach_in_view(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report, size="phone")
    cells = page.locator("#forecast .stacks tbody tr").first.locator("td")
    cells.first.scroll_into_view_if_needed()
    boxes = [cells.nth(place).bounding_box() for place in range(cells.count())]
    assert len(boxes) == 6
    assert all(box and box["width"] > 0 and box["x"] + box["width"] <= SIZES["phone"][0] for box in boxes)


def test_a_page_of_a_slow_console_says_which_on_the_first_screen(browser: Browser, tmp_path: Path) -> None:
    render(night(), tmp_path)
    page, wrong = opened(browser, tmp_path / "index.html")
    tile = page.locator("#tile-consoles")
    box = tile.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < SIZES["laptop"][1]
    assert "slowest vm1/console 182 ms, limit 150 ms" in tile.inner_text()
    assert wrong == []


def test_control_characters_of_names_are_shown_as_escapes(browser: Browser, tmp_path: Path) -> None:
    render(driven(night("red\x1b[31m\x07\x00\u202egnp")), tmp_path)
    page, wrong = opened(browser, tmp_path / "index.html")
    shown = page.inner_text("body")
    assert r"red\x1b[31m\x07\x00\u202egnp" in shown
    assert not set(shown) & set("\x1b\x07\x00\u202e\ufffd")
    assert wrong == []


def test_printing_opens_what_is_closed_and_comes_back(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report, scheme="dark")
    page.evaluate("document.querySelectorAll('.incident').forEach((d) => { d.open = false; })")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".incident:not([open])").count() == 0
    assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--ink').trim()") == "#1a1f27"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".incident[open]").count() == 0
    assert len(page.pdf()) > 20_000
    assert wrong == []


def test_a_report_without_consoles_has_no_console_part(browser: Browser, tmp_path: Path) -> None:
    from dataclasses import replace

    from brownout.domain.entities import Topology

    whole = night()
    plain = replace(
        whole,
        latency=None,
        topology=Topology.of([entity for entity in whole.topology if entity.kind == "host"]),
        diagnoses=(),
        episodes=(),
        actions=(),
        breaches=(),
        charts={},
    )
    render(plain, tmp_path)
    page, wrong = opened(browser, tmp_path / "index.html")
    assert wrong == []
    assert page.locator("#latency").count() == 0
    assert "console" not in page.inner_text(".tiles").lower()
