"""Chances that are as good as they say: a correction of log-odds, learned from what held-out windows did."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from brownout.domain.entities import Topology
from brownout.domain.exceedance import PathModel, corrected
from brownout.domain.forecasts import Odds
from brownout.domain.metrics import Worse
from brownout.domain.panel import Panel

__all__ = ["Chances", "Events", "base_rates", "learn_odds", "stories_of", "surprises"]

Doubles = npt.NDArray[np.float64]

DOUBT = np.array([1.0, 1.0, 1.0, 0.5])
"""How far the log-odds of the miss rate and of the false-alarm rate, intercept and slope may be from what is expected
(standard deviations) before there is data: few events move little."""
RARE = (1, 100)
"""Surprises, or lapses, and windows to expect where nothing else is known: one in a hundred."""
EXPECTED = (0.1, 2.0)
"""Crossings and windows that a base rate starts from: one in twenty."""
PARTS = 12
"""Origins a horizon that a base rate is counted from."""


@dataclass(frozen=True)
class Chances:
    """What is learned about chances to cross a limit, by metric: autocorrelation of the steps, and the correction."""

    persistence: Mapping[str, float] = field(default_factory=dict)
    odds: Mapping[str, Odds] = field(default_factory=dict)

    def autocorrelation(self, metric: str) -> float:
        """Autocorrelation of neighbouring steps of a metric's paths."""
        return self.persistence.get(metric, PathModel().persistence)

    def correction(self, metric: str) -> Odds:
        """Odds of a metric."""
        return self.odds.get(metric, Odds())

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "persistence": dict(self.persistence),
            "odds": {metric: asdict(odds) for metric, odds in self.odds.items()},
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """From JSON, in which there may be more."""
        return cls(facts["persistence"], {metric: Odds(**odds) for metric, odds in facts.get("odds", {}).items()})


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Windows that could cross a limit.

    ``likely`` is the chance that was given, ``happened`` whether they did, both ``[row]``. ``weight`` is how much a
    row counts: windows that overlap, and entities of one host, tell the same story several times.
    """

    likely: Doubles
    happened: npt.NDArray[np.bool_]
    weight: float


def stories_of(panels: Sequence[Panel]) -> list[float]:
    """Independent stories an entity of each panel tells: entities of one host tell the same."""
    topology = Topology.of({e.id: e for panel in panels for e in panel.entities}.values())
    return [
        len({topology.root(entity) for entity in panel.entity_ids}) / max(len(panel.entities), 1) for panel in panels
    ]


def base_rates(panels: Sequence[Panel], horizon: int) -> Mapping[str, float]:
    """Climatology as the panels know it: by metric the share of windows that cross its limit.

    A window is the ``horizon`` slots after one that was measured and not beyond the limit. Few windows are drawn to
    what is rare.
    """
    found: dict[str, Doubles] = {}
    for panel, stories in zip(panels, stories_of(panels), strict=True):
        slots = panel.values.shape[1]
        origins = np.arange(0, max(slots - horizon, 0), max(horizon // PARTS, 1))
        weight = stories * min(max(horizon // PARTS, 1) / horizon, 1.0)
        for column, metric in enumerate(panel.metrics):
            if metric.limit is None or metric.worse is Worse.NONE:
                continue
            side = 1 if metric.worse is Worse.UP else -1
            values = side * panel.values[..., column]
            beyond, measured = values > side * np.float32(metric.limit), np.isfinite(values)
            happened, known = (_any_after(marks, origins, horizon) for marks in (beyond, measured))
            counted = measured[:, origins] & ~beyond[:, origins] & known
            before = found.get(metric.name, np.zeros(2))
            found[metric.name] = before + weight * np.array([(happened & counted).sum(), counted.sum()])
    return {
        name: float((crossed + EXPECTED[0]) / (windows + EXPECTED[1])) for name, (crossed, windows) in found.items()
    }


def surprises(panel: Panel, horizon: int) -> Mapping[str, tuple[int, int]]:
    """By limited metric how many windows crossed the limit after one that did not, and how many did not before.

    Windows follow each other from the end of the panel; what was beyond the limit a window ago is no miss.
    """
    windows = panel.values.shape[1] // horizon
    found = {}
    for column, metric in enumerate(panel.metrics):
        if metric.limit is None or metric.worse is Worse.NONE:
            continue
        side = 1 if metric.worse is Worse.UP else -1
        values = side * panel.values[:, panel.values.shape[1] - windows * horizon :, column]
        crossed = (values > side * metric.limit).reshape(len(values), windows, horizon)
        beyond = np.asarray(crossed.any(axis=2), np.bool_)
        known = np.isfinite(values).reshape(crossed.shape)
        quiet = ~beyond[:, :-1] & np.asarray(known.any(axis=2), np.bool_)[:, 1:]
        found[metric.name] = int((quiet & beyond[:, 1:]).sum()), int(quiet.sum())
    return found


def learn_odds(parts: Sequence[Events], seen: tuple[int, int] = (0, 0)) -> Odds:
    """The most probable odds, given what happened and the prior that little needs correcting.

    ``seen`` are surprises and quiet windows of the history, which say what rate of surprises to expect.

    Between a rate of surprises and one of lapses the log-odds are stretched and moved, as in a psychometric function:
    one stretch alone would pay for surprises with the chances that were right. Expected is a rate of surprises half
    way, in log-odds, from what is rare to that of the history, of which the forecasts foresee some.
    """
    likely = np.concatenate([part.likely for part in parts])
    happened = np.concatenate([part.happened for part in parts])
    weight = np.concatenate([np.full(len(part.likely), part.weight) for part in parts])

    rare = float(logit(RARE[0] / RARE[1]))
    lately = float(logit((seen[0] + RARE[0]) / (seen[1] + RARE[1])))
    prior = np.array([(lately + rare) / 2, rare, 0.0, 1.0])

    def loss(point: Doubles) -> float:
        chance = np.clip(corrected(likely, [_odds(point)]), 1e-9, 1 - 1e-9)
        surprised = -(weight * np.log(np.where(happened, chance, 1 - chance))).sum()
        return float(surprised + 0.5 * (((point - prior) / DOUBT) ** 2).sum())

    return _odds(minimize(loss, prior, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6}).x)


def _odds(point: Doubles) -> Odds:
    """A higher chance stays the higher one: the slope is not negative, and the rates leave room between them."""
    miss_rate, false_alarm_rate, intercept, slope = point.tolist()
    return Odds(min(float(expit(miss_rate)), 0.5), min(float(expit(false_alarm_rate)), 0.5), intercept, max(slope, 0.0))


def _any_after(marks: npt.NDArray[np.bool_], origins: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.bool_]:
    """Whether any of the ``horizon`` slots after each origin is marked: ``[series, origin]``."""
    counted = np.cumsum(np.pad(marks, ((0, 0), (1, 0))), axis=1)
    found: npt.NDArray[np.bool_] = counted[:, origins + 1 + horizon] > counted[:, origins + 1]
    return found
