"""The question what a move or another size would change: the last days again with the change, and forecasts of both."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.entities import EntityKind
from brownout.domain.errors import SettingsError
from brownout.domain.forecasts import Breach, Series
from brownout.domain.panel import Doubles, Panel
from brownout.nightly.context import NightContext
from brownout.nightly.forecast import forecast
from brownout.nightly.questions.last_night import panels_on_one_grid
from brownout.planning.entity_names import name_of
from brownout.planning.what_if.console_effects import LatencyHistory, console_effects
from brownout.planning.what_if.guest_changes import GuestMove, GuestResize
from brownout.planning.what_if.hosted_loads import HostedLoads, changed_loads
from brownout.planning.what_if.what_if_answer import (
    AskedChange,
    ConsoleChange,
    SaturationChange,
    SaturationDates,
    WhatIf,
)
from brownout.store.shards import ShardPlan

__all__ = ["answer_what_if"]

LATELY_DAYS = 7.0
"""Days that are compared with and without the change: every day of the week once."""
LEARNED_DAYS = 14.0
"""Days that the model of latency is fitted to; more where the outlook reads more."""
CONNECT = "console_connect_ms"
CHANGED = {
    "host_cpu_busy_pct": "busy",
    "host_memory_available_pct": "available",
    "vm_cpu_pct": "cpu",
    "vm_memory_usable_pct": "usable",
}
"""Metrics whose forecasts a change moves, by the loads that they are."""
READ = (*CHANGED, "disk_util_pct", "disk_await_ms", "vm_disk_iops")
BUSIEST = 95.0
"""Percent of a host's CPU beyond which no figure of a queue can be trusted."""


def answer_what_if(context: NightContext, moves: Sequence[GuestMove], resizes: Sequence[GuestResize]) -> WhatIf:
    """Effects of changes that were read for the context's topology; raises SettingsError for what cannot be told.

    The context may have no models: then there are no dates at which resources run out.
    """
    topology = context.topology
    changed_guests = list(dict.fromkeys([*(move.guest for move in moves), *(resize.guest for resize in resizes)]))
    if not changed_guests:
        raise SettingsError("No change is asked for.", remedy="Give --move VM:HOST or --resize VM:memory=8G,vcpus=4.")
    hosts = list(dict.fromkeys([*(topology.root(guest) for guest in changed_guests), *(move.host for move in moves)]))
    latencies = [metric.name for metric in context.metrics.values() if metric.is_console_latency]
    entities = {name for host in hosts for name in (host, *topology.descendants(host))}
    learned = max(LEARNED_DAYS, context.settings.forecast.outlook_context_days)
    panels = panels_on_one_grid(context, entities, {*READ, *latencies, CONNECT}, learned)
    before = HostedLoads.of(hosts, panels, topology)
    _refuse_unknown(before, changed_guests)
    after = changed_loads(before, moves, resizes)
    saturation, untold = _saturation(context, panels, before, after, changed_guests)
    return WhatIf(
        until=context.span.end,
        days=LATELY_DAYS,
        changes=tuple(_requested_change(context, before, after, guest) for guest in changed_guests),
        consoles=tuple(_consoles(context, panels, (before, after), changed_guests, latencies)),
        saturation=saturation,
        warnings=(*_warnings(before, after), *untold),
    )


def _refuse_unknown(loads: HostedLoads, changed_guests: Sequence[str]) -> None:
    for guest in changed_guests:
        row = loads.guests.index(guest)
        if not np.isfinite(loads.vcpus[row]) or not np.isfinite(loads.cpu[row]).any():
            what = f"How many vCPUs {guest} has, or how busy they were, is not known."
            raise SettingsError(what, remedy="Collect the facts of guests (`brownout facts`) and vm_cpu_pct first.")
    for row, host in enumerate(loads.hosts):
        if not np.isfinite(loads.cores[row]) or not np.isfinite(loads.busy[row]).any():
            what = f"How many CPUs {host} has, or how busy they were, is not known."
            raise SettingsError(what, remedy="Collect the facts of hosts (`brownout facts`) and their CPU use first.")


def _requested_change(context: NightContext, before: HostedLoads, after: HostedLoads, guest: str) -> AskedChange:
    row = before.guests.index(guest)
    return AskedChange(
        guest=guest,
        name=name_of(context.topology, guest),
        from_host=before.hosts[before.at[row]],
        to_host=after.hosts[after.at[row]],
        vcpus=float(before.vcpus[row]),
        vcpus_after=float(after.vcpus[row]),
        memory_gib=float(before.guest_memory_gib[row]),
        memory_gib_after=float(after.guest_memory_gib[row]),
    )


def _consoles(
    context: NightContext,
    panels: Sequence[Panel],
    loads: tuple[HostedLoads, HostedLoads],
    changed_guests: Sequence[str],
    latencies: Sequence[str],
) -> Iterator[ConsoleChange]:
    """Effects on each changed guest, and on those that stay on each of the hosts."""
    before, after = loads
    groups = {guest: [before.guests.index(guest)] for guest in changed_guests}
    for host, name in enumerate(before.hosts):
        staying = np.flatnonzero((before.at == host) & (after.at == host)).tolist()
        groups[name] = [row for row in staying if before.guests[row] not in changed_guests]
    for metric in latencies:
        history = _latency(context, panels, before, metric)
        if history is None:
            continue
        for name, effects in console_effects(history, before, after, groups).items():
            on_host = context.topology[name].kind == EntityKind.HOST
            called = name_of(context.topology, name)
            yield ConsoleChange(
                about=f"other guests on {called}" if on_host else called,
                entity=name,
                metric=metric,
                consoles=len(groups[name]),
                p50=effects[0],
                p95=effects[1],
            )


def _latency(context: NightContext, panels: Sequence[Panel], loads: HostedLoads, metric: str) -> LatencyHistory | None:
    """Latency of the first console of each guest; None where none of them was measured."""
    rows = {entity.id: (panel, row) for panel in panels for row, entity in enumerate(panel.entities)}
    slots = loads.cpu.shape[1]
    values_by_metric = {name: np.full((len(loads.guests), slots), np.nan) for name in (metric, CONNECT)}
    for guest, name in enumerate(loads.guests):
        consoles = [
            c for c in context.topology.children.get(name, ()) if context.topology[c].kind == EntityKind.CONSOLE
        ]
        panel, row = rows.get(consoles[0], (None, 0)) if consoles else (None, 0)
        for column, values in values_by_metric.items():
            if panel is not None and column in panel.metric_names:
                values[guest] = panel.values[row, :, panel.metric_names.index(column)]
    if not np.isfinite(values_by_metric[metric]).any():
        return None
    step_s = panels[0].interval_s
    days_ago = (np.arange(slots)[::-1] * step_s) // 86_400
    connect = np.where(np.isfinite(values_by_metric[CONNECT]).any(axis=1)[:, None], values_by_metric[CONNECT], 0.0)
    return LatencyHistory(
        latency=values_by_metric[metric],
        connect=connect,
        days=days_ago.max() - days_ago,
        lately=days_ago < LATELY_DAYS,
        of_guest=metric != context.console_latency,
    )


def _saturation(
    context: NightContext,
    panels: Sequence[Panel],
    before: HostedLoads,
    after: HostedLoads,
    changed_guests: Sequence[str],
) -> tuple[tuple[SaturationChange, ...], tuple[str, ...]]:
    """Limits of hosts and changed guests that are crossed before or after; and why there are none."""
    if context.models.forecaster is None:
        return (), ("No forecaster is stored here, so no dates are given: run `brownout nightly` or `train` first.",)
    breaches_by_panel: list[tuple[dict[Series, Breach], dict[Series, Breach]]] = []
    for panel in panels:
        rows = [row for row, entity in enumerate(panel.entities) if entity.id in {*before.hosts, *changed_guests}]
        columns = [column for column, name in enumerate(panel.metric_names) if name in CHANGED]
        if rows and columns:
            chosen = panel.select(entities=rows, metrics=columns)
            breaches_by_panel.append((_breaches(context, chosen), _breaches(context, _as_loaded(chosen, after))))
    changes = [
        _saturation_change(context, series, one.get(series), other.get(series))
        for one, other in breaches_by_panel
        for series in dict.fromkeys([*one, *other])
    ]
    return tuple(sorted(changes, key=lambda change: (change.entity, change.metric))), ()


def _as_loaded(panel: Panel, loads: HostedLoads) -> Panel:
    """A panel of hosts or guests with what some loads say of them."""
    values = panel.values.copy()
    for row, entity in enumerate(panel.entities):
        names = loads.hosts if entity.kind == EntityKind.HOST else loads.guests
        for column, metric in enumerate(panel.metric_names):
            values[row, :, column] = getattr(loads, CHANGED[metric])[names.index(entity.id)]
    return replace(panel, values=values)


def _breaches(context: NightContext, panel: Panel) -> dict[Series, Breach]:
    plan = ShardPlan(
        entities=panel.entity_ids,
        kind=panel.entities[0].kind,
        interval_s=panel.interval_s,
        start=panel.start,
        end=panel.end,
    )
    shard_forecast = forecast(context, plan, panel)
    return {} if shard_forecast is None else {breach.series: breach for breach in shard_forecast.breaches}


def _saturation_change(
    context: NightContext, series: Series, before: Breach | None, after: Breach | None
) -> SaturationChange:
    known = before or after
    return SaturationChange(
        entity=series.entity,
        name=name_of(context.topology, series.entity),
        metric=series.metric,
        limit=float("nan") if known is None else known.limit,
        before=_dates(before),
        after=_dates(after),
    )


def _dates(breach: Breach | None) -> SaturationDates | None:
    if breach is None:
        return None
    return SaturationDates(
        probability=breach.probability,
        earliest=breach.earliest,
        likely=breach.likely,
        latest=breach.latest,
        exceeded=breach.exceeded,
    )


def _warnings(before: HostedLoads, after: HostedLoads) -> Iterator[str]:
    """What the model was never shown, in the time that it learned from."""
    for row, host in enumerate(after.hosts):
        known = np.isfinite(before.busy[row])
        most, would = (float(np.quantile(loads.busy[row][known], 0.95)) for loads in (before, after))
        if would > max(most, BUSIEST):
            yield f"{host} would be {would:.0f} % busy at its busiest: it cannot do all of this work."
        least, left = (_low(loads.available[row]) for loads in (before, after))
        if left < 15 <= least:
            yield f"{host} would have {left:.0f} % of its memory left: how it swaps was never measured here."
    for row, guest in enumerate(after.guests):
        least, left = (_low(loads.usable[row]) for loads in (before, after))
        if left < 10 <= least:
            yield f"{guest} would have {left:.0f} % of its memory left: how it swaps was never measured here."
        busy = after.cpu[row][np.isfinite(after.cpu[row])]
        if after.vcpus[row] < before.vcpus[row] and len(busy) and np.quantile(busy, 0.95) > 90:
            yield f"{guest} would be at the end of its {after.vcpus[row]:g} vCPUs for more than 5 % of the time."


def _low(values: Doubles) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, 0.05)) if len(known) else float("nan")
