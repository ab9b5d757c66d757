"""The question where the next guest goes: forecasts of the coming day, and hosts that are in trouble."""

from brownout.domain.entities import EntityKind
from brownout.domain.errors import ModelError
from brownout.domain.forecasts import Forecasts
from brownout.domain.night import Night
from brownout.nightly.capacity.closed_hosts import closed_hosts_of
from brownout.nightly.context import NightContext
from brownout.nightly.forecast import forecast
from brownout.nightly.questions.last_night import panels_on_one_grid
from brownout.numerics.slots import days
from brownout.planning.placing import FleetAhead, place_new_guest
from brownout.planning.placing.fleet_ahead import LOAD_METRICS
from brownout.planning.placing.new_guest import PlacementAnswer
from brownout.reporting import load_night
from brownout.store.shards import ShardPlan
from brownout.store.workspace import Workspace

__all__ = ["answer_placement"]


def answer_placement(context: NightContext, workspace: Workspace, *, vcpus: int, memory_gib: float) -> PlacementAnswer:
    """The host for a guest of some size; raises ModelError where nothing was trained, so that nothing is forecast.

    Hosts with an open incident in the last report, a forecast breach, announced maintenance, or without telemetry take
    nothing in. Without a report only the forecasts speak.
    """
    if context.models.forecaster is None:
        what = f"No forecaster is stored below {workspace.out}, so nothing says how busy hosts will be."
        raise ModelError(what, remedy="Run `brownout nightly` or `brownout train` first.")
    path = workspace.report / "report.json"
    night: Night | None = load_night(path) if path.is_file() else None
    refused = {} if night is None else closed_hosts_of(night, context.calendar)
    since = context.span.end - days(context.settings.forecast.context_days)
    fleet = FleetAhead.of(context.topology, _loads(context), refused, moved_since=since)
    return place_new_guest(fleet, context.topology, context.span.end, vcpus=vcpus, memory_gib=memory_gib)


def _loads(context: NightContext) -> list[Forecasts]:
    entities = [entity.id for entity in context.topology if entity.kind in (EntityKind.HOST, EntityKind.VM)]
    panels = panels_on_one_grid(context, entities, LOAD_METRICS, context.settings.forecast.context_days)
    loads = []
    for panel in panels:
        if not panel.metrics:
            continue
        plan = ShardPlan(
            entities=panel.entity_ids,
            kind=panel.entities[0].kind,
            interval_s=panel.interval_s,
            start=panel.start,
            end=panel.end,
        )
        shard_forecast = forecast(context, plan, panel)
        if shard_forecast is not None:
            loads.append(shard_forecast.loads)
    return loads
