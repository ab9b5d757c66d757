"""What the card of a training shows, derived from what is known of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brownout.domain.findings.model_cards import Comparison, ModelFacts
from brownout.domain.forecasts import Skill
from brownout.domain.metrics import Metric
from brownout.domain.night import ModelRecord
from brownout.reporting.model_card.card_plots import DriftBar, ResidualBar, drift_bars, residual_bars
from brownout.reporting.views.judgement import Chances, judgement_of

__all__ = ["BacktestRow", "CardCheck", "CardContent", "backtest_rows"]

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardCheck:
    """A criterion of the verdict: what was compared, of what, both figures, and whether it holds."""

    title: str
    of: str
    champion: float | None
    challenger: float | None
    passed: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRow:
    """Scores of a metric on the same windows; errors are ratios to those of seasonal-naive, whose own is 1."""

    title: str
    crps: float
    champion_crps: float
    mase: float
    champion_mase: float
    coverage: float
    champion_coverage: float

    @property
    def worse(self) -> bool:
        """Whether it lost against the model in use, or against seasonal-naive."""
        return self.crps > min(self.champion_crps if math.isfinite(self.champion_crps) else 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardContent:
    """A training as its card shows it.

    Attributes
    ----------
    record
        The record of the training.
    facts
        What is known of it beside the record.
    skills
        The backtest of a forecaster; empty for a detector.
    checks
        Criteria of the verdict; empty where there was no model to compare with.
    metrics
        Metrics by name, for their titles.
    """

    record: ModelRecord
    facts: ModelFacts
    skills: tuple[Skill, ...]
    checks: tuple[CardCheck, ...]
    metrics: Mapping[str, Metric]

    @property
    def model(self) -> str:
        """What people call the model: forecaster or detector."""
        return self.record.name.removeprefix("brownout-")

    @property
    def state(self) -> tuple[str, str]:
        """How urgent a look is (fine, warn or bad), and the verdict in a sentence."""
        failed_smoke = [check for check in self.facts.smoke if not check.passed]
        if failed_smoke:
            return "bad", f"does not work on the newest data: {failed_smoke[0].title}"
        if not self.checks:
            return "fine", "there was no model to compare it with"
        failed = sum(not check.passed for check in self.checks)
        if failed:
            return "warn", f"{failed} of {len(self.checks)} criteria failed: a person decides"
        return "fine", f"passes all {len(self.checks)} criteria"

    @property
    def decided(self) -> str:
        """Why no person has to decide, as a sentence; "" where one has."""
        if self.state[0] != "fine":
            return ""
        if not self.checks:
            return "there was no model to compare with, so it serves from now on"
        return "what passes takes the place by itself, after its shadow nights where the settings ask for them"

    @property
    def backtest(self) -> tuple[BacktestRow, ...]:
        """Scores of both models: overall, then by metric, the largest losses first."""
        return () if self.facts.comparison is None else backtest_rows(self.facts.comparison, self.metrics)

    @property
    def residuals(self) -> tuple[ResidualBar, ...]:
        """Residuals by resource and quarter of the horizon; none of a detector."""
        return () if self.facts.comparison is None else residual_bars(self.facts.comparison.residuals)

    @property
    def drifts(self) -> tuple[DriftBar, ...]:
        """How far what the champion learned from has moved, the farthest first."""
        return drift_bars(self.facts.drift)

    @property
    def chances(self) -> Chances | None:
        """How good the chances to cross a limit were, all together; None where nothing has a limit."""
        chances = judgement_of(self.skills, self.metrics).chances
        return chances[0] if chances else None


def backtest_rows(comparison: Comparison, metrics: Mapping[str, Metric]) -> tuple[BacktestRow, ...]:
    """Scores of the metrics that the newer model was judged on."""
    names = [name.removesuffix(".crps") for name in comparison.challenger if name.endswith(".crps")]

    def row(name: str) -> BacktestRow:
        new, old = (
            [scores.get(f"{name}.{score}", math.nan) for score in ("crps", "mase", "coverage")]
            for scores in (comparison.challenger, comparison.champion)
        )
        title = "All metrics together" if name == ALL else metrics[name].label if name in metrics else name
        return BacktestRow(
            title=title, crps=new[0], champion_crps=old[0], mase=new[1], champion_mase=old[1],
            coverage=new[2], champion_coverage=old[2],
        )  # fmt: skip

    rows = {name: row(name) for name in names}
    return tuple(rows[name] for name in sorted(names, key=lambda n: (n != ALL, *_worst_first(rows[n]))))


def _worst_first(row: BacktestRow) -> Sequence[object]:
    return (-row.crps if math.isfinite(row.crps) else math.inf, row.title)
