"""Correction of chances to cross a limit: their log-odds are calibrated on what held-out windows did."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from brownout.domain.entities import Topology
from brownout.domain.exceedance import PathModel, corrected
from brownout.domain.forecasts import Odds
from brownout.domain.panel import Panel
from brownout.forecasting.exceedance.habits import LEAST, Habit, Windows
from brownout.numerics.arrays import Doubles

__all__ = ["Chances", "Events", "base_rates", "independent_shares", "learn_odds", "missed", "pool_share", "pooled"]


PRIOR_DEVIATIONS = np.array([1.0, 1.0, 1.0, 0.5])
"""Standard deviations of the prior of the log-odds of miss rate and false-alarm rate, of intercept and of slope."""
RARE = (1, 100)
"""Misses, or false alarms, and windows to expect where nothing else is known: one in a hundred."""
MOST_KNOWN = 0.15
"""Largest share that is told of a series by what all of its metric did: that is no reason to name one of them."""
UNPROVEN = 1.0
"""Independent windows in which a certain forecast must have been right before it counts half: skill has to be shown."""


@dataclass(frozen=True)
class Chances:
    """What is learned about chances to cross a limit, by metric.

    ``persistence`` is the autocorrelation of neighbouring steps, 0 … 1; ``odds`` the correction; ``habits`` what is
    known without a forecast, and how much that counts.
    """

    persistence: Mapping[str, float] = field(default_factory=dict)
    odds: Mapping[str, Odds] = field(default_factory=dict)
    habits: Mapping[str, Habit] = field(default_factory=dict)

    def autocorrelation(self, metric: str) -> float:
        """Autocorrelation of neighbouring steps of a metric's paths."""
        return self.persistence.get(metric, PathModel().persistence)

    def correction(self, metric: str) -> Odds:
        """Odds of a metric's forecasts alone."""
        return self.odds.get(metric, Odds())

    def told(self, metric: str, rate: float, crossed: float, windows: float) -> Odds:
        """Odds of a series as they are told: by the known rate of its metric, and its own windows with a crossing."""
        habit = self.habits.get(metric)
        if habit is None:
            return self.correction(metric)
        return pooled(self.correction(metric), habit.share, float(replace(habit, rate=rate).known(crossed, windows)))

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "persistence": dict(self.persistence),
            "odds": {metric: asdict(odds) for metric, odds in self.odds.items()},
            "habits": {metric: asdict(habit) for metric, habit in self.habits.items()},
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """From JSON, in which there may be more."""
        return cls(
            facts["persistence"],
            {metric: Odds.from_table(odds) for metric, odds in facts.get("odds", {}).items()},
            {metric: Habit(**habit) for metric, habit in facts.get("habits", {}).items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Windows that could cross a limit.

    ``likely`` is the chance that was given, ``happened`` whether they did, both ``[row]``. ``weight`` is how much a
    row counts, 0 … 1: windows that overlap, and entities of one host, are no independent observations. ``windows`` are
    the own ones of each row's series before it, with a crossing and all: ``[2, row]``, empty where they were not asked.
    """

    likely: Doubles
    happened: npt.NDArray[np.bool_]
    weight: float
    windows: Doubles = field(default_factory=lambda: np.zeros((2, 0)))


def independent_shares(panels: Sequence[Panel]) -> list[float]:
    """Independent observations an entity, 0 … 1, for each panel: all entities of one host count as one."""
    topology = Topology.of({e.id: e for panel in panels for e in panel.entities}.values())
    return [
        len({topology.root(entity) for entity in panel.entity_ids}) / max(len(panel.entities), 1) for panel in panels
    ]


def base_rates(panels: Sequence[Panel], horizon: int) -> Mapping[str, float]:
    """Climatology: by metric the share of the panels' windows that cross its limit.

    A window is the ``horizon`` slots after one that was measured and not beyond the limit. The share of few windows is
    drawn towards ``LEAST``.
    """
    counts: dict[str, Doubles] = {}
    for panel, share in zip(panels, independent_shares(panels), strict=True):
        windows = Windows.of(panel, horizon)
        for column, metric in enumerate(panel.metrics):
            if metric.is_limited:
                own = np.array(
                    [part[..., -1, column].sum(dtype=np.float64) for part in (windows.crossed, windows.counted)]
                )
                counts[metric.name] = counts.get(metric.name, np.zeros(2)) + share * windows.weight * own
    return {name: share_of(crossed, windows) for name, (crossed, windows) in counts.items()}


def share_of(crossed: float, windows: float) -> float:
    """Share of the independent windows of a metric that crossed its limit, of few drawn towards ``LEAST``."""
    return float((crossed + LEAST[0]) / (windows + LEAST[1]))


def missed(panel: Panel, horizon: int) -> Mapping[str, tuple[int, int]]:
    """Crossings that persistence misses, by metric with a limit: their number, and that of the windows they may be in.

    Windows of ``horizon`` slots follow each other back from the end of the panel. A crossing counts where the window
    before was not beyond the limit at any slot; such are the windows counted.
    """
    windows = panel.values.shape[1] // horizon
    counts = {}
    for column, metric in enumerate(panel.metrics):
        if not metric.is_limited:
            continue
        values = panel.values[:, panel.values.shape[1] - windows * horizon :, column]
        crossed = metric.exceeds(values).reshape(len(values), windows, horizon)
        beyond = np.asarray(crossed.any(axis=2), np.bool_)
        known = np.isfinite(values).reshape(crossed.shape)
        quiet = ~beyond[:, :-1] & np.asarray(known.any(axis=2), np.bool_)[:, 1:]
        counts[metric.name] = int((quiet & beyond[:, 1:]).sum()), int(quiet.sum())
    return counts


def pool_share(parts: Sequence[Events], base: Doubles | float) -> float:
    """Share, 0 … 1, of given chances in the pool with base rates that has the least Brier score on these windows.

    ``base`` is that of all rows, or ``[row]``. 0 where no window has shown that the chances know more than the base
    rate does; see ``UNPROVEN``.
    """
    told = np.concatenate([part.likely for part in parts]) - base
    came = np.concatenate([part.happened for part in parts]) - base
    weight = np.concatenate([np.full(len(part.likely), part.weight) for part in parts])
    return float(np.clip((weight * told * came).sum() / ((weight * told**2).sum() + UNPROVEN), 0, 1))


def pooled(odds: Odds, share: float, base: float) -> Odds:
    """Odds whose chances are a share of those of the given odds and for the rest a base rate."""
    rest = 1 - share
    return replace(
        odds,
        miss_rate=share * odds.miss_rate + rest * base,
        false_alarm_rate=share * odds.false_alarm_rate + rest * (1 - base),
    )


def learn_odds(parts: Sequence[Events], seen: tuple[int, int] = (0, 0)) -> Odds:
    """The most probable correction, given what happened and a prior by which little needs correcting.

    ``seen`` are the crossings of the history that persistence missed, and the windows they may have been in.

    Between a miss rate and a false-alarm rate the log-odds are linear, as in a psychometric function with guesses and
    lapses (Wichmann and Hill 2001): a slope alone would shrink the chances that were right for the sake of crossings
    that nothing announces. The prior's miss rate lies half way, in log-odds, between ``RARE`` and that of the history,
    as forecasts foresee some of those crossings.
    """
    likely = np.concatenate([part.likely for part in parts])
    happened = np.concatenate([part.happened for part in parts])
    weight = np.concatenate([np.full(len(part.likely), part.weight) for part in parts])

    rare = float(logit(RARE[0] / RARE[1]))
    history = float(logit((seen[0] + RARE[0]) / (seen[1] + RARE[1])))
    prior = np.array([(history + rare) / 2, rare, 0.0, 1.0])

    def loss(point: Doubles) -> float:
        chance = np.clip(corrected(likely, [_odds(point)]), 1e-9, 1 - 1e-9)
        unlikelihood = -(weight * np.log(np.where(happened, chance, 1 - chance))).sum()
        return float(unlikelihood + 0.5 * (((point - prior) / PRIOR_DEVIATIONS) ** 2).sum())

    return _odds(minimize(loss, prior, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6}).x)


def _odds(point: Doubles) -> Odds:
    """Odds at a point of the search; they keep the order of chances: slope >= 0, and rates that add up to at most 1."""
    miss_rate, false_alarm_rate, intercept, slope = point.tolist()
    return Odds(min(float(expit(miss_rate)), 0.5), min(float(expit(false_alarm_rate)), 0.5), intercept, max(slope, 0.0))
