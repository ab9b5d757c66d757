"""What rises is said to cross its limit weeks ahead, on the right day, once, and nothing else is."""

import numpy as np
from panels import METRICS

from brownout.domain.entities import Entity
from brownout.domain.forecasts import Series
from brownout.domain.panel import Panel
from brownout.forecasting.outlook import Outlook
from brownout.nightly.long_horizon import forecast_long_horizon
from brownout.nightly.panels import outlook_panel
from brownout.settings import ForecastSettings

SETTINGS = ForecastSettings()
LIMITS = {"cpu_pct": METRICS[0]}
LEAK = Series("vm3", "cpu_pct")


def fleet(days: int = 40) -> Panel:
    """Half-hours: every entity has its day and noise, and one gains a point a day, which makes 80 after 40 days."""
    rng = np.random.default_rng(0)
    slots = np.arange(days * 48)
    values = 40 + 5 * np.sin(2 * np.pi * slots / 48) + rng.normal(0, 1, (12, len(slots)))
    values[3] += slots / 48
    entities = tuple(Entity(id=f"vm{i}", kind="vm") for i in range(12))
    return Panel(values.astype(np.float32)[..., None], np.datetime64("2026-03-02", "ms"), 1800, entities, METRICS[:1])


def test_a_leak_crosses_its_limit_when_it_will() -> None:
    panel, wide = fleet(), outlook_panel(fleet(60), SETTINGS)
    happens = wide.start + int((wide.values[3, :, 0] > 90).argmax()) * wide.step
    outlook = Outlook(120).fit([outlook_panel(panel, SETTINGS)])
    later = forecast_long_horizon(outlook, panel, (), LIMITS, SETTINGS)
    assert [breach.series for breach in later.breaches] == [LEAK]
    (breach,) = later.breaches
    assert breach.likely is not None
    assert np.timedelta64(5, "D") < happens - panel.end
    assert abs(breach.likely - happens) <= np.timedelta64(24, "h")
    assert breach.probability > 0.9
    assert (breach.maker, breach.horizon_s) == ("trend", 20 * 86_400)
    assert later.charts[LEAK].future[-1] == panel.end + np.timedelta64(20 * 24 - 6, "h")


def test_what_is_known_already_is_not_said_again() -> None:
    panel = fleet()
    outlook = Outlook(120).fit([outlook_panel(panel, SETTINGS)])
    assert not forecast_long_horizon(outlook, panel, {LEAK}, LIMITS, SETTINGS).breaches


def test_a_history_of_a_day_has_no_outlook() -> None:
    panel = fleet()
    short = panel.between(panel.start, panel.start + 48 * panel.step)
    outlook = Outlook(120).fit([outlook_panel(short, SETTINGS)])
    assert not forecast_long_horizon(outlook, short, (), LIMITS, SETTINGS).breaches


def test_six_hours_that_are_not_over_are_not_looked_at() -> None:
    panel = fleet(3)
    begun = panel.between(panel.start, panel.end - 3 * panel.step)
    wide, whole = outlook_panel(begun, SETTINGS), outlook_panel(panel, SETTINGS)
    assert (wide.values.shape[1], whole.values.shape[1]) == (11, 12)
    np.testing.assert_array_equal(wide.values, whole.values[:, :11])
