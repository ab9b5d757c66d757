"""What nightly reports told of incidents against what really happened: found, named, state, start, identity, false."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brownout.evaluation.nights.labelled_truth import Labelled, NightTruth
from brownout.evaluation.nights.line_matching import Pair, Tolerance, Verdict, matched

__all__ = ["JudgedNights", "judge_nights", "night_scores"]

FIRST = 3
"""Places of "Do first" that count."""
PAIR = ["night", "incident", "line", "entity_right", "cause_right", "family_right", "due"]

Score = float | int | None


@dataclass(frozen=True, eq=False)
class JudgedNights:
    """Each line of each night with its verdict, and each incident that was due or had a line, with that line.

    ``lines`` are those of the likeliest cause of each incident and night, with the column ``verdict``; ``pairs`` has
    night, incident (the label's id), line (row of ``lines``, -1 = none), entity_right, cause_right, family_right, and
    ``due``: False for what is told although it is long over, or has just begun.
    """

    lines: pd.DataFrame
    pairs: pd.DataFrame
    labels: Mapping[str, Labelled]
    limits: Tolerance


def judge_nights(
    cause_rows: pd.DataFrame,
    truth: NightTruth,
    *,
    nights: Sequence[np.datetime64] = (),
    tolerance: Tolerance | None = None,
) -> JudgedNights:
    """Give every line its verdict and every due incident its line.

    ``cause_rows`` has night, incident, entity, cause, probability, start, open, alarmed and rank (0 = not among
    "Do first"); several causes of an incident are several rows. ``nights`` are those replayed: some may have no line.
    """
    limits = tolerance or Tolerance()
    lines = _likeliest(cause_rows)
    when = lines["night"].to_numpy("datetime64[ms]")
    verdicts = np.full(len(lines), Verdict.FALSE, object)
    pairs: list[dict[str, object]] = []
    for night in np.unique(np.concatenate([np.array(list(nights), "datetime64[ms]"), when])):
        here = np.flatnonzero(when == night)
        begun = [label for label in truth.labels if label.incident.start <= night]
        matches = matched(lines.iloc[here], here, begun, truth, limits)
        for line in here:
            verdicts[line] = _alone(lines.iloc[line], truth, limits)
        for pair in matches:
            verdicts[pair.line] = Verdict.RIGHT if pair.right else Verdict.MISNAMED
        rows = [
            _row(night, label, matches, lines, truth.families) | {"due": limits.due(label, night)} for label in begun
        ]
        pairs += [row for row in rows if row["due"] or row["line"] != -1]
    table = pd.DataFrame(pairs, columns=PAIR)
    labels = {label.incident.id: label for label in truth.labels}
    return JudgedNights(lines.assign(verdict=verdicts), table, labels, limits)


def _likeliest(cause_rows: pd.DataFrame) -> pd.DataFrame:
    """The likeliest cause of each incident of each night, in order of nights and ranks; times without a zone."""
    first = cause_rows.sort_values("probability", ascending=False, kind="stable").drop_duplicates(["night", "incident"])
    lines = first.sort_values(["night", "rank", "incident"], kind="stable").reset_index(drop=True)
    for name in ("night", "start"):
        lines[name] = pd.to_datetime(lines[name], utc=True).dt.tz_localize(None).astype("datetime64[ms]")
    return lines


def _alone(line: "pd.Series[Any]", truth: NightTruth, limits: Tolerance) -> Verdict:
    """The verdict of a line that answers for no incident."""
    start, root = np.datetime64(str(line["start"]), "ms"), truth.root(str(line["entity"]))
    for label in truth.labels:
        if root in label.roots and limits.within(start, label.onset, label.incident.end):
            return Verdict.EXTRA
    for event in truth.harmless:
        near = event.root == root and limits.within(start, event.start, event.end)
        if near and not line["alarmed"] and str(line["cause"]) in event.causes:
            return Verdict.HARMLESS
    return Verdict.FALSE


def _row(
    night: np.datetime64, label: Labelled, matches: Sequence[Pair], lines: pd.DataFrame, families: Mapping[str, str]
) -> dict[str, object]:
    own = next((pair for pair in matches if pair.label is label), None)
    if own is None:
        return dict(zip(PAIR[:-1], (night, label.incident.id, -1, False, False, False), strict=True))
    cause = str(lines["cause"].iloc[own.line])
    family = own.cause_right or (label.family != "" and families.get(cause, cause) == label.family)
    values = (night, label.incident.id, own.line, own.entity_right, own.cause_right, family)
    return dict(zip(PAIR[:-1], values, strict=True))


def night_scores(judged: JudgedNights, *, guests: int, days: float) -> dict[str, Score]:
    """Shares and counts over all nights; None where there is nothing to count.

    Of the incidents that were due: ``found`` had a line, ``told`` one with the right entity and cause, on any night
    (``told_first``: the first one due, ``told_nights``: of all pairs of incident and night); ``silenced`` were found
    and never alarmed. Of the lines but those of harmless events: ``true_share`` are right, ``related_share`` not false,
    ``first_three_true`` right among the first three of "Do first". ``false`` counts ids that are of nothing on any
    night, each once. Starts are off by ``start_error_s`` in the median, on the first night that tells.
    ``first_moved_right`` is the share of the answers whose first metric is one that the incident moves, where the
    lines have the columns ``first_entity`` and ``first_metric``.
    """
    lines = judged.lines
    related = lines["verdict"].isin([Verdict.RIGHT, Verdict.MISNAMED, Verdict.EXTRA])
    false = set(lines.loc[lines["verdict"] == Verdict.FALSE, "incident"]) - set(lines.loc[related, "incident"])
    rung = set(lines.loc[lines["alarmed"].astype(bool), "incident"]) & false
    counted = lines[lines["verdict"] != Verdict.HARMLESS]
    first = counted[(counted["rank"] >= 1) & (counted["rank"] <= FIRST)]
    return {
        **_detection_scores(judged),
        "lines": len(lines),
        "true_share": _share(counted["verdict"] == Verdict.RIGHT),
        "related_share": _share(counted["verdict"] != Verdict.FALSE),
        "first_three_true": _share(first["verdict"] == Verdict.RIGHT),
        "extra": int((lines["verdict"] == Verdict.EXTRA).sum()),
        "false": len(false),
        "false_per_guest_day": round(len(false) / (guests * days), 5),
        "false_alarms_per_guest_day": round(len(rung) / (guests * days), 5),
        **_states(judged),
        "first_moved_right": _first_moved(judged),
        "identity_stable": _stable(judged),
    }


def _detection_scores(judged: JudgedNights) -> dict[str, Score]:
    pairs = judged.pairs[judged.pairs["due"].astype(bool)]
    pairs = pairs.sort_values("night", kind="stable").reset_index(drop=True)
    pairs = pairs.assign(found=pairs["line"] >= 0, right=pairs["entity_right"] & pairs["cause_right"])
    names = ["found", "right", "entity_right", "cause_right", "family_right"]
    best = pairs.groupby("incident")[names].any()
    answered = pairs[pairs["found"]]
    alarmed = judged.lines["alarmed"].to_numpy(bool)[answered["line"].to_numpy(int)]
    rung = answered.assign(rung=alarmed).groupby("incident")["rung"].any()
    return {
        "incidents": len(best),
        "found": _share(best["found"]),
        "told": _share(best["right"]),
        "told_first": _share(pairs.groupby("incident")["right"].first()),
        "told_nights": _share(pairs["right"]),
        "entity_right": _share(best["entity_right"]),
        "cause_right": _share(best["cause_right"]),
        "family_right": _share(best["family_right"]),
        "silenced": int((~rung.astype(bool)).sum()),
    }


def _states(judged: JudgedNights) -> dict[str, Score]:
    """Whether open and over are right, and how far starts are off, in seconds."""
    states: list[bool] = []
    errors: dict[str, float] = {}
    answered = judged.pairs[judged.pairs["line"] >= 0].sort_values("night", kind="stable")
    for night, name, line in zip(_array(answered["night"]), answered["incident"], answered["line"], strict=True):
        label, answer = judged.labels[name], judged.lines.iloc[int(line)]
        over = judged.limits.over(label, night)
        if over is not None:
            states.append(bool(answer["open"]) != over)
        start = _array(judged.lines["start"])[int(line)]
        errors.setdefault(name, label.start_error_s(start))
    off_by = list(errors.values())
    return {
        "state_right": round(float(np.mean(states)), 4) if states else None,
        "start_error_s": float(np.median(off_by)) if off_by else None,
        "start_error_p90_s": float(np.quantile(off_by, 0.9)) if off_by else None,
    }


def _first_moved(judged: JudgedNights) -> float | None:
    """Share of the answers whose first metric is one that their incident moves; None where nothing says which it is."""
    if not {"first_entity", "first_metric"} <= set(judged.lines.columns):
        return None
    answered = judged.pairs[judged.pairs["line"] >= 0]
    firsts = judged.lines[["first_entity", "first_metric"]].iloc[answered["line"].to_numpy(int)]
    marks = [
        judged.labels[name].moves(str(entity), str(metric))
        for name, entity, metric in zip(
            answered["incident"], firsts["first_entity"], firsts["first_metric"], strict=True
        )
        if metric
    ]
    return round(float(np.mean(marks)), 4) if marks else None


def _stable(judged: JudgedNights) -> float | None:
    """Share of the steps from night to night in which an incident keeps its id, and the id is of no other incident."""
    answered = judged.pairs[judged.pairs["line"] >= 0].sort_values("night", kind="stable")
    ids = judged.lines["incident"].astype(str).to_numpy()[answered["line"].to_numpy(int)]
    owners, used = defaultdict(set), defaultdict(list)
    for incident, name in zip(answered["incident"], ids, strict=True):
        owners[name].add(incident)
        used[incident].append(name)
    steps = [a == b and len(owners[b]) == 1 for own in used.values() for a, b in pairwise(own)]
    return round(float(np.mean(steps)), 4) if steps else None


def _array(column: "pd.Series[Any]") -> npt.NDArray[np.datetime64]:
    return column.to_numpy("datetime64[ms]")


def _share(marks: "pd.Series[bool]") -> float | None:
    return round(float(marks.astype(bool).mean()), 4) if len(marks) else None
