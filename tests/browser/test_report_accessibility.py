"""The report under axe-core: nothing that shuts out people with keyboard, screen reader or strong contrast."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from nights import driven, hours, night
from playwright.sync_api import Browser
from report_browser import chromium, needs_chromium, opened

from brownout.domain.findings.earlier_night import EarlierIncident, EarlierNight
from brownout.reporting import render
from brownout.reporting.anchors import anchor

AXE = Path(__file__).parents[2] / ".ci" / "node" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    needs_chromium,
    pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm ci --prefix .ci/node"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened_browser:
        yield opened_browser


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["laptop", "phone"])
@pytest.mark.parametrize("about", ["", "vm1"])
def test_axe_finds_nothing(  # noqa: PLR0913 - a page in all its forms
    browser: Browser, tmp_path: Path, *, size: str, scheme: str, language: str, about: str
) -> None:
    gone = EarlierIncident(id="d0", title="Host CPU saturated", entity="kvm2", open=True)
    before = EarlierNight(end=hours(0), incidents=(gone,), breaches=(), slow=("vm1/console",))
    render(replace(driven(night()), before=before), tmp_path, language=language)  # type: ignore[arg-type]
    anchored = f"#{anchor('e', about)}" if about else ""
    page, wrong = opened(browser, tmp_path / "index.html", size=size, scheme=scheme, anchor=anchored)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    told = [
        (violation["id"], node["html"][:160], node["failureSummary"][:200])
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert told == [], "\n".join(map(str, told))
    assert wrong == []
