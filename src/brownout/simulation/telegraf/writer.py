"""Writer: fields, counters and points of the entities of one panel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brownout.domain.entities import Entity, Topology
from brownout.domain.panel import Panel
from brownout.ingest.line_protocol import Points
from brownout.ingest.mapping import LABELLED
from brownout.numerics.slots import epoch_ms

__all__ = ["Array", "Integers", "Trouble", "Writer", "whole"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Tags = dict[str, str]

CONFIGURED_S = 600
"""Seconds between two looks at what is configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What happens to collectors besides gaps.

    ``resets`` are times at which all counters of an entity begin anew, ``moves`` the time and the new host of guests
    that migrate besides those that the fleet has.
    """

    resets: Mapping[str, np.datetime64] = field(default_factory=dict)
    moves: Mapping[str, tuple[np.datetime64, str]] = field(default_factory=dict)


class Writer:
    """Fields and points of the entities of one panel."""

    def __init__(self, panel: Panel, trouble: Trouble, rng: np.random.Generator, topology: Topology) -> None:
        self.panel = panel
        self.trouble = trouble
        self.rng = rng
        self.topology = topology
        self.present = np.isfinite(panel.values).any(axis=2)
        self.times = epoch_ms(panel.times)

    def __contains__(self, metric: str) -> bool:
        return metric in self.panel.metric_names

    def __getitem__(self, metric: str) -> Array:
        """Values of a metric, ``[entity, time]``."""
        return self.panel.values[:, :, self.panel.metric_names.index(metric)].astype(float)

    @property
    def shape(self) -> tuple[int, int]:
        """Entities and slots."""
        return self.present.shape[0], self.present.shape[1]

    def get(self, metric: str, otherwise: float) -> Array:
        """Values of a metric, or a constant where it is not measured."""
        return self[metric] if metric in self else np.full(self.shape, otherwise)

    def label(self, label: str) -> Array:
        """A number of each entity, ``[entity, 1]``."""
        return np.array([[float(entity.labels[label])] for entity in self.panel.entities])

    def spread(self, values: Array) -> Integers:
        """Whole numbers that do not change, of each slot."""
        return np.broadcast_to(values, self.shape).astype(np.int64)

    def counter(self, rates: Array) -> Integers:
        """A counter that grows by a rate a second and is reset when its entity is.

        What nobody saw grows like what was seen next, so that a rate over a gap is the rate after it.
        """
        growth = _next_known(rates) * self.panel.interval_s
        growth[:, 0] = self.rng.integers(10**6, 10**9, len(growth))
        return self._reset(np.cumsum(growth, axis=1))

    def seconds(self, share: Array) -> Array:
        """CPU seconds of a thread that uses a share of a CPU, in hundredths as the kernel counts them."""
        return self.counter(100 * share) / 100

    def events(self, last_hour: Array) -> Integers:
        """A counter of rare events from how many there were in the hour before each slot."""
        lag = max(3600 // self.panel.interval_s, 1)
        known = _last_known(last_hour)
        blocks = -(-known.shape[1] // lag)
        padded = np.pad(known, ((0, 0), (0, blocks * lag - known.shape[1])))
        total = padded.reshape(len(known), blocks, lag).cumsum(axis=1).reshape(len(known), -1)[:, : known.shape[1]]
        return self._reset(np.maximum.accumulate(total, axis=1))

    def _reset(self, total: Array) -> Integers:
        for row, entity in enumerate(self.panel.entity_ids):
            if entity in self.trouble.resets:
                slot = self.panel.slot(self.trouble.resets[entity])
                total[row, slot:] -= total[row, slot]
        return np.round(total).astype(np.int64)

    def points(
        self,
        measurement: str,
        tags: Sequence[Tags],
        fields: Mapping[str, Array | Integers],
        *,
        every_s: int = 0,
    ) -> Points:
        """Points of all rows that were measured, or of some of them where it is gathered more seldom.

        Entities whose tags are empty write nothing.
        """
        written = self.present & np.array([[bool(row)] for row in tags])
        written[:, np.arange(self.shape[1]) % max(every_s // self.panel.interval_s, 1) > 0] = False
        rows, slots = np.nonzero(written)
        series, tags = self._moved(rows, slots, tags)
        values = {name: column[rows, slots] for name, column in fields.items()}
        return Points(measurement=measurement, tags=tags, series=series, times=self.times[slots], fields=values)

    def labelled(self, measurement: str, tags: Sequence[Tags], labels: Mapping[str, str]) -> Points:
        """Points whose tags are labels: names of tags by names of labels."""
        labelled = [
            named | {tag: entity.labels[label] for label, tag in labels.items() if label in entity.labels}
            for named, entity in zip(tags, self.panel.entities, strict=True)
        ]
        return self.points(measurement, labelled, {LABELLED: np.ones(self.shape, np.int64)}, every_s=CONFIGURED_S)

    def attempts(self, measurement: str, tags: Sequence[Tags], failed: Integers, number: int) -> Points:
        """A point for each of ``number`` attempts in a slot, of which some fail.

        Where all of a slot go alike, one stands for them: shares stay what they are.
        """
        rows, slots = np.nonzero(self.present)
        bad = failed[rows, slots]
        count = np.where((bad > 0) & (bad < number), number, 1)
        attempt = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        rows, slots, bad = (np.repeat(part, count) for part in (rows, slots, bad))
        series, tags = self._moved(rows, slots, tags)
        late = attempt < bad
        tags = [tag | {"result": result} for result in ("success", "timeout") for tag in tags]
        return Points(
            measurement=measurement,
            tags=tags,
            series=series + np.where(late, len(tags) // 2, 0),
            times=self.times[slots] + attempt * (self.panel.interval_s * 1000 // number),
            fields={"result_code": late.astype(np.int64)},
        )

    def _moved(self, rows: Integers, slots: Integers, tags: Sequence[Tags]) -> tuple[Integers, list[Tags]]:
        """Series of each row; a guest that moves has another host in its tags from then on."""
        series, tags = rows.copy(), list(tags)
        for row, entity in enumerate(self.panel.entities):
            guest = self.topology[entity.parent if entity.kind == "console" else entity.id]
            for first, end, host in self._elsewhere(guest):
                series[(rows == row) & (slots >= first) & (slots < end)] = len(tags)
                tags.append(tags[row] | {"hypervisor" if "hypervisor" in tags[row] else "host": host})
        return series, tags

    def _elsewhere(self, guest: Entity) -> Iterator[tuple[int, int, str]]:
        """First slot, the one after the last, and the host, of each stay that is not at the guest's parent."""
        first = 0
        for until, host in guest.former:
            slot = self.panel.slot(until)
            yield first, slot, host
            first = slot
        if guest.id in self.trouble.moves:
            time, host = self.trouble.moves[guest.id]
            yield self.panel.slot(time), self.shape[1], host


def whole(values: npt.NDArray[np.floating[Any]]) -> Integers:
    """Rounded to whole numbers; where nothing was measured nothing is written."""
    rounded: Integers = np.round(np.nan_to_num(values)).astype(np.int64)
    return rounded


def _next_known(values: Array) -> Array:
    """Missing values replaced by the next known one of the row, those at the end by zero."""
    return _last_known(values[:, ::-1])[:, ::-1].copy()


def _last_known(values: Array) -> Array:
    """Missing values replaced by the last known one of the row, those at the beginning by zero."""
    last = np.where(np.isfinite(values), np.arange(1, values.shape[1] + 1), 0)
    padded = np.concatenate([np.zeros((len(values), 1)), values], axis=1)
    filled: Array = np.take_along_axis(padded, np.maximum.accumulate(last, axis=1), axis=1)
    return filled
