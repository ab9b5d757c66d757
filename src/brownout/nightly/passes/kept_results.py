"""Results that passes of watch keep from one to the next, so that only new data are computed.

A pass looks at the window of the first one, until that has grown by a day: then everything is worked out anew. Kept are
what was read, scores of slots that were scored, diagnoses of incidents that are over, and, until the next slot of the
forecast is over, what is made of such slots: forecasts, sizes of guests, drift, when hosts run out.
"""

import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from brownout.detection.forest.kept_scores import KeptScores
from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.separation import Sifted
from brownout.domain.panel import Panel
from brownout.nightly.passes.kept_panels import KeptPanels
from brownout.numerics.slots import days
from brownout.site_knowledge import Definitions, load_definitions
from brownout.store.shards import ShardPlan

if TYPE_CHECKING:
    from brownout.nightly.context import NightContext

__all__ = ["KeptResults"]

T = TypeVar("T")

LONGEST = days(1)
"""Passes go on from a first one for so long."""


@dataclass(slots=True, eq=False)
class KeptResults:
    """Results of earlier passes of one process; not for two threads at once.

    ``diagnoses`` are those of the last pass, ``asked`` those of this one: what nobody asks about any more goes.
    """

    first: "NightContext | None" = None
    definitions: Definitions | None = None
    slot: int = -1
    panels: KeptPanels = field(default_factory=KeptPanels)
    scores: dict[Hashable, KeptScores] = field(default_factory=dict)
    by_slot: dict[Hashable, object] = field(default_factory=dict)
    diagnoses: dict[Hashable, Sifted] = field(default_factory=dict)
    used_diagnoses: dict[Hashable, Sifted] = field(default_factory=dict)

    def known_definitions(self, site: Path | None) -> Definitions:
        """Knowledge as it was read at the first pass, or that others go on from."""
        if self.definitions is None:
            self.definitions = load_definitions(site)
        return self.definitions

    def going_on(self, context: "NightContext") -> "NightContext":
        """The context of a pass that goes on from earlier ones, or that others go on from where it cannot."""
        first = self.first
        self.diagnoses, self.used_diagnoses = self.used_diagnoses, {}
        if first is None or not _goes_on(first, context):
            self.panels, self.scores, self.by_slot, self.diagnoses = KeptPanels(), {}, {}, {}
            self.definitions = None
            self.first = first = context
        if first.topology != context.topology:  # a guest moved, say: what it did is scored as before
            self.diagnoses, self.by_slot = {}, {}
            self.first = first = replace(first, topology=context.topology)
        self.panels.renew(context.store)
        slot = int((context.span.end - np.datetime64(0, "ms")) // days(context.settings.forecast.step_minutes / 1440))
        if slot != self.slot:
            self.slot, self.by_slot = slot, {}
        return replace(
            context, span=replace(context.span, window=first.span.window, looked_from=first.span.end), kept_results=self
        )

    def scores_of(self, plan: ShardPlan) -> KeptScores:
        """The scores that are kept of a shard."""
        return self.scores.setdefault((plan.kind, plan.interval_s, plan.entities), KeptScores())

    def once_a_slot(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made under a key since the last slot of the forecast was over; made where there is nothing."""
        if key not in self.by_slot:
            self.by_slot[key] = make()
        return cast("T", self.by_slot[key])

    def sifted(self, window: IncidentWindow, panels: Sequence[Panel], make: Callable[[], Sifted]) -> Sifted:
        """What a group of episodes is about, as it was found of the same values; ``panels`` hold all that is read."""
        key = (window, tuple((panel.entity_ids, panel.metric_names, panel.start, _digest(panel)) for panel in panels))
        if key not in self.used_diagnoses:
            self.used_diagnoses[key] = self.diagnoses[key] if key in self.diagnoses else make()
        return self.used_diagnoses[key]


def _goes_on(first: "NightContext", context: "NightContext") -> bool:
    """Whether a pass has the same settings and the same knowledge, a little later."""
    since = context.span.end - first.span.end
    return bool(np.timedelta64(0, "ms") <= since < LONGEST) and all(
        getattr(first, name) == getattr(context, name)
        for name in ("settings", "metrics", "rules", "diagnoser", "remedies", "console_latency")
    )


def _digest(panel: Panel) -> int:
    return zlib.crc32(np.ascontiguousarray(panel.values).data, panel.values.shape[1])
