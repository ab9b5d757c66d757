"""From skills by metric to what a report says about intervals, chances and fall-backs."""

import math
from collections.abc import Mapping, Sequence

from brownout.domain.forecasts import Skill
from brownout.domain.metrics import Metric
from brownout.reporting.numbers import known
from brownout.reporting.skill_schema import Bin, Chances, Coverage, Fallback, Judgement

__all__ = ["TOLERANCE", "judgement_of"]

TOLERANCE = 0.03
"""How far a coverage may be from its interval's: three points."""
LSTM = "lstm"


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
        coverage=[_coverage(family, members) for family, members in sorted(families.items())],
        chances=[_chances("", everything), *chances] if everything else [],
        fallbacks=[_fallback(s, metrics[s.metric]) for s in skills if s.metric in metrics and _lost(s)],
    )


def _coverage(family: str, skills: Sequence[Skill]) -> Coverage:
    within = {
        level: _mean([(getattr(skill, field), skill.windows) for skill in skills])
        for level, field in ((50, "coverage_50"), (80, "coverage"), (90, "coverage_90"))
    }
    off = any(math.isfinite(share) and abs(share - level / 100) > TOLERANCE for level, share in within.items())
    return Coverage(
        family=family,
        within_50=known(within[50]),
        within_80=known(within[80]),
        within_90=known(within[90]),
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
        brier=known(brier),
        brier_base=known(base),
        worse=bool(crossed) and brier > base,  # where nothing crossed there is nothing to judge
        bins=[
            Bin(said=known(said / count) or 0.0, came=known(came / count) or 0.0, windows=round(count))
            for count, said, came in totals
            if count
        ],
    )


def _lost(skill: Skill) -> bool:
    return any(not name.startswith(LSTM) for name in skill.maker.split("+")) and bool(skill.quarters)


def _fallback(skill: Skill, metric: Metric) -> Fallback:
    table = dict(skill.quarters)
    quarters = range(len(table[LSTM]))
    best = [min(table, key=lambda name: _finite(table[name][quarter])) for quarter in quarters]
    return Fallback(
        title=metric.label,
        makers=best,
        lstm=[known(value) for value in table[LSTM]],
        best=[known(table[name][quarter]) for quarter, name in zip(quarters, best, strict=True)],
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    """Weighted mean of the values that are known."""
    sure = [(value, weight) for value, weight in pairs if math.isfinite(value) and weight > 0]
    total = sum(weight for _, weight in sure)
    return sum(value * weight for value, weight in sure) / total if total else float("nan")
