"""Freshness of the whole fleet: the silences of all shards, which are unexpected, and what explains the others."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import Freshness, Silence
from brownout.domain.panel import Times
from brownout.nightly.context import NightContext
from brownout.nightly.freshness.silent_series import LEAST_SAMPLES, REGULAR, FellSilent, longest_usual_silence
from brownout.numerics.slots import days

__all__ = ["MASS", "freshness_of", "is_stale"]

TOGETHER = np.timedelta64(3_600_000, "ms")
"""Silences that begin within an hour have one reason."""
MASS = 0.5
"""Share of the regularly measured entities, of a host or of the fleet, whose silence is never expected."""
FEW = 3
"""Fewer entities than this are no mass."""
LEFT = days(14)
"""Who was silent for so long has left: nobody waits for the next sample."""
ANNOUNCED = "announced maintenance"
REMOVED = "shut off or removed: its host goes on"
GONE = "not measured for two weeks: taken to be removed"
PART = "a part that comes and goes with its guest or host"


def is_stale(newest: np.datetime64, at: np.datetime64, interval_s: float) -> bool:
    """Whether telemetry as a whole has stopped: the newest sample is older than the rhythm of the fleet explains."""
    return bool((at - newest) / np.timedelta64(1, "s") > longest_usual_silence(interval_s))


def freshness_of(context: NightContext, parts: Sequence[FellSilent]) -> Freshness:
    """What was measured regularly and is not any more, over all shards."""
    spans, at = context.store.spans(), context.at
    interval = context.store.interval_s or min(span.interval_s for span in spans.values())
    newest = context.span.end - np.timedelta64(1, "ms")
    stale = is_stale(newest, at, interval)
    # Where everything has stopped, what stopped before that is judged by the end of the data.
    fleet = _Fleet(context, parts, context.span.end if stale else at)
    silences = fleet.silences()
    return Freshness(
        at=at,
        newest=newest,
        age_s=float((at - newest) / np.timedelta64(1, "s")),
        stale=stale,
        silences=silences,
        regular=len(fleet.regular),
        share=_share_within_an_hour(silences, len(fleet.regular)),
    )


def _share_within_an_hour(silences: Sequence[Silence], regular: int) -> float:
    times = np.sort([s.since for s in silences if s.whole and not s.expected for _ in (s.entity, *s.below)])
    if not len(times) or not regular:
        return 0.0
    most = max(int(np.searchsorted(times, time + TOGETHER, "right")) - index for index, time in enumerate(times))
    return min(most / regular, 1.0)


@dataclass(frozen=True)
class _Fleet:
    """The silences of the fleet, with their explanations."""

    context: NightContext
    parts: Sequence[FellSilent]
    at: np.datetime64

    @cached_property
    def topology(self) -> Topology:
        return self.context.topology

    @cached_property
    def regular(self) -> frozenset[str]:
        """Entities that are, or were, measured regularly."""
        return frozenset().union(*(part.regular for part in self.parts), self._long_ago)

    @cached_property
    def _long_ago(self) -> Mapping[str, np.datetime64]:
        """Entities that no shard holds, since their last sample is too old, with the time after it."""
        read = {name for part in self.parts for name in part.last}
        ended: dict[str, np.datetime64] = {}
        for name, span in self.context.store.spans().items():
            length = (span.last - span.first) / np.timedelta64(span.interval_s, "s") + 1
            late = (self.at - span.last) / np.timedelta64(1, "s") > longest_usual_silence(span.interval_s)
            if name not in read and late and span.rows >= max(LEAST_SAMPLES, REGULAR * length):
                ended[name] = span.last + np.timedelta64(span.interval_s * 1000, "ms")
        return ended

    @cached_property
    def ended(self) -> Mapping[str, np.datetime64]:
        """Entities of which nothing is measured any more, with the time after their last sample."""
        ended = dict(self._long_ago)
        for part in self.parts:
            for name, metrics in part.series.items():
                if max(metrics.values()) == part.last[name] and self._is_late(part, name, part.last[name]):
                    ended[name] = part.last[name]
        return ended

    def _is_late(self, part: FellSilent, name: str, since: np.datetime64) -> bool:
        """Whether something was silent for long before the time that is judged, not only before the clock."""
        silent = (self.at - since) / np.timedelta64(1, "s")
        return bool(silent > longest_usual_silence(part.rhythm_s.get(name, 0.0)))

    def silences(self) -> tuple[Silence, ...]:
        """Entities, each with what fell silent below it, then metrics of entities that go on."""
        silences = [self._silence(name) for name in self.ended if not self._covered_by_ancestor(name)]
        silences += self._metrics_of_others()
        return tuple(sorted(silences, key=lambda s: (bool(s.expected), not s.whole, s.since, s.entity)))

    def _covered_by_ancestor(self, name: str) -> bool:
        """Whether an ancestor of the entity fell silent at the same time or before, and so covers it."""
        return any(
            above in self.ended and self.ended[above] <= self.ended[name] + TOGETHER
            for above in self.topology.ancestors(name)
        )

    def _silence(self, name: str) -> Silence:
        below = tuple(
            other
            for other in self.topology.descendants(name)
            if other in self.ended and self.ended[name] <= self.ended[other] + TOGETHER
        )
        return Silence(
            entity=name,
            since=self.ended[name],
            families=self._families(name),
            below=below,
            expected=self._expected(name),
        )

    def _families(self, name: str) -> tuple[str, ...]:
        metrics = {metric for part in self.parts for metric in part.series.get(name, ())}
        return tuple(sorted({str(self.context.metrics[metric].family) for metric in metrics}))

    def _expected(self, name: str) -> str:
        """Why the silence of an entity is expected; empty where it is not."""
        since = self.ended[name]
        if self._announced(name, since):
            return ANNOUNCED
        if self.at - since >= LEFT:
            return GONE
        if self._many_with(name):
            return ""
        kind = self.topology[name].kind
        if kind == EntityKind.VM:
            return REMOVED
        if kind in {EntityKind.DISK, EntityKind.INTERFACE, EntityKind.PATH}:
            return PART
        return ""

    def _announced(self, name: str, since: np.datetime64) -> bool:
        """Whether a window of maintenance for it holds the begin of the silence, or the present."""
        topology = self.topology
        return any(
            window.covers(name, topology) and window.spans(time - TOGETHER, time + TOGETHER)
            for window in self.context.calendar.windows
            for time in (since, self.at)
        )

    def _many_with(self, name: str) -> bool:
        """Whether much of the same kind, of its host or of the fleet, fell silent within an hour of it."""
        kind, since = self.topology[name].kind, self.ended[name]
        for key in ((kind, self.topology.root(name)), (kind, "")):
            size, times = self._groups[key]
            first, last = np.searchsorted(times, [since - TOGETHER, since + TOGETHER], "right")
            if last - first >= max(FEW, MASS * size):
                return True
        return False

    @cached_property
    def _groups(self) -> Mapping[tuple[str, str], tuple[int, Times]]:
        """By kind and host, and by kind overall: the number of regular entities, and the times at which some ended."""
        sizes, times = Counter[tuple[str, str]](), defaultdict[tuple[str, str], list[np.datetime64]](list)
        for name in self.regular | self.ended.keys():
            kind = self.topology[name].kind
            for key in ((kind, self.topology.root(name)), (kind, "")):
                sizes[key] += 1
                times[key] += [self.ended[name]] if name in self.ended else []
        return {key: (size, np.sort(np.array(times[key], "datetime64[ms]"))) for key, size in sizes.items()}

    def _metrics_of_others(self) -> list[Silence]:
        """Metrics that fell silent at entities that go on, one silence for each entity and time."""
        silences = []
        for part in self.parts:
            for name, metrics in part.series.items():
                if name in self.ended or any(above in self.ended for above in self.topology.ancestors(name)):
                    continue
                for since in Counter(metrics.values()):
                    if not self._is_late(part, name, since):
                        continue
                    own = tuple(sorted(metric for metric, last in metrics.items() if last == since))
                    silences.append(self._metrics_silence(name, since, own))
        return silences

    def _metrics_silence(self, name: str, since: np.datetime64, metrics: tuple[str, ...]) -> Silence:
        expected = ANNOUNCED if self._announced(name, since) else GONE if self.at - since >= LEFT else ""
        families = sorted({str(self.context.metrics[metric].family) for metric in metrics})
        return Silence(
            entity=name,
            since=since,
            families=tuple(families),
            metrics=metrics,
            whole=False,
            expected=expected,
        )
