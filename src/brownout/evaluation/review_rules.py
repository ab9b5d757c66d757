"""Review: may a newly trained model take the place of the one in use? Rules as data, and the verdict on two models."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from brownout.domain.definitions import Definition, read_definitions
from brownout.domain.findings.model_cards import ModelFacts, SmokeCheck
from brownout.domain.night import ModelRecord

__all__ = [
    "ALARMS_VS_CHAMPION",
    "ALL",
    "CPU_RATIO",
    "SCORES",
    "VS_CHAMPION_LOW",
    "VS_NAIVE_HIGH",
    "VS_NAIVE_LOW",
    "WARNING_PRECISION",
    "Better",
    "Check",
    "Over",
    "ReviewRule",
    "Verdict",
    "judge",
    "judge_training",
    "load_review_rules",
    "smoke_checks",
]

VS_CHAMPION_LOW, VS_NAIVE_LOW, VS_NAIVE_HIGH = "vs_champion_low", "vs_naive_low", "vs_naive_high"
CPU_RATIO, ALARMS_VS_CHAMPION = "cpu_ratio", "alarms_vs_champion"
WARNING_PRECISION = "warning_precision"
RELATIVE = frozenset({VS_CHAMPION_LOW, VS_NAIVE_LOW, VS_NAIVE_HIGH, CPU_RATIO, ALARMS_VS_CHAMPION})
"""Scores that are comparisons in themselves: only the newer model has them, and a rule limits them directly."""
SCORES: Mapping[str, tuple[str, ...]] = {
    "forecaster": (
        *("mase", "crps", "coverage", "coverage_50", "coverage_90", "brier", WARNING_PRECISION),
        *(VS_CHAMPION_LOW, VS_NAIVE_LOW, VS_NAIVE_HIGH, CPU_RATIO),
    ),
    "detector": ("alarms_per_day", ALARMS_VS_CHAMPION),
}
"""Scores that the record of each model may have, as ``all.crps`` or ``vm_cpu_pct.crps``."""
ALL = "all"
OUTLOOK = "outlook."
"""Scores of the weeks ahead, which no rule is about."""
NUMBERS = ("tolerance", "limit", "target")


class Better(StrEnum):
    """The direction in which a score is better."""

    LOWER = "lower"
    HIGHER = "higher"
    NEAREST = "nearest"


class Over(StrEnum):
    """What a score is of."""

    ALL = "all"
    EACH = "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRule:
    """One comparison of a challenger with the champion.

    Attributes
    ----------
    model, score
        ``forecaster`` or ``detector``, and which of its scores is compared.
    tolerance
        How much worse than the champion the challenger may be, in units of the score.
    limit
        The worst that is accepted whatever the champion is; None without one.
    target
        What the score should be, where the nearest is the best.
    """

    id: str
    title: str
    model: str
    score: str
    over: Over
    better: Better
    tolerance: float
    limit: float | None = None
    target: float = 0.0

    @classmethod
    def from_definition(cls, definition: Definition) -> Self:
        """Build from a table of ``review.toml``; unknown keys, models, scores and values are errors."""
        required = ("id", "title", "model", "score", "over", "better", "tolerance")
        definition.check_keys(cls.__dataclass_fields__, required=required)
        table: dict[str, Any] = dict(definition.fields)
        choices: dict[str, list[str]] = {"model": list(SCORES), "over": list(Over), "better": list(Better)}
        for key, known in choices.items():
            if table[key] not in known:
                raise definition.unknown(key, table[key], known)
        if table["score"] not in SCORES[table["model"]]:
            raise definition.unknown(f"score of the {table['model']}", table["score"], SCORES[table["model"]])
        for key in NUMBERS:
            value = table.get(key, 0.0)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise definition.error(f"{key} is {value!r}.", remedy="Write a number.")
        if table["tolerance"] < 0:
            raise definition.error(f"tolerance is {table['tolerance']!r}.", remedy="Write a number of at least 0.")
        if table["score"] in RELATIVE and "limit" not in table:
            raise definition.error(f"{table['score']} has no limit.", remedy="Write the limit that it is held to.")
        if (table["better"] == Better.NEAREST) != ("target" in table):
            raise definition.error("target and better do not fit.", remedy='Give target with better = "nearest" alone.')
        return cls(**{**table, "over": Over(table["over"]), "better": Better(table["better"])})

    def badness(self, value: float) -> float:
        """The score as a number that is better when lower."""
        if self.better is Better.NEAREST:
            return abs(value - self.target)
        return value if self.better is Better.LOWER else -value

    @property
    def worst(self) -> float:
        """The greatest badness that is accepted whatever the champion is."""
        if self.limit is None:
            return math.inf
        return -self.limit if self.better is Better.HIGHER else self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a rule says of two models; ``of`` is what was scored, a metric or ``all``; None where nothing was scored."""

    rule: str
    title: str
    of: str
    champion: float | None
    challenger: float | None
    passed: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all rules say; a challenger about which they say nothing does not pass."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the challenger may take the place by itself."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """Why, as a sentence."""
        failed = [f"{check.title} ({check.of}): {check.why}" for check in self.checks if not check.passed]
        if failed:
            return "; ".join(failed)
        return "passed all rules of review.toml" if self.checks else "no rule of review.toml could be applied"


def load_review_rules(site: Path | None = None, *, shipped: Path | None = None) -> tuple[ReviewRule, ...]:
    """Read ``review.toml``: the one that ships with brownout, and a site's own over it.

    Raises KnowledgeError naming file, table and value of what is wrong.
    """
    definitions = read_definitions("review", site=site, shipped=shipped).values()
    rules = [(definition, ReviewRule.from_definition(definition)) for definition in definitions]
    return tuple(rule for definition, rule in rules if definition.enabled)


def judge(
    rules: Sequence[ReviewRule], model: str, *, champion: Mapping[str, float], challenger: Mapping[str, float]
) -> Verdict:
    """Compare two models by the scores of their records.

    What only one of them has scored for a single metric is not compared, nor a score that neither of them has; a score
    of all metrics that only the champion has does not pass.
    """
    own = (rule for rule in rules if rule.model == model)
    return Verdict(checks=tuple(check for rule in own for check in _checks(rule, champion, challenger)))


def judge_training(
    rules: Sequence[ReviewRule], champion: ModelRecord, challenger: ModelRecord, facts: ModelFacts | None
) -> Verdict:
    """Compare a newly trained model with the one in use by all that is known: records, same windows and smoke tests.

    Scores on the same windows stand in for those of the records, as long as they are of this champion, and those of
    shadow nights, which nobody has seen in a training, for both.
    """
    model = challenger.name.removeprefix("brownout-")
    scores, others = dict(challenger.scores), dict(champion.scores)
    for comparison in () if facts is None else (facts.comparison, facts.shadow):
        if comparison is not None and comparison.champion_trained_to == champion.trained_to:
            scores |= comparison.challenger
            others |= comparison.champion
    verdict = judge(rules, model, champion=others, challenger=scores)
    return Verdict(checks=(*verdict.checks, *smoke_checks(() if facts is None else facts.smoke)))


def smoke_checks(checks: Sequence[SmokeCheck]) -> tuple[Check, ...]:
    """Smoke tests as part of a verdict: each must hold, whatever the rules say."""
    return tuple(
        Check(
            rule="smoke-test",
            title=f"Smoke test on the newest data: {check.title}",
            of=ALL,
            champion=None,
            challenger=None,
            passed=check.passed,
            why=check.why,
        )
        for check in checks
    )


def _checks(rule: ReviewRule, champion: Mapping[str, float], challenger: Mapping[str, float]) -> Iterator[Check]:
    suffix = f".{rule.score}"
    if rule.over is Over.ALL:
        names = [f"{ALL}{suffix}"]
    else:
        names = sorted(name for name in challenger if name.endswith(suffix) and name != f"{ALL}{suffix}")
        names = [name for name in names if name in champion or rule.score in RELATIVE]
        names = [name for name in names if not name.startswith(OUTLOOK)]
    for name in names:
        if name not in challenger and (name not in champion or rule.score in RELATIVE):
            continue
        yield _compared(rule, name.removesuffix(suffix), champion.get(name), challenger.get(name))


def _compared(rule: ReviewRule, of: str, champion: float | None, challenger: float | None) -> Check:
    passed, why = False, "the challenger has no such score"
    if challenger is not None:
        allowed = rule.worst
        why = f"{challenger:.3g} against a limit of {rule.limit:.3g}" if rule.limit is not None else f"{challenger:.3g}"
        if champion is not None:
            compared = rule.badness(champion) + rule.tolerance
            why = f"{challenger:.3g}, the champion has {champion:.3g} (tolerance {rule.tolerance:.3g})"
            if compared > allowed:
                why = f"{challenger:.3g} against a limit of {rule.limit:.3g}"
            allowed = min(allowed, compared)
        passed = rule.badness(challenger) <= allowed
    return Check(
        rule=rule.id,
        title=rule.title,
        of=of,
        champion=champion,
        challenger=challenger,
        passed=passed,
        why=why,
    )
