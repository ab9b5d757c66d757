"""Judge warnings of crossed limits by rolling origins: those of the night, beside plain alert rules and habit."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.calendar import Calendar
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel, Times
from brownout.domain.ports import Progress, SampleStore, no_progress
from brownout.evaluate.night_tables import TEXT, TIME, WARNINGS, Row, frame, warning_rows, write_rows
from brownout.evaluate.night_truth import Crossed, FolderTruth, crossings_of, guests_of
from brownout.evaluate.replay import context_at, end_of, models_of, night_times
from brownout.evaluate.warning_peers import NAIVE, PEERS
from brownout.evaluation.nights import Replay, warning_scores
from brownout.nightly.context import NightContext
from brownout.nightly.panels import forecast_panel
from brownout.nightly.score_shard import plan_night, score_shard
from brownout.numerics.slots import days
from brownout.settings import Settings
from brownout.store.plain_json import write_json
from brownout.store.workspace import Workspace

__all__ = ["evaluate_warnings", "judged_warnings"]

EVERY_CHANCE = 1e-4
"""Least chance that is written: what a night does not show as too improbable is judged too, by its Brier score."""
EVERY_H = 6.0
"""Hours from one origin to the next where nobody says."""
ORIGINS = pa.schema([("origin", TIME), *list(WARNINGS)[1:]])
"""``warnings.parquet``: as that of the nights, by origin."""
PEER_ROWS = pa.schema([("peer", TEXT), *list(ORIGINS)])
"""``peers.parquet``: the same by each peer."""
Scores = dict[str, Any]


def evaluate_warnings(  # noqa: PLR0913 - the protocol has this many knobs
    store: SampleStore,
    out: Path,
    *,
    settings: Settings | None = None,
    nights: int | None = None,
    first: np.datetime64 | None = None,
    every_h: float = EVERY_H,
    progress: Progress = no_progress,
) -> dict[str, object]:
    """Write ``warnings.parquet``, ``peers.parquet`` and ``scores.json``; returns the scores.

    Chances of all series are written, a probability of one half or more is a warning.
    Models are trained at the times of the nights, where these would train them, and warn every ``every_h`` hours of the
    day after. Peers see the same samples at the same origins.
    """
    started = time.monotonic()
    settings = _every_chance(settings or Settings())
    truth = FolderTruth.of(store, Knowledge.load(settings.knowledge))
    times = night_times(store, number=nights, first=first)
    tables = _Warned()
    for done, (context, origin) in enumerate(_origins(store, settings, times, every_h, truth.calendar)):
        tables.add(context, origin)
        progress("origins", (done + 1) / (len(times) * max(round(24 / every_h), 1)))
    write_rows(out / "warnings.parquet", tables.own, ORIGINS)
    write_rows(out / "peers.parquet", tables.peers, PEER_ROWS)
    result = _judged(tables, store, truth)
    result["seconds"] = round(time.monotonic() - started, 1)
    write_json(out / "scores.json", result)
    return result


def _every_chance(settings: Settings) -> Settings:
    """Settings that show all chances."""
    shown = settings.forecast.model_copy(update={"min_probability": EVERY_CHANCE})
    return settings.model_copy(update={"forecast": shown})


def _origins(
    store: SampleStore, settings: Settings, times: Sequence[np.datetime64], every_h: float, calendar: Calendar
) -> Iterator[tuple[NightContext, np.datetime64]]:
    """Contexts with the models of the last night, at each origin of its day that the data reach.

    Each origin searches for episodes as a night does, without the state of the one before.
    """
    step, end = days(every_h / 24), end_of(store)
    with TemporaryDirectory(prefix="brownout-replay-") as folder:
        for night in times:
            context = context_at(store, settings, night, calendar=calendar)
            models = replace(models_of(context, Workspace(Path(folder))), outlook=None)  # the day ahead is judged
            origin = night
            while origin < night + days(1) and origin <= end:
                yield context_at(store, settings, origin, calendar=calendar).with_models(models), origin
                origin = origin + step


@dataclass(slots=True)
class _Warned:
    """Warnings of all origins."""

    own: list[Row] = field(default_factory=list)
    peers: list[Row] = field(default_factory=list)
    origins: list[np.datetime64] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    horizon_s: float = 86_400.0

    def add(self, context: NightContext, origin: np.datetime64) -> None:
        """Warn from an origin, as the night and as each peer."""
        settings = context.settings.forecast
        self.horizon_s = settings.steps * settings.step_minutes * 60.0
        self.metrics |= context.metrics
        self.origins.append(origin)
        for plan in plan_night(context):
            own = score_shard(context, plan).forecast
            self.own += warning_rows(own.breaches if own else (), origin, "origin")
            whole = context.usual_panel(plan)
            if not whole.metrics:
                continue
            coarse = forecast_panel(whole, settings)
            for name, rows in self._of_peers(whole, coarse, context.metrics, origin):
                self.peers += [{"peer": name, **row} for row in rows]

    def _of_peers(
        self, whole: Panel, coarse: Panel, metrics: Mapping[str, Metric], origin: np.datetime64
    ) -> Iterator[tuple[str, list[Row]]]:
        known = {name: metrics[name] for name in whole.metric_names}
        if coarse.values.shape[1]:
            for name, warn in PEERS.items():
                yield name, warning_rows(warn(whole, coarse, known, self.horizon_s), origin, "origin")


def _judged(tables: _Warned, store: SampleStore, truth: FolderTruth) -> dict[str, object]:
    crossed = crossings_of(store, tables.metrics, truth)
    origins = np.array(tables.origins, "datetime64[ms]")
    own, peers = frame(tables.own, ORIGINS), frame(tables.peers, PEER_ROWS)
    result: dict[str, object] = {
        "origins": len(origins),
        **judged_warnings(own, crossed, origins, guests=guests_of(store), horizon_s=tables.horizon_s),
    }
    table = {
        name: _overall(
            judged_warnings(
                peers[peers["peer"] == name], crossed, origins, guests=guests_of(store), horizon_s=tables.horizon_s
            )
        )
        for name in PEERS
    }
    result["peers"] = table
    result["best_naive"] = max(NAIVE, key=lambda name: _balance(table[name]))
    return result


def _overall(judged: Mapping[str, Any]) -> Scores:
    overall: Scores = judged.get("scores", {}).get("overall", {})
    return overall


def _balance(scores: Scores) -> float:
    """The harmonic mean of precision and recall; 0 where there is neither."""
    precision, recall = scores.get("precision") or 0.0, scores.get("recall") or 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def judged_warnings(
    warned: pd.DataFrame, crossed: Crossed, times: Times, *, guests: int, horizon_s: float
) -> dict[str, Any]:
    """Scores of warnings by metric, of the times whose horizon is known, and of chances within that horizon.

    ``metrics_with_skill`` counts the metrics whose chances were no worse than the known climatology, of all that have a
    limit, also those without a warning or a crossing, whose other scores are left out.
    ``warned`` has its times in ``night`` or ``origin``. Those of the weeks ahead are counted apart, each series once,
    as warned first: what came true in the time that is known, what did not by its latest date, and the rest.
    """
    horizon = np.timedelta64(round(horizon_s * 1000), "ms")
    lines = warned.rename(columns={"origin": "night"})
    known = times[times + horizon <= crossed.known_until]
    when = pd.to_datetime(lines["night"], utc=True).dt.tz_localize(None).to_numpy("datetime64[ms]")
    near = (lines["horizon_s"] <= horizon_s * 1.01).to_numpy(bool)
    result: dict[str, Any] = {"judged": len(known), "series": len(crossed.series), "crossings": len(crossed.crossings)}
    if len(known):
        replay = Replay(
            nights=known, horizon=horizon, watched=crossed.series, start=crossed.since, guests=max(guests, 1)
        )
        every = warning_scores(lines[near & np.isin(when, known)], crossed.crossings, replay)
        result["scores"] = {
            name: one for name, one in every.items() if name == "overall" or one["warnings"] or one["crossings"]
        }
        skills = [one["brier_skill"] for name, one in every.items() if name != "overall"]
        result["metrics_with_skill"] = {
            "at_least_0": sum(skill is not None and skill >= 0 for skill in skills),
            "of": len(skills),
        }
    if not near.all():
        result["weeks_ahead"] = _weeks_ahead(lines[~near], crossed)
    return result


def _weeks_ahead(lines: pd.DataFrame, crossed: Crossed) -> dict[str, int]:
    likely = lines[lines["probability"] >= 0.5].sort_values("night").drop_duplicates(["entity", "metric"])
    true = wrong = 0
    for line in likely.to_dict("records"):
        night, series = _utc(line["night"]), (line["entity"], line["metric"])
        own = any(
            (crossing.entity, crossing.metric) == series and crossing.time > night for crossing in crossed.crossings
        )
        over = night + np.timedelta64(round(line["horizon_s"] * 1000), "ms")
        last = over if pd.isna(line["latest"]) else _utc(line["latest"])
        true += own
        wrong += not own and bool(last < crossed.known_until)
    return {"warned": len(likely), "true": true, "wrong": wrong, "not_known_yet": len(likely) - true - wrong}


def _utc(time: pd.Timestamp) -> np.datetime64:
    return np.datetime64(time.tz_localize(None), "ms")
