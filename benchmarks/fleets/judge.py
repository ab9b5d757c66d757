"""Judge replayed nights by a fleet's truth: python benchmarks/fleets/judge.py FLEET OUT [--horizon HOURS]."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleets.product import nights as scoring

HOUR = np.timedelta64(3600, "s")


def truth_of(fleet: Path) -> tuple[Any, list[Any], dict[str, Any]]:
    """Incidents, crossings and the rest of a fleet's truth as the scoring functions take them."""
    table: dict[str, Any] = json.loads((fleet / "truth.json").read_text(encoding="utf-8"))
    entities = pd.read_csv(fleet / "entities.csv", dtype=str, keep_default_na=False)
    roots = _roots(dict(zip(entities["entity"], entities["parent"], strict=True)))
    rules = scoring()
    labels = [_labelled(rules, fault, roots) for fault in table["faults"] if fault["strength"] != "faint"]
    harmless = [
        rules.Harmless(
            root=roots.get(event["entity"], event["entity"]),
            start=_time(event["start"]),
            end=_time(event["end"]),
            causes=frozenset(event["tellable"]),
        )
        for event in table["harmless"]
    ]
    families = {cause: fault["family"] for fault in table["faults"] for cause in (fault["cause"], *fault["also"])}
    truth = rules.NightTruth(labels=labels, roots=roots, harmless=harmless, families=families)
    return truth, [_crossing(rules, breach) for breach in table["breaches"]], table


def _roots(parents: dict[str, str]) -> dict[str, str]:
    roots = {}
    for name in parents:
        top, seen = name, {name}
        while parents.get(top) and parents[top] not in seen:
            top = parents[top]
            seen.add(top)
        roots[name] = top
    return roots


def _labelled(rules: Any, fault: dict[str, Any], roots: dict[str, str]) -> Any:
    incident = rules.Incident(
        id=fault["id"], group="", start=_time(fault["start"]), end=_time(fault["end"]),
        entity=fault["entity"], cause=fault["cause"],
    )  # fmt: skip
    hosts = {roots.get(entity, entity) for entity in fault["entities"]} | {fault["host"]}
    return rules.Labelled(
        incident=incident,
        roots=frozenset(hosts),
        family=fault["family"],
        entities=frozenset(fault["entities"]),
        causes=frozenset(fault["also"]),
        ongoing=fault["ongoing"],
    )


def _crossing(rules: Any, breach: dict[str, Any]) -> Any:
    start = _time(breach["time"])
    return rules.Crossing(
        entity=breach["entity"],
        metric=breach["metric"],
        time=start,
        until=start + np.timedelta64(int(breach["lasts_s"]), "s"),
        since=None if breach["foreseeable_from"] is None else _time(breach["foreseeable_from"]),
        brief=breach["blip"],
    )


def _time(text: str) -> np.datetime64:
    return np.datetime64(text.removesuffix("Z"), "ms")


def main() -> None:
    """Read what was told, print the scores as JSON."""
    parser = argparse.ArgumentParser(description="Scores of replayed nights on a fleet with truth.")
    parser.add_argument("fleet", type=Path)
    parser.add_argument("out", type=Path, help="folder with told.parquet and warnings.parquet")
    parser.add_argument("--horizon", type=float, default=24, help="hours that a night looks ahead")
    given = parser.parse_args()
    truth, crossings, table = truth_of(given.fleet)
    rules, found = scoring(), {}
    told, warned = (pd.read_parquet(given.out / f"{name}.parquet") for name in ("told", "warnings"))
    nights = np.unique(
        pd.to_datetime(pd.concat([told["night"], warned["night"]]), utc=True)
        .dt.tz_localize(None)
        .to_numpy("datetime64[ms]")
    )
    if len(told):
        judged = rules.judge_nights(told, truth, nights=list(nights))
        days = len(nights) * (float(np.median(np.diff(nights)) / (24 * HOUR)) if len(nights) > 1 else 1.0)
        found["incidents"] = rules.night_scores(judged, guests=table["guests"], days=days)
    watched = sorted(
        {(c.entity, c.metric) for c in crossings} | set(zip(warned["entity"], warned["metric"], strict=True))
    )
    replay = rules.Replay(
        nights=nights, horizon=np.timedelta64(int(given.horizon * 3600), "s"), watched=watched,
        start=_time(table["judged_from"]), guests=table["guests"],
    )  # fmt: skip
    found["warnings"] = rules.warning_scores(warned, crossings, replay)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
