"""Where true incidents get lost on the way from the samples to the report, and what false lines are about."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from brownout.domain.findings import UNKNOWN
from brownout.evaluation.nights.labelled_truth import Labelled, NightTruth
from brownout.evaluation.nights.line_matching import Verdict
from brownout.evaluation.nights.night_scores import JudgedNights

__all__ = ["Fate", "Lost", "false_lines", "fates_of"]


class Fate(StrEnum):
    """How far an incident came, from nothing to told; the furthest of all nights counts."""

    NEVER = "never an episode"
    ELSEWHERE = "an episode of another entity of its host only"
    OUTLIER = "suppressed as outlier"
    MOVED = "suppressed as moved"
    FEEDBACK = "suppressed by feedback"
    ARTEFACT = "suppressed as artefact"
    CHANCE = "suppressed by chance"
    EVIDENCE = "suppressed without evidence"
    GROUPED = "grouped into another incident"
    MISNAMED = "wrong entity and cause"
    CAUSE_UNKNOWN = "cause unknown"
    WRONG_CAUSE = "wrong cause"
    WRONG_ENTITY = "wrong entity"
    BESIDE = "told as a further cause of another incident"
    TOLD = "told"

    @property
    def suppressed(self) -> bool:
        """Whether its episodes were seen and raised no alarm."""
        return self in {Fate.OUTLIER, Fate.MOVED, Fate.FEEDBACK, Fate.ARTEFACT, Fate.CHANCE, Fate.EVIDENCE}


ORDER = list(Fate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What became of an incident: its fate, the night of it, and an explanation for people."""

    label: Labelled
    fate: Fate
    night: np.datetime64
    explanation: str = ""


def fates_of(
    judged: JudgedNights, cause_rows: pd.DataFrame, episodes: pd.DataFrame, truth: NightTruth
) -> tuple[Lost, ...]:
    """The fate of each incident that was due on any night.

    ``cause_rows`` are the lines with every cause of each, as they were judged. ``episodes`` has night, entity, start,
    end, why ("" = alarmed), because, and incident ("" = of none).
    """
    table = episodes.assign(
        **{
            name: pd.to_datetime(episodes[name], utc=True).dt.tz_localize(None).astype("datetime64[ms]")
            for name in ("night", "start", "end")
        },
        root=[truth.root(str(entity)) for entity in episodes["entity"]],
    )
    by_night = dict(tuple(table.groupby("night")))
    causes = cause_rows.assign(
        **{name: pd.to_datetime(cause_rows[name], utc=True).dt.tz_localize(None) for name in ("night", "start")}
    )
    lost: dict[str, Lost] = {}
    for row in judged.pairs[judged.pairs["due"].astype(bool)].to_dict("records"):
        label, night = judged.labels[row["incident"]], np.datetime64(row["night"], "ms")
        if row["line"] >= 0:
            own = _of_line(label, night, judged.lines.iloc[row["line"]])
        else:
            own = _without_line(label, night, by_night.get(row["night"], table[:0]), judged)
        if own.fate is not Fate.TOLD:
            own = _beside(own, causes[causes["night"] == row["night"]], judged) or own
        best = lost.get(label.incident.id)
        if best is None or ORDER.index(own.fate) > ORDER.index(best.fate):
            lost[label.incident.id] = own
    return tuple(lost.values())


def _of_line(label: Labelled, night: np.datetime64, line: "pd.Series[Any]") -> Lost:
    """The fate of an incident that a line answers for."""
    entity, cause = label.names(str(line["entity"])), label.explains(str(line["cause"]))
    if entity and cause:
        fate = Fate.TOLD
    elif str(line["cause"]) == UNKNOWN:
        fate = Fate.CAUSE_UNKNOWN
    elif cause:
        fate = Fate.WRONG_ENTITY
    else:
        fate = Fate.WRONG_CAUSE if entity else Fate.MISNAMED
    where = line["entity"] or "no entity"
    explanation = f"{line['cause']} at {where} ({line['probability']:.2f}) since {line['start']:%m-%d %H:%M}"
    return Lost(label=label, fate=fate, night=night, explanation=explanation)


def _beside(own: Lost, causes: pd.DataFrame, judged: JudgedNights) -> Lost | None:
    """The fate of an incident that is named right among the causes of a line that answers for another one."""
    label = own.label
    for row in causes.to_dict("records"):
        near = judged.limits.within(np.datetime64(row["start"], "ms"), label.onset, label.incident.end)
        if near and label.names(row["entity"]) and label.explains(row["cause"]):
            explanation = (
                f"{row['cause']} at {row['entity']} ({row['probability']:.2f}) since {row['start']:%m-%d %H:%M}"
            )
            return Lost(label=label, fate=Fate.BESIDE, night=own.night, explanation=explanation)
    return None


def _without_line(label: Labelled, night: np.datetime64, episodes: pd.DataFrame, judged: JudgedNights) -> Lost:
    """The fate of an incident that no line answers for, from the episodes of its host that overlap it."""
    own = label.incident
    named_here = np.array([label.names(str(entity)) for entity in episodes["entity"]], bool)
    there = episodes["root"].isin(list(label.roots)).to_numpy(bool) | named_here
    until = max(own.end, own.start + np.timedelta64(1, "ms"))
    near = episodes[there & (episodes["start"] < until) & (episodes["end"] > own.start)]
    if near.empty:
        return Lost(label=label, fate=Fate.NEVER, night=night)
    alarmed = near[near["why"] == ""]
    named = near[np.array([label.names(str(entity)) for entity in near["entity"]], bool)]
    if named.empty and len(alarmed):
        return Lost(label=label, fate=Fate.ELSEWHERE, night=night, explanation=_listed(alarmed, judged, night))
    fate, explanation = max(_of_episodes(near if named.empty else named), key=lambda pair: ORDER.index(pair[0]))
    if fate is Fate.GROUPED:
        explanation = _listed(named[named["why"] == ""], judged, night)
    return Lost(label=label, fate=fate, night=night, explanation=explanation)


def _of_episodes(episodes: pd.DataFrame) -> Iterator[tuple[Fate, str]]:
    kinds = {"outlier": Fate.OUTLIER, "moved": Fate.MOVED, "feedback": Fate.FEEDBACK, "artefact": Fate.ARTEFACT,
             "chance": Fate.CHANCE, "no evidence": Fate.EVIDENCE, "": Fate.GROUPED}  # fmt: skip
    for row in episodes.to_dict("records"):
        yield kinds[row["why"]], f"{row['entity']} since {row['start']:%m-%d %H:%M}: {row['because']}"


def _listed(episodes: pd.DataFrame, judged: JudgedNights, night: np.datetime64) -> str:
    """The text of the lines that alarmed episodes were grouped into."""
    lines = judged.lines[(judged.lines["night"] == night) & judged.lines["incident"].isin(set(episodes["incident"]))]
    return "; ".join(
        f"{line['cause']} at {line['entity'] or 'no entity'} since {line['start']:%m-%d %H:%M} ({line['verdict']})"
        for line in lines.to_dict("records")
    )


def false_lines(judged: JudgedNights, truth: NightTruth) -> list[dict[str, object]]:
    """Alarmed ids that are of no incident on any night, each once, as told last, with the harmless events near them.

    ``near`` are the kinds of harmless events at the same entity, or of the whole host, that go on as the line starts.
    """
    lines = judged.lines[judged.lines["alarmed"].astype(bool)]
    related = set(lines.loc[lines["verdict"] != Verdict.FALSE, "incident"])
    last = lines[~lines["incident"].isin(related)].drop_duplicates("incident", keep="last")
    counts = lines.groupby("incident")["night"].nunique()
    lines_of_nothing = []
    for line in last.to_dict("records"):
        start = np.datetime64(line["start"], "ms")
        entity = line["entity"] or line.get("first_entity", "")
        names = {entity, entity.split("/")[0], truth.root(entity)}
        near = {e.kind for e in truth.harmless if e.entity in names and judged.limits.within(start, e.start, e.end)}
        lines_of_nothing.append(
            {
                "incident": line["incident"],
                "cause": line["cause"],
                "entity": entity,
                "start": str(line["start"]),
                "probability": round(float(line["probability"]), 3),
                "nights": int(counts[line["incident"]]),
                "first_metric": line.get("first_metric", ""),
                "near": sorted(near),
            }
        )
    return lines_of_nothing
