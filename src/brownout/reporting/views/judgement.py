"""From skills by metric to what a report says about intervals, chances and fall-backs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brownout.domain.encoding import Number
from brownout.domain.forecasts import Skill
from brownout.domain.metrics import Metric

__all__ = ["TOLERANCE", "Bin", "Chances", "Coverage", "Fallback", "Judgement", "judgement_of"]

TOLERANCE = 0.03
"""How far a coverage may be from its interval's: three points."""
LSTM = "lstm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Coverage of the intervals over the metrics of a family, each window counting the same.

    Attributes
    ----------
    family
        The resource.
    within_50
        Share of values inside the 50 % interval.
    within_80
        Share of values inside the 80 % interval.
    within_90
        Share of values inside the 90 % interval.
    off
        Whether one of them is more than three points from what its interval says.
    """

    family: str
    within_50: Number
    within_80: Number
    within_90: Number
    off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A bar of a reliability diagram.

    Attributes
    ----------
    said
        Mean of the chances.
    came
        Share of them that came true.
    windows
        How many chances.
    """

    said: Number
    came: Number
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How good the chances to cross a limit were.

    Attributes
    ----------
    family
        The resource; empty for all together.
    windows
        How many chances were given.
    crossed
        How often the limit was crossed.
    brier
        Mean squared error of the chances.
    brier_base
        The same of climatology: always giving the share of a metric's windows that crossed.
    worse
        Whether the chances were worse than climatology, where anything crossed.
    bins
        The reliability diagram.
    """

    family: str
    windows: int
    crossed: int
    brier: Number
    brier_base: Number
    worse: bool
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """A metric and its quarters of the horizon where the LSTM lost.

    Attributes
    ----------
    title
        Title of the metric.
    makers
        Who predicts each quarter.
    lstm
        CRPS of the LSTM on each quarter, as a ratio to that of seasonal-naive.
    best
        The same of who predicts it.
    """

    title: str
    makers: tuple[str, ...]
    lstm: tuple[Number, ...]
    best: tuple[Number, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the held-out windows say about intervals, chances and fall-backs.

    Attributes
    ----------
    coverage
        By family.
    chances
        All together first, then by family; only what has a limit.
    fallbacks
        Where the LSTM lost.
    """

    coverage: tuple[Coverage, ...]
    chances: tuple[Chances, ...]
    fallbacks: tuple[Fallback, ...]


def judgement_of(skills: Sequence[Skill], metrics: Mapping[str, Metric]) -> Judgement:
    """Coverage and chances by family, and the quarters where the LSTM lost."""
    families: dict[str, list[Skill]] = {}
    for skill in skills:
        if skill.metric in metrics:
            families.setdefault(metrics[skill.metric].family.value, []).append(skill)
    limited = {family: [s for s in members if s.bins] for family, members in sorted(families.items())}
    chances = [_chances(family, members) for family, members in limited.items() if members]
    everything = [skill for members in limited.values() for skill in members]
    return Judgement(
        coverage=tuple(_coverage(family, members) for family, members in sorted(families.items())),
        chances=(_chances("", everything), *chances) if everything else (),
        fallbacks=tuple(_fallback(s, metrics[s.metric]) for s in skills if s.metric in metrics and _lost(s)),
    )


def _coverage(family: str, skills: Sequence[Skill]) -> Coverage:
    within = {
        level: _mean([(getattr(skill, field), skill.windows) for skill in skills])
        for level, field in ((50, "coverage_50"), (80, "coverage"), (90, "coverage_90"))
    }
    off = any(math.isfinite(share) and abs(share - level / 100) > TOLERANCE for level, share in within.items())
    return Coverage(
        family=family,
        within_50=within[50],
        within_80=within[80],
        within_90=within[90],
        off=off,
    )


def _chances(family: str, skills: Sequence[Skill]) -> Chances:
    counts = [sum(part[0] for part in skill.bins) for skill in skills]
    totals = [tuple(map(sum, zip(*parts, strict=True))) for parts in zip(*(s.bins for s in skills), strict=True)]
    crossed = round(sum(total[2] for total in totals))
    brier = _mean([(skill.brier, count) for skill, count in zip(skills, counts, strict=True)])
    base = _mean([(skill.brier_base, count) for skill, count in zip(skills, counts, strict=True)])
    return Chances(
        family=family,
        windows=round(sum(counts)),
        crossed=crossed,
        brier=brier,
        brier_base=base,
        worse=bool(crossed) and brier > base,  # where nothing crossed there is nothing to judge
        bins=tuple(
            Bin(said=said / count, came=came / count, windows=round(count)) for count, said, came in totals if count
        ),
    )


def _lost(skill: Skill) -> bool:
    return any(not name.startswith(LSTM) for name in skill.maker.split("+")) and bool(skill.quarters)


def _fallback(skill: Skill, metric: Metric) -> Fallback:
    table = dict(skill.quarters)
    quarters = range(len(table[LSTM]))
    best = [min(table, key=lambda name: _finite(table[name][quarter])) for quarter in quarters]
    return Fallback(
        title=metric.label,
        makers=tuple(best),
        lstm=table[LSTM],
        best=tuple(table[name][quarter] for quarter, name in zip(quarters, best, strict=True)),
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    """Weighted mean of the values that are known."""
    sure = [(value, weight) for value, weight in pairs if math.isfinite(value) and weight > 0]
    total = sum(weight for _, weight in sure)
    return sum(value * weight for value, weight in sure) / total if total else float("nan")
