"""Canonical samples: raw telemetry becomes one row for each entity and slot with one column for each metric."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa

from brownout.domain.entities import Entity, EntityKind
from brownout.domain.repairs import Repair, Repairs
from brownout.ingest.counters import LONGEST_GAP_MS, rates
from brownout.ingest.entity_registry import Registry, placements_of
from brownout.ingest.identity import Identity
from brownout.ingest.mapping import MeasurementSource, Names, TelegrafMapping
from brownout.ingest.other_names import ALSO_CALLED
from brownout.ingest.raw import MeasurementSchema, Raw, Request, TelemetryDatabase
from brownout.ingest.reading import Reading, Runs, ahead, runs_of, sightings_of
from brownout.ingest.slot_frame import RawFrame, gathered_every, held, latest_before
from brownout.numerics.arrays import Doubles, Index, Marks
from brownout.numerics.slots import epoch_ms

__all__ = ["Canonical", "Canonicaliser"]

LONGEST_ABSENCE = 3
"""Slots without a row after which an entity may have been on another host meanwhile."""
AT_ONCE_MS = 1000
"""What is gathered at one time is written within a second."""
READ_AHEAD = 2
"""Measurements that are read ahead while one is processed."""


@dataclass(frozen=True, slots=True, eq=False)
class Canonical:
    """Samples of one slice.

    Attributes
    ----------
    tables
        One for each kind of entity: ``time`` (start of the slot, ms, UTC), ``entity`` and the kind's metrics, sorted.
    entities
        Every entity that the tags name, with its latest parent.
    """

    tables: tuple[pa.Table, ...]
    entities: tuple[Entity, ...]
    repairs: Repairs


@dataclass(eq=False)
class Column:
    """Values of one metric by entity (an index into ``names``) and slot."""

    kind: str
    metric: str
    names: Sequence[str]
    owners: Index
    slots: Index
    values: Doubles


@dataclass(frozen=True)
class Canonicaliser:
    """Reads slices of a database through a mapping."""

    database: TelemetryDatabase
    mapping: TelegrafMapping
    interval_s: int
    names: Names = field(default_factory=Names)

    def read(
        self,
        start: np.datetime64,
        end: np.datetime64,
        schemas: Mapping[str, MeasurementSchema],
        known: Sequence[Entity] = (),
    ) -> Canonical:
        """All metrics from start until before end, whole slots; what nobody writes is left out.

        ``known`` are the entities of the history: who was a guest then is one still, while nothing says so.
        """
        identity = Identity.recalled(known, self.mapping.keys)
        identity.declared = self.names.hosts
        while True:
            canonical = self._read(start, end, schemas, identity)
            if not identity.learn():
                return canonical

    def _read(
        self,
        start: np.datetime64,
        end: np.datetime64,
        schemas: Mapping[str, MeasurementSchema],
        identity: Identity,
    ) -> Canonical:
        lead = start - np.timedelta64(LONGEST_GAP_MS, "ms")
        reading = Reading(Registry(self.interval_s * 1000), identity, epoch_ms(start))
        columns = list[Column]()
        wanted = self._guests_first(schemas)
        answers = ahead(
            lambda item: self._fetch(item[0], item[1], schemas, (lead, end)), list(wanted.items()), READ_AHEAD
        )
        for sources, raw in zip(wanted.values(), answers, strict=True):
            reading.repairs += Repairs(rows=int((raw.times >= epoch_ms(start)).sum()))
            for source in sources:
                if source.left_out:
                    reading.leave_out(source, raw, _measured(source, raw))
                    continue
                for name, _ in source.foreign:
                    if name in schemas and name not in reading.foreign:
                        reading.foreign[name] = self._fetch_foreign(name, schemas, (lead, end))
                frame, owners = self._frame(source, raw, reading)
                evaluated, counted = _evaluate(
                    source, frame, owners, (self._slot(start), self._slot(end), self.interval_s)
                )
                columns += evaluated
                reading.repairs += counted
        for name, others in identity.others.also_called().items():
            reading.registry.note(name, ALSO_CALLED, others)
        return Canonical(tuple(self._tables(columns)), reading.registry.entities(), reading.repairs)

    def _guests_first(self, schemas: Mapping[str, MeasurementSchema]) -> dict[str, tuple[MeasurementSource, ...]]:
        """Sources by measurement that is there, those that tell of guests first: they say which hosts are guests."""
        used = {
            name: tuple(source for source in sources if source.in_use(schemas))
            for name, sources in self.mapping.measurements.items()
        }
        there = [(name, sources) for name, sources in used.items() if sources]
        return dict(sorted(there, key=lambda item: not any(source.tells_of(EntityKind.VM) for source in item[1])))

    def _fetch(
        self,
        measurement: str,
        sources: Sequence[MeasurementSource],
        schemas: Mapping[str, MeasurementSchema],
        span: tuple[np.datetime64, np.datetime64],
    ) -> Raw:
        """One request for all sources of a measurement; tag values that all ask for are left to the server."""
        there = set(schemas[measurement].fields)
        fields = tuple(dict.fromkeys(name for source in sources for name in source.needs if name in there))
        if not fields:
            return Raw.empty(())
        where = {
            tag: value for tag, value in sources[0].where.items() if all(s.where.get(tag) == value for s in sources)
        }
        every = self.interval_s if all(source.averages for source in sources) else None
        return self.database.read(
            Request(measurement=measurement, fields=fields, start=span[0], end=span[1], where=where, every_s=every)
        )

    def _fetch_foreign(
        self, name: str, schemas: Mapping[str, MeasurementSchema], span: tuple[np.datetime64, np.datetime64]
    ) -> Raw:
        wanted = {column for s in self.mapping.sources for measurement, column in s.foreign if measurement == name}
        fields = tuple(sorted(wanted & set(schemas[name].fields)))
        if not fields:
            return Raw.empty(())
        return self.database.read(Request(measurement=name, fields=fields, start=span[0], end=span[1]))

    def _frame(self, source: MeasurementSource, raw: Raw, reading: "Reading") -> tuple[RawFrame, list[str]]:
        """Rows that the source takes, with the entity of each series; returns the names of the entities too."""
        captured, chains = self._named(source, raw, reading)
        codes: dict[str, int] = {}
        owner = np.array([codes.setdefault(c[0].id, len(codes)) if c else -1 for c in chains], np.int64)
        keep = (owner[raw.series] >= 0) & _measured(source, raw) if len(raw) else np.zeros(0, bool)
        raw = replace(raw, tags=tuple(captured))  # other measurements have the same names, whatever these stand for
        own = self._its_own(source, raw, captured, reading)
        if source.guess:
            dropped = sum(reading.rows(raw, np.flatnonzero(keep & ~own)).values())
            reading.count(Repair.NOT_OWN, source.measurement, dropped)
        keep &= own
        runs_by_series = runs_of(raw.series[keep], raw.times[keep], LONGEST_ABSENCE * self.interval_s * 1000, chains)
        for series, runs in runs_by_series.items():
            reading.registry.add(
                chains[series], runs, source.facts(captured[series]), configured_only=bool(source.labels)
            )
        if source.only:  # a domain that is shut off may be defined on several hosts
            reading.notice(runs_by_series, chains)
        home = self._at_home(raw.series[keep], raw.times[keep], runs_by_series, chains)
        away = np.flatnonzero(keep)[~home]
        for series, number in reading.rows(raw, away).items():
            reading.count(Repair.ELSEWHERE, chains[series][0].id, number)
        keep[keep] = home
        rows = raw.rows(keep)
        fields = _by_name(source, rows.fields, rows.values)
        frame = RawFrame(
            fields=fields,
            series=rows.series,
            times=rows.times,
            slots=rows.times // (self.interval_s * 1000),
            owner=owner,
            low=_by_name(source, rows.fields, rows.low),
            lookup=lambda name, column: self._beside(rows, reading, source.beside(name, column)),
            lookup_rate=lambda name, column: self._beside(rows, reading, source.beside(name, column), rated=True),
        )
        return frame, list(codes)

    def _named(
        self, source: MeasurementSource, raw: Raw, reading: "Reading"
    ) -> tuple[list[dict[str, str]], list[tuple[Entity, ...]]]:
        """Tags of each series with the captured values, and its entities; rows that name no entity are counted."""
        aliased = [self._aliased(series_tags) for series_tags in raw.tags]
        captured = [
            series_tags | self._aliased({tag: rule.value(series_tags) for tag, rule in source.capture.items()})
            for series_tags in aliased
        ]
        reading.see(source, raw, aliased, captured)
        tags = tuple(reading.identity.renamed(source, series_tags, self.mapping.host_tags) for series_tags in captured)
        accepted = [self._takes(source, *both) for both in zip(aliased, tags, strict=True)]
        plain = [
            source.entities(named, series_tags | dict(written)) if own else ()
            for own, named, series_tags, written in zip(accepted, tags, captured, raw.tags, strict=True)
        ]
        rows = reading.rows(raw, np.flatnonzero(_measured(source, raw)))
        unnamed = sum(rows.get(series, 0) for series, own in enumerate(accepted) if own and not plain[series])
        reading.count(Repair.NO_ENTITY, source.measurement, unnamed)
        for series in (series for series, own in enumerate(accepted) if own and series in rows):
            for repair, name in reading.identity.repaired(source, captured[series], tags[series]):
                reading.count(repair, name, rows[series])
        return captured, reading.chains(plain, rows)

    def _its_own(
        self, source: MeasurementSource, raw: Raw, tags: Sequence[Mapping[str, str]], reading: "Reading"
    ) -> Marks:
        """Whether each row is of the entity that it names: by other measurements, or else by its name."""
        away = np.array([source.guessed_away(series_tags) for series_tags in tags], bool)
        unknown, matching = np.ones(len(raw), bool), np.ones(len(raw), bool)
        for (measurement, name), values in source.only.items():
            state = self._latest(raw, reading.foreign.get(measurement), name)
            unknown &= np.isnan(state)
            matching &= np.isnan(state) | np.isin(state, values)
        return matching & ~(unknown & away[raw.series]) if len(raw) else matching

    def _at_home(
        self, series: Index, times: Index, runs: Mapping[int, Runs], chains: Sequence[tuple[Entity, ...]]
    ) -> Marks:
        """Whether each row was written by the host its entity was on: during a migration two hosts write about it."""
        sightings = sightings_of(runs, chains)
        home = np.ones(len(series), bool)
        slot_ms = self.interval_s * 1000
        for name, own_sightings in sightings.items():
            if len({sighting.parent for sighting in own_sightings}) > 1:
                placements = placements_of(own_sightings, slot_ms)
                starts = np.array([start for start, _ in placements])
                for code in (code for code in runs if chains[code][0].id == name):
                    rows = np.flatnonzero(series == code)
                    there = np.searchsorted(starts, times[rows] // slot_ms * slot_ms, side="right") - 1
                    own_parent = chains[code][0].parent
                    home[rows] = np.array([parent == own_parent for _, parent in placements])[there]
        return home

    def _aliased(self, tags: Mapping[str, str]) -> dict[str, str]:
        return {tag: self.names.aliases.get(tag, {}).get(value, value) for tag, value in tags.items()}

    def _takes(self, source: MeasurementSource, tags: Mapping[str, str], named: Mapping[str, str]) -> bool:
        """Whether a series is one of the source's, by the tags found, and of the site's hosts, by all its tags."""
        host = source.entities(named)[-1:] if self.names.hosts else ()
        wanted = (
            not host or host[0].kind != EntityKind.HOST or any(fnmatchcase(host[0].id, p) for p in self.names.hosts)
        )
        return wanted and source.takes(tags)

    def _beside(
        self, raw: Raw, reading: "Reading", what: tuple[str, str, Mapping[str, str]], *, rated: bool = False
    ) -> Doubles:
        """A field of other samples, by row: the latest value, or the rate of a counter at the same time."""
        measurement, name, where = what
        other = reading.foreign.get(measurement)
        if other is None or name not in other.fields:
            return np.full(len(raw), np.nan)
        own = np.array([all(tags.get(tag) == value for tag, value in where.items()) for tags in other.tags], bool)
        rows = own[other.series] if len(other) else np.zeros(0, bool)
        index = other.fields.index(name)
        chosen = other.rows(rows)
        column = chosen.values[:, index]
        part = Raw((name,), other.tags, chosen.series, chosen.times, column[:, np.newaxis])
        if not rated:
            return self._latest(raw, part, name, apart=where)
        low = None if chosen.low is None else chosen.low[:, index]
        speeds = rates(column, part.times, part.series, low)[0]
        part = replace(part, values=speeds[:, np.newaxis])
        return self._latest(raw, part, name, apart=where, within=AT_ONCE_MS)

    def _latest(
        self,
        raw: Raw,
        other: Raw | None,
        name: str,
        *,
        apart: Iterable[str] = (),
        within: int | None = None,
    ) -> Doubles:
        """Another measurement's latest field of the same tags, but those in ``apart``, by row of the first.

        ``within`` ms before or after the row, if given.
        """
        if other is None or name not in other.fields or not len(other) or not len(raw):
            return np.full(len(raw), np.nan)
        tags = [set().union(*(part.tags[code] for code in np.unique(part.series).tolist())) for part in (raw, other)]
        shared = sorted((tags[0] & tags[1]) - set(apart))
        group_codes: dict[tuple[str, ...], int] = {}
        groups = [
            group_codes.setdefault(tuple(series_tags.get(tag, "") for tag in shared), len(group_codes))
            for series_tags in other.tags
        ]
        wanted = np.array(
            [group_codes.get(tuple(series_tags.get(tag, "") for tag in shared), -1) for series_tags in raw.tags]
        )
        # What is gathered at one time may be written in any order: one slot later is not the future.
        slack = self.interval_s * 1000 if within is None else within
        return latest_before(
            (np.array(groups)[other.series], other.times),
            other.values[:, other.fields.index(name)],
            (wanted[raw.series], raw.times + slack),
            max_age_ms=(LONGEST_GAP_MS if within is None else within) + slack,
        )

    def _slot(self, time: np.datetime64) -> int:
        return epoch_ms(time) // (self.interval_s * 1000)

    def _tables(self, columns: Sequence[Column]) -> Iterator[pa.Table]:
        """Join the columns of each kind on entity and slot."""
        for kind in sorted({column.kind for column in columns}):
            yield from self._table([column for column in columns if column.kind == kind])

    def _table(self, columns: Sequence[Column]) -> Iterator[pa.Table]:
        names = sorted({name for column in columns for name in column.names})
        codes = {name: code for code, name in enumerate(names)}
        base = min(int(column.slots.min()) for column in columns)
        width = max(int(column.slots.max()) for column in columns) - base + 1
        keyed = [
            np.array([codes[name] for name in column.names])[column.owners] * width + (column.slots - base)
            for column in columns
        ]
        keys = np.unique(np.concatenate(keyed))
        table: dict[str, pa.Array] = {
            "time": pa.array((keys % width + base) * self.interval_s * 1000, pa.timestamp("ms", "UTC")),
            "entity": pa.DictionaryArray.from_arrays(pa.array((keys // width).astype(np.int32)), pa.array(names)),
        }
        for metric in dict.fromkeys(column.metric for column in columns):
            values = np.full(len(keys), np.nan)
            for column, own in zip(columns, keyed, strict=True):
                if column.metric == metric:
                    values[np.searchsorted(keys, own)] = column.values
            table[metric] = pa.array(values, from_pandas=True)
        yield pa.table(table)


def _by_name(source: MeasurementSource, names: Sequence[str], values: Doubles | None) -> dict[str, Doubles]:
    """Columns by the names of the database, and by those that the source has for them."""
    if values is None:
        return {}
    fields = {name: values[:, column] for column, name in enumerate(names)}
    return fields | {alias: fields[name] for alias, name in source.fields.items() if name in fields}


def _measured(source: MeasurementSource, raw: Raw) -> Marks:
    """Whether a row has any field of the source: a measurement's other rows are none of its business."""
    own = [column for column, name in enumerate(raw.fields) if name in source.needs]
    return np.asarray(np.isfinite(raw.values[:, own]).any(axis=1))


def _evaluate(
    source: MeasurementSource, frame: RawFrame, owners: Sequence[str], span: tuple[int, int, int]
) -> tuple[list[Column], Repairs]:
    """The source's metrics for slots of a span: first, end and their seconds.

    Resets are counted once a sample, whatever its fields.
    """
    if not len(frame.series):
        return [], Repairs()
    first, end, interval_s = span
    columns = []
    longer = 0
    kind = source.entity[0].kind
    every_s = gathered_every(frame, interval_s)
    hold_s = max(source.hold_s, every_s)
    for metric, expression in source.metrics.items():
        values = expression(frame).values
        known = np.isfinite(values)
        cells = frame.cell_owner[known], frame.cell_slot[known], values[known]
        if hold_s > interval_s:
            number = len(cells[0])
            cells = held(*cells, reach=hold_s // interval_s, end=end)
            longer += int((cells[1] >= first).sum()) - number
        good = cells[1] >= first
        if good.any():
            columns.append(Column(kind, metric, owners, cells[0][good], cells[1][good], cells[2][good]))
    reset = np.unique(np.concatenate(frame.resets)) if frame.resets else np.empty(0, np.int64)
    reset = reset[frame.slots[reset] >= first]
    lost = [owners[owner] for owner in frame.owner[frame.series[reset]].tolist()]
    seldom = longer > 0 and every_s > source.hold_s
    held_repairs = Repairs({(Repair.HELD, source.measurement): longer} if seldom else {})
    return columns, Repairs.count(Repair.COUNTER_RESET, lost) + held_repairs
