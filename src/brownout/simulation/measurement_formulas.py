"""Measurements as data: formulas of drivers and states of the physics; see ``models/simulation/measurements.toml``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from brownout.domain.definitions import Definition, read_definitions
from brownout.domain.entities import NAMED_KINDS
from brownout.domain.metrics import Catalogue
from brownout.numerics.queues import response_ratio
from brownout.simulation.measured_state import GUEST_KINDS, STATES, MeasuredState
from brownout.simulation.physics.drivers import Driver
from brownout.simulation.physics.load import Array
from brownout.simulation.signature_models import MODELS

__all__ = ["Formula", "Queue", "Term", "evaluate", "read_formulas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A source times a factor; with ``on`` the factor alone where the source is above 0."""

    source: str
    factor: float
    on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Response time of an M/M/c queue: ``service`` time, number of ``servers``, and the source of their use."""

    servers: int
    service: float
    use: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """How a metric is measured; the fields are those of ``measurements.toml``."""

    metric: str
    kind: str
    level: float = 0.0
    own: tuple[float, float] | None = None
    terms: tuple[Term, ...] = ()
    times: tuple[str, ...] = ()
    queue: Queue | None = None
    noise: float = 0.0
    hourly: bool = False
    whole: bool = False
    rare: tuple[float, float] | None = None
    least: float | None = None
    most: float | None = None
    rate: bool = False
    model: str = ""
    always: bool = False


KEYS = tuple(key for key in Formula.__dataclass_fields__ if key != "metric")


def evaluate(formulas: Iterable[Formula], state: MeasuredState) -> dict[str, dict[str, Array]]:
    """Columns ``[entity, time]`` by kind and metric; what is drawn for each entity once is drawn first."""
    kinds: dict[str, list[Formula]] = {}
    for formula in formulas:
        kinds.setdefault(formula.kind, []).append(formula)
    columns: dict[str, dict[str, Array]] = {}
    for kind, members in kinds.items():
        own = {formula.metric: _own_levels(formula.own, kind, state) for formula in members if formula.own}
        columns[kind] = {
            formula.metric: MODELS[formula.model](state)
            if formula.model
            else _measured(formula, own.get(formula.metric), state)
            for formula in members
        }
    return columns


def _own_levels(span: tuple[float, float], kind: str, state: MeasuredState) -> Array:
    return state.rng.once(lambda: state.rng.uniform(*span, (state.shape(kind)[0], 1)))


def _measured(formula: Formula, own: Array | None, state: MeasuredState) -> Array:
    shape = state.shape(formula.kind)
    parts = [np.full((1, 1), formula.level)] if formula.level else []
    parts += [] if own is None else [own]
    parts += [_term(term, formula.kind, state) for term in formula.terms]
    if formula.queue is not None:
        use = state.source(formula.queue.use, formula.kind)
        parts.append(formula.queue.service * response_ratio(formula.queue.servers, use))
    total = reduce(np.add, parts, np.zeros((1, 1))) if len(parts) != 1 else parts[0]
    for source in formula.times:
        total = total * state.source(source, formula.kind)
    if formula.hourly:
        return state.last_hour(total, shape)
    values = state.noisy(total, formula.noise, shape) if formula.noise else np.broadcast_to(total, shape).copy()
    values = np.floor(values) if formula.whole else values
    values = values + state.rare(*formula.rare, shape) if formula.rare else values
    if formula.least is None and formula.most is None:
        return values
    return np.clip(values, formula.least, formula.most)


def _term(term: Term, kind: str, state: MeasuredState) -> Array:
    source = state.source(term.source, kind)
    scaled: Array = term.factor * np.where(source > 0, 1.0, 0.0) if term.on else source * term.factor
    return scaled


def read_formulas(
    drivers: Mapping[str, Driver], catalogue: Catalogue, *, site: Path | None = None, shipped: Path | None = None
) -> tuple[Formula, ...]:
    """Formulas in order; raises KnowledgeError naming file, table and value of what is wrong."""
    formulas = []
    for name, definition in read_definitions("measurements", site=site, shipped=shipped).items():
        if name not in catalogue.metrics:
            raise definition.unknown("metric", name, catalogue.metrics)
        formula = _formula(definition, drivers)
        if definition.enabled:
            formulas.append(formula)
    return tuple(formulas)


def _formula(definition: Definition, drivers: Mapping[str, Driver]) -> Formula:
    definition.check_keys(KEYS, required=("kind",))
    fields = dict(definition.fields)
    if fields["kind"] not in NAMED_KINDS:
        raise definition.unknown("kind of entity", fields["kind"], NAMED_KINDS)
    if fields.get("model") and fields["model"] not in MODELS:
        raise definition.unknown("model", fields["model"], MODELS)
    sources = _sources(fields["kind"], drivers)
    try:
        fields["terms"] = tuple(_read_term(definition, term, sources) for term in fields.get("terms", ()))
        fields["times"] = tuple(fields.get("times", ()))
        for source in fields["times"]:
            _check_source(definition, source, sources)
        if "queue" in fields:
            fields["queue"] = Queue(**fields["queue"])
            _check_source(definition, fields["queue"].use, sources)
        for key in ("own", "rare"):
            if key in fields:
                first, second = fields[key]
                fields[key] = float(first), float(second)
        return Formula(metric=definition.id, **fields)
    except (TypeError, ValueError) as error:
        raise definition.error(f"cannot be read: {error}.", remedy="Correct the table.") from error


def _read_term(definition: Definition, term: Sequence[Any], sources: Sequence[str]) -> Term:
    source, factor, *how = term
    _check_source(definition, source, sources)
    if how not in ([], ["on"]):
        raise definition.unknown("word of a term", how[0], ("on",))
    return Term(source=source, factor=float(factor), on=bool(how))


def _check_source(definition: Definition, source: str, sources: Sequence[str]) -> None:
    if source not in sources:
        raise definition.unknown("driver or state", source, sources)


def _sources(kind: str, drivers: Mapping[str, Driver]) -> list[str]:
    """Drivers and states that an entity of a kind feels: a guest those of its host too, a host none of guests."""
    of_guest = kind in GUEST_KINDS
    states = STATES if of_guest else {"hosts": STATES["hosts"]}
    named = [f"{group}.{name}" for group, state in states.items() for name in state]
    return [*(name for name, driver in drivers.items() if of_guest or driver.on == "host"), *named]
