"""Tables of a training as files: the backtest by metric, for spreadsheets and MLflow's own viewer."""

import csv
import io
from collections.abc import Mapping, Sequence

from brownout.domain.encoding import visible
from brownout.domain.forecasts import Skill
from brownout.domain.metrics import Metric

__all__ = ["BACKTEST", "card_tables"]

BACKTEST = "backtest.csv"
SCORES = ("mase", "crps", "coverage", "coverage_50", "coverage_90", "brier", "brier_base")


def card_tables(skills: Sequence[Skill], metrics: Mapping[str, Metric]) -> dict[str, str]:
    """The backtest of a forecaster as CSV, all metrics together first; nothing of a detector."""
    if not skills:
        return {}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("metric", "title", "forecaster", "windows", *SCORES))
    for skill in sorted(skills, key=lambda one: one.metric):
        title = metrics[skill.metric].label if skill.metric in metrics else skill.metric
        scores = [f"{getattr(skill, name):.6g}" for name in SCORES]
        row = (skill.metric or "all", title or "All metrics together", skill.maker, skill.windows, *scores)
        table.writerow(visible(str(value)) for value in row)
    return {BACKTEST: text.getvalue()}
