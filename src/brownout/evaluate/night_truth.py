"""The truth that lies in a dataset folder: labels, harmless events, announced maintenance, and crossings of limits.

``incidents.csv`` and ``events.csv`` say what any folder may; a ``truth.json`` beside them, as ``benchmarks/fleets``
writes it, says more: other names that are right, what a fault moves, what is no fault, and when a crossing could be
foreseen.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.calendar import Calendar, Maintenance
from brownout.domain.errors import DataError
from brownout.domain.metrics import Metric
from brownout.domain.panel import Marks, as_time
from brownout.domain.ports import SampleStore
from brownout.domain.truth import Incident
from brownout.evaluate.replay import end_of
from brownout.evaluation.nights import Crossing, Harmless, Labelled, NightTruth, measured_crossings
from brownout.store.dataset import Dataset
from brownout.store.shards import shards

__all__ = ["Crossed", "FolderTruth", "crossings_of", "guests_of"]


@dataclass(frozen=True, kw_only=True)
class FolderTruth:
    """What a folder says that really happened.

    Attributes
    ----------
    night
        Incidents and harmless events; None where nothing is labelled: then nothing told can be right or wrong.
    calendar
        Maintenance that was announced.
    stated
        Crossings of limits that ``truth.json`` states; None where there is none: they are read off the samples.
    stated_from, known_until
        From when on crossings are stated, and the time until which crossings are known.
    """

    night: NightTruth | None
    calendar: Calendar
    stated: tuple[Crossing, ...] | None
    stated_from: np.datetime64
    known_until: np.datetime64

    @staticmethod
    def of(store: SampleStore, knowledge: Knowledge) -> "FolderTruth":
        """The truth of a data set; a history has none. Raises DataError where ``truth.json`` cannot be read."""
        end = end_of(store)
        nothing = FolderTruth(night=None, calendar=Calendar(), stated=None, stated_from=end, known_until=end)
        if not isinstance(store, Dataset):
            return nothing
        families = {rule.id: rule.family.value for rule in knowledge.causes.values()}
        path = store.folder / "truth.json"
        if path.exists():
            return _stated(path, families, store)
        events = tuple(_events(store.folder / "events.csv"))
        calendar = _calendar((e["entity"], e["start"], e["end"]) for e in events if e["kind"] == "maintenance")
        if not (store.folder / "incidents.csv").exists():
            return replace(nothing, calendar=calendar)
        harmless = {rule.id for rule in knowledge.causes.values() if rule.artefact}
        faults = [incident for incident in store.incidents if incident.cause not in harmless]
        truth = NightTruth.of(faults, store.topology, families=families, end=end)
        quiet = [_artefact(incident, truth) for incident in store.incidents if incident.cause in harmless]
        quiet += [part for event in events for part in _event(event, truth)]
        return replace(nothing, night=replace(truth, harmless=quiet), calendar=calendar)


def guests_of(store: SampleStore) -> int:
    """Guests of a store; all its entities where none is one."""
    return sum(entity.kind == "vm" for entity in store.topology) or len(store.spans())


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Crossings of limits of a store: the (entity, metric) that could have some, and when they are known.

    ``since`` is the time of the first sample.
    """

    crossings: tuple[Crossing, ...]
    series: tuple[tuple[str, str], ...]
    since: np.datetime64
    known_until: np.datetime64


def crossings_of(store: SampleStore, metrics: Mapping[str, Metric], truth: FolderTruth) -> Crossed:
    """All crossings of the limits of ``metrics``: those stated, and before these those that the samples show."""
    crossings: list[Crossing] = []
    series: set[tuple[str, str]] = set()
    for shard in shards(store):
        panel = shard.panel
        measured: Marks = np.any(np.isfinite(panel.values), axis=1)
        for column, name in enumerate(panel.metric_names):
            if metrics[name].is_limited:
                series |= {(panel.entity_ids[row], name) for row in np.flatnonzero(measured[:, column]).tolist()}
        crossings += measured_crossings(panel, [metrics[name] for name in panel.metric_names])
    if truth.stated is not None:
        crossings = [*(crossing for crossing in crossings if crossing.time < truth.stated_from), *truth.stated]
    return Crossed(
        crossings=tuple(crossings),
        series=tuple(sorted(series)),
        since=min(span.first for span in store.spans().values()),
        known_until=truth.known_until,
    )


def _artefact(incident: Incident, truth: NightTruth) -> Harmless:
    root = truth.root(incident.entity)
    return Harmless(
        root=root, start=incident.start, end=incident.end, causes=frozenset([incident.cause]),
        kind=incident.cause, entity=incident.entity,
    )  # fmt: skip


def _events(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def _event(event: Mapping[str, str], truth: NightTruth) -> Iterator[Harmless]:
    """A migration or maintenance, at each host that it is of."""
    for root in {truth.root(event["entity"]), event.get("source", ""), event.get("target", "")} - {""}:
        yield Harmless(
            root=root, start=as_time(event["start"]), end=as_time(event["end"]),
            kind=event["kind"], entity=event["entity"],
        )  # fmt: skip


def _calendar(windows: Iterator[tuple[str, str, str]]) -> Calendar:
    return Calendar(
        tuple(
            Maintenance(
                name=f"maintenance of {entity}", entities=(escape(entity),), once=(as_time(start), as_time(end))
            )
            for entity, start, end in windows
        )
    )


def _stated(path: Path, families: Mapping[str, str], store: Dataset) -> FolderTruth:
    """What ``truth.json`` says; faults too faint to be seen are not asked for."""
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        roots = {entity.id: store.topology.root(entity.id) for entity in store.topology}
        labels = [_labelled(fault, roots) for fault in table["faults"] if fault["strength"] != "faint"]
        fault_families = {
            cause: fault["family"] for fault in table["faults"] for cause in (fault["cause"], *fault["also"])
        }
        return FolderTruth(
            night=NightTruth(
                labels=labels,
                roots=roots,
                harmless=[_harmless(event, roots) for event in table["harmless"]],
                families={**families, **fault_families},
            ),
            calendar=_calendar((w["entity"], w["start"], w["end"]) for w in table["maintenance"]),
            stated=tuple(_crossing(breach) for breach in table["breaches"]),
            stated_from=as_time(table["judged_from"]),
            known_until=as_time(table["known_until"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} cannot be read: {error!r}."
        raise DataError(msg, remedy="Make the fleet again, or remove the file: incidents.csv counts then.") from error


def _labelled(fault: Mapping[str, Any], roots: Mapping[str, str]) -> Labelled:
    hosts: Sequence[str] = fault["entities"]
    return Labelled(
        incident=Incident(
            id=fault["id"], group="", start=as_time(fault["start"]), end=as_time(fault["end"]),
            entity=fault["entity"], cause=fault["cause"],
        ),
        seen_from=as_time(fault["observable_from"] or fault["start"]),
        roots=frozenset({roots.get(entity, entity) for entity in hosts} | {fault["host"]}),
        family=fault["family"],
        entities=frozenset(hosts),
        causes=frozenset(fault["also"]),
        ongoing=fault["ongoing"],
        shows=frozenset((shown["entity"], shown["metric"]) for shown in fault["shows"]),
    )  # fmt: skip


def _harmless(event: Mapping[str, Any], roots: Mapping[str, str]) -> Harmless:
    return Harmless(
        root=roots.get(event["entity"], event["entity"]), start=as_time(event["start"]), end=as_time(event["end"]),
        causes=frozenset(event["tellable"]), kind=event["kind"], entity=event["entity"],
    )  # fmt: skip


def _crossing(breach: Mapping[str, Any]) -> Crossing:
    start, since = as_time(breach["time"]), breach["foreseeable_from"]
    return Crossing(
        entity=breach["entity"],
        metric=breach["metric"],
        time=start,
        until=start + np.timedelta64(int(breach["lasts_s"]), "s"),
        since=None if since is None else as_time(since),
        brief=breach["blip"],
    )
