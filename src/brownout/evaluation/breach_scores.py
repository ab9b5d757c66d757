"""Warnings of breaches against what happened: how good the chances are, how early and how often wrong the warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brownout.domain.exceedance import likelihood
from brownout.domain.forecasts import Forecasts
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.numerics.arrays import Doubles, Marks
from brownout.numerics.losses import brier, reliability

__all__ = ["BreachScores", "Windows", "first_crossings", "windows_of"]

WARN = 0.5
"""Chance from which a forecast is a warning."""
QUIET_S = 7200
"""Time below the limit after which crossing it is a new breach: flapping is one."""
EARLY_S = 3600.0
"""A warning is early when it comes so long before."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Chances to cross a limit, ``[row]``: metric, row of the entity in the panel, slot of the origin, and chance."""

    metrics: npt.NDArray[np.str_]
    entity_rows: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int64]
    likely: Doubles
    horizon: int


def windows_of(panel: Panel, forecasts: Forecasts) -> Windows:
    """Chances of the rows whose metric has a limit and a direction of worse."""
    kinds = {m.name: m for m in panel.metrics if m.is_limited}
    chosen = forecasts.rows([row for row, series in enumerate(forecasts.series) if series.metric in kinds])
    names = [series.metric for series in chosen.series]
    limits = np.array([kinds[name].limit for name in names], np.float32)
    upwards = np.array([kinds[name].worse is Worse.UP for name in names], bool)
    likely = likelihood(chosen, limits, upwards=upwards) if names else np.empty(0)
    entity = {name: index for index, name in enumerate(panel.entity_ids)}
    rows = np.array([entity[series.entity] for series in chosen.series], np.int64)
    slots = (chosen.origins - panel.start) // panel.step
    return Windows(np.array(names, np.str_), rows, slots, likely, forecasts.horizon)


def first_crossings(beyond: Marks, quiet_slots: int) -> Marks:
    """Slots ``[series, slot]`` where a breach begins: beyond the limit, and in none of the ``quiet_slots`` before."""
    counted: npt.NDArray[np.int64] = np.cumsum(np.pad(beyond, ((0, 0), (1, 0))), axis=1)
    slots = np.arange(beyond.shape[1])
    lately = counted[:, slots] - counted[:, np.maximum(slots - quiet_slots, 0)]
    starts: Marks = beyond & (lately == 0)
    return starts


@dataclass
class BreachScores:
    """Windows and breaches of all series with a limit, by metric.

    ``parts_`` holds for each window its chance, whether the limit was crossed, whether its series was beyond it
    already, and the base rate that was known, NaN where none was; ``leads_`` for each breach how many seconds before it
    was first warned of, NaN where it was not.
    """

    parts_: dict[str, list[Doubles]] = field(default_factory=dict)
    leads_: dict[str, list[Doubles]] = field(default_factory=dict)

    def add(self, panel: Panel, windows: Sequence[Windows], rates: Mapping[str, float] | None = None) -> None:
        """Add all windows of a panel at once: breaches are looked for between the first origin and the last horizon.

        ``rates`` are the shares of windows that cross, by metric, as known before the first origin.
        """
        filled = [part for part in windows if len(part.likely)]
        if not filled:
            return
        names, entity_rows, slots, likely = (
            np.concatenate([getattr(part, name) for part in filled])
            for name in ("metrics", "entity_rows", "slots", "likely")
        )
        kinds = {metric.name: metric for metric in panel.metrics}
        for name in np.unique(names).tolist():
            of = names == name
            beyond = _beyond(panel, kinds[name])
            selected = (entity_rows[of], slots[of], likely[of])
            self._windows(name, beyond, selected, filled[0].horizon, (rates or {}).get(name, float("nan")))
            self._breaches(name, beyond, selected, panel.interval_s, filled[0].horizon)

    def _windows(
        self, name: str, beyond: Marks, selected: tuple[np.ndarray, np.ndarray, Doubles], horizon: int, rate: float
    ) -> None:
        entity_rows, slots, likely = selected
        steps = slots[:, None] + np.arange(1, horizon + 1)
        inside = steps < beyond.shape[1]
        happened = (beyond[entity_rows[:, None], np.where(inside, steps, 0)] & inside).any(axis=1)
        part = np.stack([likely, happened, beyond[entity_rows, slots], np.full(len(likely), rate)], axis=1)
        self.parts_.setdefault(name, []).append(part)

    def _breaches(
        self, name: str, beyond: Marks, selected: tuple[np.ndarray, np.ndarray, Doubles], interval_s: int, horizon: int
    ) -> None:
        entity_rows, slots, likely = selected
        starts = first_crossings(beyond, max(QUIET_S // interval_s, 1))
        starts[:, : slots.min() + 1] = False
        starts[:, slots.max() + horizon + 1 :] = False
        warned = likely >= WARN
        who, when = np.nonzero(starts)
        before = when[:, None] - slots[warned]
        same = (who[:, None] == entity_rows[warned]) & (before > 0) & (before <= horizon)
        lead = np.where(same, before, 0).max(axis=1, initial=0).astype(np.float64) * interval_s
        self.leads_.setdefault(name, []).append(np.where(lead > 0, lead, np.nan))

    def summary(self) -> dict[str, dict[str, object]]:
        """Scores by metric and "overall"; metrics without a crossing have no skill to speak of."""
        table = {name: (np.concatenate(self.parts_[name]), np.concatenate(self.leads_[name])) for name in self.parts_}
        if not table:
            return {}
        parts, leads = (np.concatenate([pair[k] for pair in table.values()]) for k in (0, 1))
        return {
            "overall": _scores(parts, leads),
            **{name: _scores(*pair) for name, pair in sorted(table.items())},
        }


def _beyond(panel: Panel, metric: Metric) -> Marks:
    return metric.exceeds(panel.values[..., panel.metric_names.index(metric.name)])


def _scores(parts: Doubles, leads: Doubles) -> dict[str, object]:
    """Windows that begin beyond the limit are no news and do not count.

    ``brier_climatology`` always gives the share of the judged windows that cross, as nobody could know before;
    ``brier_known`` the one that was known.
    """
    likely, happened, already, rates = parts[:, 0], parts[:, 1] > 0, parts[:, 2] > 0, parts[:, 3]
    likely, happened, rates = likely[~already], happened[~already], rates[~already]
    base = brier(np.full(len(happened), happened.mean() if len(happened) else 0.0), happened)
    score = brier(likely, happened)
    warned = likely >= WARN
    return {
        "windows": len(likely),
        "crossed": int(happened.sum()),
        "brier": score,
        "brier_climatology": base,
        "brier_known": brier(rates, happened),
        "brier_skill": 1 - score / base if base > 0 else float("nan"),
        "warnings": int(warned.sum()),
        "false_warnings": float((~happened[warned]).mean()) if warned.any() else float("nan"),
        "breaches": len(leads),
        "warned_of": float(np.isfinite(leads).mean()) if len(leads) else float("nan"),
        "warned_an_hour_before": float((leads >= EARLY_S).mean()) if len(leads) else float("nan"),
        "median_lead_h": float(np.nanmedian(leads) / 3600) if np.isfinite(leads).any() else float("nan"),
        "reliability": [list(part) for part in reliability(likely, happened)],
    }
