"""What a reader does with a report: search, sort, filter, open the page of a guest, walk along a chart, copy."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nights import HOSTILE, driven, hours, night
from playwright.sync_api import Browser, Page
from report_browser import chromium, needs_chromium, opened

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings.experience import Experience
from brownout.domain.findings.service_levels import ConsoleHistory, ConsoleService, Level
from brownout.domain.forecasts import Series
from brownout.reporting import render
from brownout.reporting.anchors import anchor

pytestmark = needs_chromium
CONSOLE = f"{HOSTILE}/console"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    made = driven(night(HOSTILE))
    more = [Entity(id=f"guest{n:03}", kind="vm", parent="kvm2") for n in range(120)]
    levels = (Level(series=Series(HOSTILE, "vm_cpu_pct"), now=12.5, usual=10.0, busy=71.25, limit=90.0),)
    latency = ConsoleHistory(
        console=CONSOLE, start=hours(0), step_s=1800, values=np.linspace(20, 200, 48, dtype=np.float32)
    )
    whole = replace(made, topology=Topology.of([*made.topology, *more]), levels=levels, histories=(latency,))
    render(whole, folder)
    return folder / "index.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened_browser:
        yield opened_browser


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    page, wrong = opened(browser, report)
    yield page
    assert wrong == []
    page.context.close()


def test_search_finds_by_a_part_of_the_name_and_enter_opens_its_page(page: Page) -> None:
    page.fill("#search", "UEST07")
    assert page.locator("#hits a").all_inner_texts() == [f"guest07{n} guest" for n in range(10)]
    page.fill("#search", "guest077")
    page.press("#search", "Enter")
    assert page.locator("#entity h2").inner_text().startswith("guest077")
    page.fill("#search", "no such thing")
    assert page.inner_text("#hits") == "Nothing found."


def test_a_page_of_a_guest_says_what_is_known_about_it(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report, anchor=f"#{anchor('e', HOSTILE)}")
    shown = page.locator("#entity")
    assert HOSTILE in shown.locator("h2").inner_text()
    text = shown.inner_text()
    assert "Belongs to: kvm1" in text
    assert "Below it: " + CONSOLE in text
    assert "Guest CPU use" in text
    assert "71.3 %" in text
    assert "Guest memory usable" in text, "the limit that it will cross"
    assert "Restart the process that leaks" in text, "what to do"
    assert shown.locator(".uplot canvas").count() == 1, "the latency of its console"
    page.locator("#entity a", has_text=CONSOLE).first.click()
    assert CONSOLE in shown.locator("h2").inner_text()
    page.keyboard.press("Escape")
    assert shown.is_hidden()
    assert wrong == []


def test_a_page_of_a_console_needs_no_scrolling_aside_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    felt = Experience(
        score=61.0, task="typing", typing=61.0, scrolling=80.0, video=70.0, network_ms=1.0, hypervisor_ms=40.0,
        guest_ms=30.0, encoder_ms=9.0,
    )  # fmt: skip
    service = ConsoleService(
        console="vm1/console", mean_ms=90.0, crisp=0.8, annoying=0.0, frames_per_s=20.0, failed=(), experience=felt
    )
    render(replace(driven(night()), services=(service,)), tmp_path)
    page, _ = opened(browser, tmp_path / "index.html", size="phone", anchor=f"#{anchor('e', 'vm1/console')}")
    assert "61" in page.locator("#experience").inner_text()
    boxes = "[...document.querySelectorAll('#entity .scroll')]"
    assert page.evaluate(f"{boxes}.filter((box) => box.scrollWidth > box.clientWidth + 1).length") == 0


def test_the_fleet_is_worst_first_and_shows_more_when_asked(page: Page) -> None:
    rows = page.locator("#fleet-table tbody tr")
    assert rows.count() == 50
    assert page.locator("#fleet-table .state").first.inner_text() == "incident"
    page.click("#fleet-list > button")
    assert rows.count() == 124
    page.select_option("#fleet select >> nth=0", "host")
    assert rows.locator("th").all_inner_texts() == ["kvm1", "kvm2"]
    page.select_option("#fleet select >> nth=0", "")
    page.fill("#fleet input", "guest11")
    assert rows.count() == 10
    page.locator("#fleet-table th button", has_text="Name").click()
    page.locator("#fleet-table th button", has_text="Name").click()
    assert rows.locator("th").first.inner_text() == "guest119"


def test_tables_sort_by_number_and_by_time(page: Page) -> None:
    head = page.locator("#forecast th", has_text="Probability")
    head.locator("button").click()
    cells = page.locator("#forecast tbody td.probability").all()
    numbers = [float(cell.get_attribute("data-sort") or "nan") for cell in cells]
    assert len(set(numbers)) > 1
    assert numbers == sorted(numbers)
    assert head.get_attribute("aria-sort") == "ascending"


def test_a_chart_is_walked_with_keys_and_read_as_a_table(page: Page) -> None:
    chart = page.locator("#forecast .chart").first
    chart.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert "03-16 01:00" in chart.locator(".u-legend").inner_text()
    page.keyboard.press("Shift+ArrowRight")
    assert "03-16 06:00" in chart.locator(".u-legend").inner_text()
    chart.locator("summary").click()
    rows = chart.locator(".values tbody tr")
    assert rows.count() == 72
    assert rows.nth(2).inner_text().split()[:3] == ["03-16", "01:00", "59.8"]


def test_copying_gives_the_command_as_it_stands(browser: Browser, report: Path) -> None:
    page, wrong = opened(browser, report)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator("#first .command .copy").first
    command = page.locator("#first .command code").first.text_content()
    button.click()
    assert button.inner_text() == "copied"
    assert page.evaluate("navigator.clipboard.readText()") == command
    assert wrong == []


def test_local_time_stands_beside_utc(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report, zone="Asia/Shanghai")
    shown = page.locator(".until time")
    assert "Tue 17 Mar 00:00 UTC" in shown.inner_text()
    assert "08:00" in shown.inner_text()
    assert "04:00" in (page.locator(".who time").first.get_attribute("title") or "")


def test_links_of_the_first_screen_lead_to_what_they_name(page: Page) -> None:
    for link in page.locator(".who a").all():
        target = (link.get_attribute("href") or "")[1:]
        known = page.evaluate(
            "(id) => !!document.getElementById(id) || page.data.entities.some((e) => e[0] === id)", target
        )
        assert known, target
