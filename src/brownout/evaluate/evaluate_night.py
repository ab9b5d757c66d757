"""Judge whole nights as they ship: what consecutive nightly reports say against what really happened."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.metrics import Metric
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.evaluate.evaluate_warnings import judged_warnings
from brownout.evaluate.night_tables import (
    EPISODES,
    TOLD,
    WARNINGS,
    Row,
    cause_rows,
    episode_rows,
    frame,
    warning_rows,
    write_rows,
)
from brownout.evaluate.night_truth import FolderTruth, crossings_of, guests_of
from brownout.evaluate.replay import Replayed, night_times, replay_nights
from brownout.evaluation.nights import (
    Fate,
    JudgedNights,
    Lost,
    NightTruth,
    false_lines,
    fates_of,
    judge_nights,
    night_scores,
)
from brownout.settings import Settings
from brownout.store.plain_json import write_json

__all__ = ["evaluate_night", "judged_incidents"]


def evaluate_night(  # noqa: PLR0913 - the protocol has this many knobs
    store: SampleStore,
    out: Path,
    *,
    settings: Settings | None = None,
    nights: int | None = None,
    first: np.datetime64 | None = None,
    progress: Progress = no_progress,
) -> dict[str, object]:
    """Write ``told.parquet``, ``episodes.parquet``, ``warnings.parquet`` and ``scores.json``; returns the scores.

    Nights are a day apart, from ``first`` on, else the last ones of the data. Incidents are judged by the labels of the
    folder; without any, only the tables are filled. Windows of announced maintenance are the folder's.
    """
    started = time.monotonic()
    settings = settings or Settings()
    truth = FolderTruth.of(store, Knowledge.load(settings.knowledge))
    tables = _Tables()
    times = night_times(store, number=nights, first=first)
    for night in replay_nights(store, settings, times, calendar=truth.calendar, progress=progress):
        tables.add(night)
    write_rows(out / "told.parquet", tables.causes, TOLD)
    write_rows(out / "episodes.parquet", tables.episodes, EPISODES)
    write_rows(out / "warnings.parquet", tables.warnings, WARNINGS)
    result: dict[str, object] = {
        "nights": [str(time) for time in times],
        "guests": guests_of(store),
        "days_searched": round(tables.days, 2),
        "lines_a_night": round(
            len({(r["night"], r["incident"]) for r in tables.causes if r["alarmed"]}) / len(times), 2
        ),
    }
    if truth.night is not None:
        causes, episodes = frame(tables.causes, TOLD), frame(tables.episodes, EPISODES)
        result |= judged_incidents(causes, episodes, truth.night, times, guests=guests_of(store), days=tables.days)
    result["warnings"] = judged_warnings(
        frame(tables.warnings, WARNINGS),
        crossings_of(store, tables.metrics, truth),
        np.array(times, "datetime64[ms]"),
        guests=guests_of(store),
        horizon_s=settings.forecast.steps * settings.forecast.step_minutes * 60.0,
    )
    result["seconds"] = round(time.monotonic() - started, 1)
    write_json(out / "scores.json", result)
    return result


@dataclass(slots=True)
class _Tables:
    """The rows of all nights: causes of incidents, episodes and warnings."""

    causes: list[Row] = field(default_factory=list)
    episodes: list[Row] = field(default_factory=list)
    warnings: list[Row] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    start: np.datetime64 | None = None
    end: np.datetime64 | None = None

    def add(self, night: Replayed) -> None:
        """Keep a night."""
        self.causes += cause_rows(night)
        self.episodes += episode_rows(night)
        self.warnings += warning_rows(night.result.night.breaches, night.time)
        self.metrics |= night.context.metrics
        self.start = night.context.span.window if self.start is None else min(self.start, night.context.span.window)
        self.end = night.time

    @property
    def days(self) -> float:
        """Days that were searched by any night."""
        if self.start is None or self.end is None:
            return 0.0
        return float((self.end - self.start) / np.timedelta64(86_400_000, "ms"))


def judged_incidents(  # noqa: PLR0913 - what an incident list is judged by
    causes: pd.DataFrame,
    episodes: pd.DataFrame,
    truth: NightTruth,
    times: Sequence[np.datetime64],
    *,
    guests: int,
    days: float,
) -> dict[str, object]:
    """Scores of the incident list, what was lost where, what is false, and true faults among what was suppressed.

    ``causes`` is the table of ``told.parquet``, ``episodes`` that of ``episodes.parquet``; ``days`` were searched by
    any night.
    """
    listed = causes[causes["alarmed"].astype(bool)]
    judged = judge_nights(listed, truth, nights=times)
    fates = fates_of(judged, listed, episodes, truth)
    false = false_lines(judged, truth)
    return {
        "incidents": night_scores(judged, guests=guests, days=days),
        "fates": {fate.value: n for fate in Fate if (n := sum(one.fate is fate for one in fates))},
        "suppressed_true": sum(one.fate.suppressed for one in fates),
        "lost": [_lost(one) for one in fates if one.fate is not Fate.TOLD],
        "still_open": _still_open(judged),
        "false_by_cause": dict(Counter(str(line["cause"]) for line in false).most_common()),
        "false": false,
        "suppressed_by": dict(Counter(episodes.loc[episodes["why"] != "", "why"]).most_common()),
        "quiet_lines": len(causes) - len(listed),
    }


def _lost(lost: Lost) -> dict[str, object]:
    incident = lost.label.incident
    return {
        "incident": incident.id, "cause": incident.cause, "entity": incident.entity, "start": str(incident.start),
        "end": str(incident.end), "fate": lost.fate.value, "night": str(lost.night), "said": lost.explanation,
    }  # fmt: skip


def _still_open(judged: JudgedNights) -> list[dict[str, object]]:
    """Answers whose state is wrong: told as going on though over, or as over though going on."""
    episodes = []
    for row in judged.pairs[judged.pairs["line"] >= 0].to_dict("records"):
        label, line = judged.labels[row["incident"]], judged.lines.iloc[row["line"]]
        night = np.datetime64(row["night"], "ms")
        over = judged.limits.over(label, night)
        if over is not None and bool(line["open"]) == over:
            episodes.append(
                {
                    "incident": label.incident.id, "cause": label.incident.cause, "told": str(line["cause"]),
                    "night": str(night), "end": str(label.incident.end), "told_open": bool(line["open"]),
                }
            )  # fmt: skip
    return episodes
