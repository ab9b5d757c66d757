"""Whether the chance of a breach is told as a number: only where chances like it came true better than climatology."""

import math

from brownout.domain.forecasts import LOCAL_TREND, Breach
from brownout.domain.night import Night

__all__ = ["chance_is_told", "chance_skill"]


def chance_skill(metric: str, night: Night) -> float | None:
    """Brier skill of a metric's chances to cross its limit on held-out windows, over the share that was known before.

    0 is no better than that share, 1 is perfect. None where no limit was crossed there: then nothing can be judged, as
    whoever says least is best.
    """
    for skill in night.skills:
        crossed = any(came for _, _, came in skill.bins)
        if skill.metric == metric and crossed and math.isfinite(skill.brier) and skill.brier_base > 0:
            return 1 - skill.brier / skill.brier_base
    return None


def chance_is_told(breach: Breach, night: Night) -> bool:
    """Whether the chances of the breach's metric had skill; a trend that is going on needs none."""
    if breach.maker == LOCAL_TREND:
        return True
    skill = chance_skill(breach.series.metric, night)
    return skill is not None and skill > 0
