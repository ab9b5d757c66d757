"""The fleet: layout, faults, physics, measurement."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.panel import Panel
from brownout.domain.truth import Anomaly, Event, Incident
from brownout.simulation.events.injection import Injection, apply, truth
from brownout.simulation.events.interventions import Intervention, apply_interventions, moved_layout
from brownout.simulation.events.operations import CLUSTER, Background, apply_background, draw_background, events_of
from brownout.simulation.events.placement import Placement
from brownout.simulation.fleet_settings import FleetSettings
from brownout.simulation.layout.configuration import draw_labels
from brownout.simulation.layout.fleet_layout import Indices, Layout, make_layout
from brownout.simulation.measured_state import MeasuredState
from brownout.simulation.measurement import kinds_measured, measure
from brownout.simulation.physics.consoles import simulate_consoles, simulate_guests
from brownout.simulation.physics.demand import draw_demand
from brownout.simulation.physics.draws import Draws
from brownout.simulation.physics.drivers import Drivers
from brownout.simulation.physics.hosts import simulate_hosts
from brownout.simulation.simulation_definitions import SimulationDefinitions

__all__ = ["Fleet", "Plan", "plan_fleet", "run_plan", "simulate", "stream"]


STRETCH = 44_640
"""Slots that are simulated at once, 31 days at a minute: memory does not grow with the days."""
PART = CLUSTER
"""Hosts that are simulated at once: clusters do not share anything, so a big fleet is a stream of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """Measurements by kind of entity, and the truth about them."""

    settings: FleetSettings
    panels: dict[str, Panel]
    topology: Topology
    incidents: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A fleet before it runs: who is there, what will be done to it, and what will go wrong."""

    settings: FleetSettings
    definitions: SimulationDefinitions
    layout: Layout
    background: Background
    injections: tuple[Injection, ...]
    seeds: tuple[np.random.SeedSequence, ...]
    interventions: tuple[Intervention, ...] = ()

    def intervened(self, *interventions: Intervention) -> "Plan":
        """The same fleet, with the same random numbers, in which guests are moved or resized at some moment."""
        layout = moved_layout(self.layout, interventions, self.settings.start, self.settings.interval_s)
        return replace(self, layout=layout, interventions=(*self.interventions, *interventions))

    @property
    def steps(self) -> int:
        """Number of parts that ``stream`` yields."""
        return -(-len(self.layout.cores) // PART) * -(-self.settings.slots // STRETCH)

    @property
    def topology(self) -> Topology:
        """All entities that will be measured."""
        entities = self.layout.entities()
        return Topology.of(entity for kind in kinds_measured(self.settings) for entity in entities[kind])

    @property
    def truth(self) -> tuple[tuple[Incident, ...], tuple[Anomaly, ...]]:
        """Labels of what will have happened."""
        return truth(self.injections, self.definitions.faults, self.settings, self.layout)

    @property
    def events(self) -> tuple[Event, ...]:
        """What will have been done that is no fault."""
        return events_of(self.background, self.settings, self.layout)


def simulate(settings: FleetSettings, definitions: SimulationDefinitions | None = None) -> Fleet:
    """Simulate a fleet; the same settings and definitions, by default those that ship, give the same bytes."""
    return run_plan(plan_fleet(settings, definitions))


def run_plan(plan: Plan) -> Fleet:
    """Simulate a fleet that was planned, all of it in memory."""
    parts = [_joined(list(stretches)) for _, stretches in groupby(stream(plan), key=_names)]
    panels = {kind: _concatenated([part[kind] for part in parts]) for kind in parts[0]}
    incidents, anomalies = plan.truth
    return Fleet(
        settings=plan.settings,
        panels=panels,
        topology=plan.topology,
        incidents=incidents,
        anomalies=anomalies,
        events=plan.events,
    )


def plan_fleet(settings: FleetSettings, definitions: SimulationDefinitions | None = None) -> Plan:
    """Draw layout, configuration and faults; raises SettingsError where the faults do not fit in."""
    definitions = definitions or SimulationDefinitions.load()
    seeds = np.random.SeedSequence(settings.seed).spawn(8)
    layout = make_layout(settings, np.random.default_rng(seeds[0]))
    background, layout = draw_background(settings, layout, np.random.default_rng(seeds[7]))
    if settings.signatures:
        draw_labels(layout, np.random.default_rng(seeds[6]))
    placement = Placement(
        settings=settings,
        layout=layout,
        background=background,
        faults=definitions.faults,
        plain=definitions.plain,
        rng=np.random.default_rng(seeds[1]),
    )
    injections = placement.place()
    return Plan(
        settings=settings,
        definitions=definitions,
        layout=layout,
        background=background,
        injections=tuple(injections),
        seeds=tuple(seeds[2:6]),
    )


def stream(plan: Plan) -> Iterator[dict[str, Panel]]:
    """Panels by kind of one part of the fleet's hosts after the other, each stretch by stretch.

    Nothing needs the whole fleet, or all of its days, in memory.
    """
    hosts = len(plan.layout.cores)
    for number, first in enumerate(range(0, hosts, PART)):
        seeds = [np.random.SeedSequence(s.entropy, spawn_key=(*s.spawn_key, number)) for s in plan.seeds]
        streams = [Draws(seed) for seed in (seeds if number else plan.seeds)]
        for begin in range(0, plan.settings.slots, STRETCH):
            for draws in streams:
                draws.rewind()
            yield _run(plan, np.arange(first, min(first + PART, hosts)), begin, streams)


def _run(plan: Plan, hosts: Indices, begin: int, streams: Sequence[Draws]) -> dict[str, Panel]:
    """Faults, physics and measurement of some hosts over the stretch that begins with a slot."""
    settings, layout = plan.settings, plan.layout.part(hosts).later(begin)
    slots = min(STRETCH, settings.slots - begin)
    guests = np.flatnonzero(np.isin(plan.layout.host, hosts))
    drivers = Drivers.healthy(layout, slots, plan.definitions.drivers)
    for injection in plan.injections:
        if injection.host in hosts:
            host, vm = int(np.searchsorted(hosts, injection.host)), int(np.searchsorted(guests, injection.vm))
            first, last = injection.first - begin, injection.last - begin
            local = replace(injection, host=host, vm=vm, first=first, last=last)
            apply(local, plan.definitions.faults[injection.cause], layout, drivers)
    apply_background(plan.background.part(hosts, guests, begin), layout, drivers)
    apply_interventions(plan.interventions, begin, layout, drivers)
    step = np.timedelta64(settings.interval_s * 1000, "ms")
    times = settings.start + (begin + np.arange(slots)) * step
    demand = draw_demand(layout, drivers, times, streams[0])
    on_hosts = simulate_hosts(layout, demand, drivers, streams[1], interval_s=settings.interval_s)
    inside = simulate_guests(layout, demand, drivers, on_hosts, streams[2])
    consoles = simulate_consoles(layout, (demand, drivers, on_hosts, inside), streams[2])
    state = MeasuredState(
        settings=settings,
        layout=layout,
        drivers=drivers,
        demand=demand,
        hosts=on_hosts,
        guests=inside,
        consoles=consoles,
        rng=streams[3],
    )
    return measure(state, times, plan.definitions)


def _names(part: Mapping[str, Panel]) -> tuple[str, ...]:
    return part["host"].entity_ids


def _joined(stretches: Sequence[Mapping[str, Panel]]) -> Mapping[str, Panel]:
    """One panel a kind of stretches that follow each other."""
    if len(stretches) == 1:
        return stretches[0]
    return {
        kind: replace(panel, values=np.concatenate([other[kind].values for other in stretches], axis=1))
        for kind, panel in stretches[0].items()
    }


def _concatenated(panels: Sequence[Panel]) -> Panel:
    """One panel of the entities of several."""
    first = panels[0]
    if len(panels) == 1:
        return first
    entities = tuple(entity for panel in panels for entity in panel.entities)
    return replace(first, values=np.concatenate([panel.values for panel in panels]), entities=entities)
