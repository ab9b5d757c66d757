"""The context of a night: everything that its stages read, built once before any of them runs."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np

from brownout.detection.alert_state import AlertState
from brownout.detection.episodes.threshold_rules import Rule
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.diagnosis.inference.cause_ranking import Diagnoser, Weights
from brownout.domain.calendar import Calendar
from brownout.domain.entities import Topology
from brownout.domain.errors import ModelError
from brownout.domain.metrics import Metric
from brownout.domain.night import ModelRecord
from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.evaluation.review_rules import ReviewRule
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.selected_forecaster import SelectedForecaster
from brownout.nightly.model_review.drift_reference import DriftReference
from brownout.nightly.night_span import NightSpan
from brownout.nightly.panels import with_limits
from brownout.nightly.passes.kept_results import KeptResults
from brownout.planning.remedies import Remedies
from brownout.settings import Settings
from brownout.site_knowledge import Definitions, load_definitions
from brownout.store.shards import Shard, ShardPlan, read_shard

__all__ = ["NightContext", "NightModels"]

T = TypeVar("T")

DOUBT = 1.0
"""Log-odds that episodes of our own add to ``unknown``: they are healthy more often than what somebody reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightModels:
    """The models of a night; without a forecaster nothing is forecast, without a detector nothing is searched."""

    detector: IsolationForestDetector | None = None
    forecaster: SelectedForecaster | None = None
    outlook: Outlook | None = None
    records: tuple[ModelRecord, ...] = ()
    reference: DriftReference | None = None
    waiting: tuple[ModelRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NightContext:
    """What the stages of a night share; nothing in it changes while they run.

    Attributes
    ----------
    store
        The samples; they end where the night looks from.
    calendar
        Announced maintenance: what was measured in its windows is neither learned from nor searched.
    state
        Episodes of the last night and verdicts of people.
    metrics
        Metrics of the store by name, with the limits of the settings.
    console_latency
        Name of the metric that is shown as console latency.
    created
        When the night runs, UTC.
    at
        The time that freshness is judged by: now over a live source, the time of a replay, else the end of the data.
    review
        When a newly trained model may take the place of the one in use.
    keep_points
        Whether forecasts and scores of every series are kept for the write-back.
    kept
        What earlier passes of watch found and this one goes on from; None for a night.
    late_s
        Pretends that every episode is noticed so many seconds later; only evaluation sets it.
    """

    store: SampleStore
    settings: Settings
    span: NightSpan
    topology: Topology
    metrics: Mapping[str, Metric]
    console_latency: str
    calendar: Calendar
    state: AlertState
    rules: Sequence[Rule]
    diagnoser: Diagnoser
    remedies: Remedies
    created: np.datetime64
    at: np.datetime64
    models: NightModels = field(default_factory=NightModels)
    review: Sequence[ReviewRule] = ()
    keep_points: bool = False
    kept_results: KeptResults | None = None
    late_s: float = 0.0

    @classmethod
    def build(  # noqa: PLR0913 - each is something that a night reads
        cls,
        store: SampleStore,
        settings: Settings,
        *,
        created: np.datetime64,
        at: np.datetime64 | None = None,
        calendar: Calendar | None = None,
        state: AlertState | None = None,
        keep_points: bool = False,
        definitions: Definitions | None = None,
    ) -> Self:
        """Read what the settings, the store and the definitions say; raises HistoryError where there are no samples."""
        definitions = definitions or load_definitions(settings.knowledge)
        span = NightSpan.of(store, settings)
        return cls(
            store=store,
            settings=settings,
            span=span,
            topology=store.topology,
            metrics=with_limits({metric.name: metric for metric in store.metrics}, settings.forecast),
            console_latency=definitions.catalogue.console_latency,
            calendar=calendar or Calendar(),
            state=state or AlertState(),
            rules=definitions.rules,
            diagnoser=Diagnoser(definitions.knowledge, Weights(unknown=Weights.unknown + DOUBT)),
            remedies=definitions.remedies,
            review=definitions.review,
            created=created,
            at=span.end if at is None else max(at, span.end),
            keep_points=keep_points,
        )

    def with_models(self, models: NightModels) -> Self:
        """The same context with models."""
        return replace(self, models=models)

    def once_a_slot(self, key: Hashable, make: Callable[[], T]) -> T:
        """A result that passes of watch compute once for each slot of the forecast, and a night always."""
        return make() if self.kept_results is None else self.kept_results.once_a_slot(key, make)

    def shard(self, plan: ShardPlan) -> Shard:
        """A shard, read; passes of watch read what came since the last one."""
        return (
            read_shard(self.store, plan)
            if self.kept_results is None
            else self.kept_results.panels.read(self.store, plan)
        )

    def usual_panel(self, plan: ShardPlan) -> Panel:
        """A shard without what was measured in windows of maintenance: what may be learned from."""
        return self.calendar.without(read_shard(self.store, plan).panel, self.topology)

    @property
    def detector(self) -> IsolationForestDetector:
        """The detector; raises ModelError where the context has none."""
        if self.models.detector is None:
            raise ModelError("This night has no detector.", remedy="Run `brownout train` or `brownout nightly` first.")
        return self.models.detector
