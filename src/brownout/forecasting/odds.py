"""Chances that are as good as they say: the forecast's own, pooled with how often a limit is crossed anyhow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brownout.domain.entities import Topology
from brownout.domain.forecasts import Odds
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Panel
from brownout.domain.paths import PathModel

__all__ = ["Chances", "Events", "base_rates", "learn_odds", "stories_of"]

Doubles = npt.NDArray[np.float64]

BORROWED = 3.0
"""Windows that a metric borrows from its family: with less of its own it is corrected as its family is."""
EXPECTED = (0.1, 2.0)
"""Crossings and windows to expect where nothing else is known: one in twenty."""
PARTS = 12
"""Origins a horizon that a base rate is counted from."""


@dataclass(frozen=True)
class Chances:
    """What is learned about chances to cross a limit, by metric: how steps hang together, and the correction."""

    persistence: Mapping[str, float] = field(default_factory=dict)
    odds: Mapping[str, Odds] = field(default_factory=dict)

    def hang(self, metric: str) -> float:
        """Persistence of a metric's paths."""
        return self.persistence.get(metric, PathModel().persistence)

    def correction(self, metric: str) -> Odds:
        """Odds of a metric."""
        return self.odds.get(metric, Odds())


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


def learn_odds(
    events: Mapping[str, Sequence[Events]], rates: Mapping[str, float], metrics: Mapping[str, Metric]
) -> Mapping[str, Odds]:
    """By metric the linear pool of the forecast's chance and the base rate that has the least Brier score.

    The share of the base rate has a closed form, as the score is a parabola of it. A metric borrows ``BORROWED``
    windows from the mean of its family, and a family one metric from the mean of all: few windows that say nothing in
    particular leave it there. ``rates`` name the metrics that have a limit, ``metrics`` say what they are.
    """
    families = {name: metric.family for name, metric in metrics.items()}
    sums = {metric: _parabola(events[metric], rates[metric]) for metric in rates if events.get(metric)}
    sums = {metric: part for metric, part in sums.items() if part[2] > 0}
    if not sums:
        return {}
    means = {metric: part / part[2] for metric, part in sums.items()}
    overall = np.mean(list(means.values()), axis=0)
    odds = {}
    for metric, rate in rates.items():
        akin = [mean for other, mean in means.items() if families[other] == families[metric]]
        lent = np.mean([*akin, overall], axis=0)
        cross, square, _ = sums.get(metric, np.zeros(3)) + BORROWED * lent
        share = float(np.clip(-cross / square, 0, 1)) if square > 0 else 0.0
        odds[metric] = Odds(surprise=share * rate, lapse=share * (1 - rate), limit=metrics[metric].limit)
    return odds


def _parabola(parts: Sequence[Events], rate: float) -> Doubles:
    """Sums of error times what a full share of the rate would change, of the square of that, and of weights."""
    sums = np.zeros(3)
    for part in parts:
        change = rate - part.likely
        error = part.likely - part.happened
        sums += part.weight * np.array([(error * change).sum(), (change**2).sum(), len(change)])
    return sums


def _any_after(marks: npt.NDArray[np.bool_], origins: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.bool_]:
    """Whether any of the ``horizon`` slots after each origin is marked: ``[series, origin]``."""
    counted = np.cumsum(np.pad(marks, ((0, 0), (1, 0))), axis=1)
    found: npt.NDArray[np.bool_] = counted[:, origins + 1 + horizon] > counted[:, origins + 1]
    return found
