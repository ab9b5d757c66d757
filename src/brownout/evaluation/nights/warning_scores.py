"""Warnings of crossed limits against the crossings that came: precision, recall, lead, dates, flaps, skill."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Crossing", "Replay", "warning_scores", "windows_of"]

WARN = 0.5
"""Probability from which a line is a warning."""

Times = npt.NDArray[np.datetime64]
Marks = npt.NDArray[np.bool_]
Score = float | int | None
SERIES = ["entity", "metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A limit crossed from ``time`` until ``until``; ``since`` is when it could be foreseen, None where it could not.

    A ``brief`` one needs no warning, but a warning of it is not false.
    """

    entity: str
    metric: str
    time: np.datetime64
    until: np.datetime64
    since: np.datetime64 | None = None
    brief: bool = False


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What was replayed.

    ``nights`` in order, how far each looks ahead, the (entity, metric) ``watched`` that a warning may be of, the time
    of the first sample (``start``: what was crossed from there on is known to later nights), and how many guests.
    """

    nights: Times
    horizon: np.timedelta64
    watched: Sequence[tuple[str, str]]
    start: np.datetime64
    guests: int

    @property
    def days(self) -> float:
        """Days that the nights stand for."""
        steps = np.diff(self.nights) if len(self.nights) > 1 else np.array([np.timedelta64(1, "D")])
        return float(np.median(steps / np.timedelta64(1, "D"))) * len(self.nights)


def warning_scores(lines: pd.DataFrame, crossings: Sequence[Crossing], replay: Replay) -> dict[str, dict[str, Score]]:
    """Scores by metric, and "overall".

    ``lines`` has night, entity, metric, probability, earliest, likely, latest. A warning (probability of 0.5 or more)
    is true when the limit is crossed within the horizon, and does not count where it is crossed already. ``recall`` is
    of the crossings that are not brief and have a night within the horizon before them on which the limit is not
    crossed already, ``recall_foreseeable`` of those that one of these nights could foresee. ``lead_s`` is the median
    from the first warning to the crossing, ``dates_inside`` the share of true warnings with the crossing between
    earliest and latest (a missing latest lies after the horizon), ``flaps`` counts warnings taken back and given again
    before anything was crossed.
    ``brier_skill`` is over a climatology that each night knows: the metric's share of earlier windows with a crossing.
    None where there is nothing to count.
    """
    windows = windows_of(lines, crossings, replay)
    events = _events(crossings, windows, replay)
    names = sorted(set(windows["metric"]) | set(events["metric"]))
    parts = {name: (windows[windows["metric"] == name], events[events["metric"] == name]) for name in names}
    return {"overall": _scores(windows, events, replay)} | {
        name: _scores(*part, replay) for name, part in parts.items()
    }


def windows_of(lines: pd.DataFrame, crossings: Sequence[Crossing], replay: Replay) -> pd.DataFrame:
    """A row for each night and watched series, in order of series and night.

    Columns night, entity, metric, probability (0 where no line is), earliest, latest, ``crossed`` (time of the first
    crossing within the horizon, NaT where none is), ``beyond`` (the limit is crossed already) and ``rate`` (the known
    share of windows with a crossing).
    """
    series = pd.DataFrame(list(replay.watched), columns=SERIES, dtype=object)
    parsed = lines.assign(**{name: _utc(lines[name]) for name in ("night", "earliest", "latest")})
    warnings = parsed[["night", *SERIES, "probability", "earliest", "latest"]].drop_duplicates(
        ["night", *SERIES], keep="last"
    )
    every = pd.concat([series[SERIES], warnings[SERIES]]).drop_duplicates(ignore_index=True)
    nights = pd.DataFrame({"night": replay.nights.astype("datetime64[ms]")})
    windows = every.merge(nights, how="cross").merge(warnings, how="left", on=["night", *SERIES])
    windows["probability"] = windows["probability"].fillna(0.0).clip(0, 1)
    by_series = _by_series(crossings)
    ahead = [
        _ahead(by_series.get((entity, metric), []), night, replay.horizon)
        for entity, metric, night in zip(
            windows["entity"], windows["metric"], windows["night"].to_numpy("datetime64[ms]"), strict=True
        )
    ]
    windows["crossed"] = np.array([time for time, _ in ahead], "datetime64[ms]")
    windows["beyond"] = np.array([beyond for _, beyond in ahead], bool)
    windows["rate"] = _known_rates(windows, crossings, replay)
    return windows


def _utc(column: "pd.Series[Any]") -> "pd.Series[pd.Timestamp]":
    return pd.to_datetime(column, utc=True).dt.tz_localize(None).astype("datetime64[ms]")


def _by_series(crossings: Sequence[Crossing]) -> dict[tuple[str, str], list[Crossing]]:
    table: dict[tuple[str, str], list[Crossing]] = {}
    for crossing in sorted(crossings, key=lambda one: one.time):
        table.setdefault((crossing.entity, crossing.metric), []).append(crossing)
    return table


def _ahead(own: Sequence[Crossing], night: np.datetime64, horizon: np.timedelta64) -> tuple[np.datetime64, bool]:
    """The first crossing that begins within the horizon after a night, NaT for none, and whether one is going on."""
    later = (c.time for c in own if night < c.time <= night + horizon)
    return next(later, np.datetime64("NaT", "ms")), any(c.time <= night <= c.until for c in own)


def _known_rates(windows: pd.DataFrame, crossings: Sequence[Crossing], replay: Replay) -> npt.NDArray[np.float64]:
    """Share of the series and windows before a night in which a metric was crossed.

    Half a crossing and one window are added (Krichevsky and Trofimov): never a share of 0.
    """
    entities = windows.groupby("metric")["entity"].nunique()
    rates: dict[tuple[str, np.datetime64], float] = {}
    for night in replay.nights.astype("datetime64[ms]"):
        earlier = max(int((night - replay.start) / replay.horizon), 0)
        hit: dict[str, set[tuple[str, int]]] = {}
        for crossing in crossings:
            window = int((night - crossing.time) / replay.horizon)
            if crossing.time <= night and window < earlier:
                hit.setdefault(crossing.metric, set()).add((crossing.entity, window))
        for metric, number in entities.items():
            rates[str(metric), night] = (len(hit.get(str(metric), ())) + 0.5) / (number * earlier + 1)
    pairs = zip(windows["metric"], windows["night"].to_numpy("datetime64[ms]"), strict=True)
    return np.array([rates[metric, night] for metric, night in pairs], np.float64)


def _events(crossings: Sequence[Crossing], windows: pd.DataFrame, replay: Replay) -> pd.DataFrame:
    """A row for each crossing that is not brief and has a night within the horizon before it that is not beyond yet.

    ``warned`` is the first night with a warning of it within the horizon, NaT where none is; ``foreseeable`` whether
    one of these nights could foresee it.
    """
    raised = windows[(windows["probability"] >= WARN) & ~windows["beyond"]]
    warned = {key: group["night"].to_numpy("datetime64[ms]") for key, group in raised.groupby(SERIES)}
    rows = []
    by_series = _by_series(crossings)
    nights = replay.nights.astype("datetime64[ms]")
    for crossing in crossings:
        near = nights[(nights < crossing.time) & (nights >= crossing.time - replay.horizon)]
        before = near[
            [not _ahead(by_series[crossing.entity, crossing.metric], night, replay.horizon)[1] for night in near]
        ]
        if crossing.brief or not len(before):
            continue
        own = warned.get((crossing.entity, crossing.metric), np.array([], "datetime64[ms]"))
        good = own[(own < crossing.time) & (own >= crossing.time - replay.horizon)]
        first = good.min() if len(good) else np.datetime64("NaT", "ms")
        foreseeable = crossing.since is not None and bool((before >= crossing.since).any())
        rows.append((crossing.entity, crossing.metric, crossing.time, first, foreseeable))
    return pd.DataFrame(rows, columns=[*SERIES, "time", "warned", "foreseeable"])


def _scores(windows: pd.DataFrame, events: pd.DataFrame, replay: Replay) -> dict[str, Score]:
    raised = windows[(windows["probability"] >= WARN) & ~windows["beyond"]]
    true = raised[raised["crossed"].notna()]
    false = len(raised) - len(true)
    caught = events["warned"].notna()
    lead = (_array(events["time"]) - _array(events["warned"]))[caught.to_numpy(bool)] / np.timedelta64(1000, "ms")
    inside = (true["crossed"] >= true["earliest"]) & ~(true["crossed"] > true["latest"])
    open_windows = windows[~windows["beyond"]]
    happened = open_windows["crossed"].notna()
    loss = float(((open_windows["probability"] - happened) ** 2).sum())
    naive = float(((open_windows["rate"] - happened) ** 2).sum())
    return {
        "warnings": len(raised),
        "false": false,
        "precision": _share(raised["crossed"].notna()),
        "crossings": len(events),
        "recall": _share(caught),
        "recall_foreseeable": _share(caught[events["foreseeable"].astype(bool)]),
        "lead_s": float(np.median(lead)) if len(lead) else None,
        "dates_inside": _share(inside),
        "false_per_guest_day": round(false / (replay.guests * replay.days), 5),
        "flaps": _flaps(windows),
        "brier_skill": round(1 - loss / naive, 4) if naive > 0 else None,
    }


def _flaps(windows: pd.DataFrame) -> int:
    """Warnings given again after a night without one, while nothing was crossed in between."""
    total = 0
    for _, own in windows.sort_values("night").groupby(SERIES):
        on = (own["probability"] >= WARN).to_numpy(bool)
        crossed = own["beyond"].to_numpy(bool) | (own["crossed"].shift() <= own["night"]).to_numpy(bool)
        warned_before, gone = False, False
        for warned, over in zip(on, crossed, strict=True):
            if over:
                warned_before, gone = False, False
            elif warned:
                total += gone
                warned_before, gone = True, False
            else:
                gone = warned_before
    return total


def _array(column: "pd.Series[Any]") -> Times:
    return column.to_numpy("datetime64[ms]")


def _share(marks: "pd.Series[bool]") -> float | None:
    return round(float(marks.astype(bool).mean()), 4) if len(marks) else None
