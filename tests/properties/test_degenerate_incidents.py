"""Diagnosis and planning on inputs with next to nothing in them: a clear answer, never a traceback or a warning."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from strict_warnings import warnings_are_errors

from brownout.diagnosis.evidence.observation import IncidentWindow, observe
from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.incidents.incident_core import diagnose_phases, phases
from brownout.diagnosis.incidents.separation import sift
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Episode, Mover
from brownout.domain.forecasts import QUANTILES, Forecasts, Series
from brownout.domain.panel import Panel
from brownout.planning.actions import plan_diagnosis
from brownout.planning.saturation import breaches
from brownout.site_knowledge import load_definitions

DEFINITIONS = load_definitions()
START = np.datetime64("2026-03-02T00:00", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
HOST = Entity(id="h", kind="host")
GUEST = Entity(id="v", kind="vm", parent="h", labels={"disk_bus": "ide"})
CONSOLE = Entity(id="v/console", kind="console", parent="v")
SERVICE = Entity(id="s", kind="service")
METRICS = {
    "host": ("host_cpu_busy_pct", "host_swap_kbs", "host_memory_available_pct"),
    "vm": ("vm_cpu_pct", "vm_ready_pct", "vm_memory_usable_pct"),
    "console": ("console_update_ms", "console_mainloop_ms"),
    "service": ("cpu", "latency"),
}


def panel(entity: Entity, slots: int, fill: float = 20.0, interval_s: int = 60) -> Panel:
    names = METRICS[entity.kind]
    metrics = DEFINITIONS.catalogue.select(names)
    values = np.full((1, slots, len(names)), fill, np.float32)
    return Panel(values, START, interval_s, (entity,), metrics)


def spiked(slots: int, first: int, last: int) -> Panel:
    busy = panel(HOST, slots)
    busy.values[:, first:last] = 95
    return busy


def with_gap() -> Panel:
    """Thirty days of which only the first and the last ten minutes were measured."""
    wide = panel(HOST, 43_200)
    wide.values[:, 10:-10] = np.nan
    return wide


CASES: dict[str, Callable[[], list[Panel]]] = {
    "no panels": list,
    "no entities": lambda: [replace(panel(HOST, 600), values=np.empty((0, 600, 3), np.float32), entities=())],
    "no metrics": lambda: [replace(panel(HOST, 600), values=np.empty((1, 600, 0), np.float32), metrics=())],
    "no slots": lambda: [panel(HOST, 0)],
    "one sample": lambda: [panel(HOST, 1)],
    "two samples": lambda: [panel(HOST, 2)],
    "no baseline": lambda: [panel(HOST, 5), panel(GUEST, 5)],
    "nothing measured": lambda: [panel(HOST, 600, np.nan), panel(GUEST, 600, np.nan), panel(CONSOLE, 600, np.nan)],
    "one entity, constant": lambda: [panel(HOST, 600)],
    "all zero": lambda: [panel(HOST, 600, 0.0), panel(GUEST, 600, 0.0), panel(CONSOLE, 600, 0.0)],
    "huge gap": lambda: [with_gap()],
    "coarse beside fine": lambda: [panel(HOST, 600), panel(GUEST, 3, interval_s=14_400)],
    "unknown kind": lambda: [panel(SERVICE, 600, np.nan), panel(SERVICE, 600, 0.0)],
    "huge values": lambda: [panel(HOST, 600, 1e30)],
    "a single slot out": lambda: [spiked(600, 590, 591)],
}
SPANS = {
    "a usual hour": (9 * HOUR, 10 * HOUR),
    "no time at all": (9 * HOUR, 9 * HOUR),
    "before the data": (-5 * HOUR, -4 * HOUR),
    "after the data": (9_000 * HOUR, 9_001 * HOUR),
    "the whole": (0 * HOUR, 10 * HOUR),
    "from before to after": (-5 * HOUR, 9_000 * HOUR),
}


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings_are_errors():
        yield


@pytest.fixture(params=sorted(CASES))
def panels(request: pytest.FixtureRequest) -> list[Panel]:
    return CASES[request.param]()


def window_of(span: str, entities: tuple[str, ...]) -> IncidentWindow:
    start, end = (START + offset for offset in SPANS[span])
    series = Series(entities[0] if entities else "h", "host_cpu_busy_pct")
    mover = Mover(series=series, usual=20, peak=95, deviation=9, onset=start)
    episode = Episode(
        id="e", entity=series.entity, start=start, end=end, open=False, severity=1.2, movers=(mover,)
    )  # fmt: skip
    return IncidentWindow(id="i", start=start, end=end, entities=entities, episodes=(episode,))


TOPOLOGY = Topology.of([HOST, GUEST, CONSOLE, SERVICE])
MEMBERS = ("h", "v", "v/console", "s")


@pytest.mark.parametrize("span", SPANS)
def test_the_answer_is_unknown_with_a_summary(panels: list[Panel], span: str) -> None:
    window = window_of(span, MEMBERS)
    diagnosis = diagnose_phases(Diagnoser(DEFINITIONS.knowledge), window, panels, TOPOLOGY)
    assert diagnosis.top.id == UNKNOWN
    assert diagnosis.summary.startswith("Nothing that is known explains this.")
    assert np.isfinite([cause.probability for cause in diagnosis.causes]).all()
    assert "nan" not in diagnosis.summary
    assert "inf " not in diagnosis.summary


@pytest.mark.parametrize("span", SPANS)
def test_the_plan_is_to_measure(panels: list[Panel], span: str) -> None:
    diagnosis = diagnose_phases(Diagnoser(DEFINITIONS.knowledge), window_of(span, MEMBERS), panels, TOPOLOGY)
    actions = plan_diagnosis(diagnosis, panels, TOPOLOGY, DEFINITIONS.remedies)
    assert [(action.title, action.effect) for action in actions] == (
        [("Measure before acting", None)] if diagnosis.open else []
    )


@pytest.mark.parametrize("span", SPANS)
def test_an_incident_of_nobody_is_unknown(span: str) -> None:
    diagnoser = Diagnoser(DEFINITIONS.knowledge)
    diagnosis = diagnoser.diagnose(window_of(span, ()), [panel(HOST, 600)], Topology.of([]))
    assert [cause.id for cause in diagnosis.causes] == [UNKNOWN]
    actions = plan_diagnosis(diagnosis, [], Topology.of([]), DEFINITIONS.remedies)
    assert [action.cause for action in actions] == ([UNKNOWN] if diagnosis.open else [])


@pytest.mark.parametrize("span", SPANS)
def test_phases_lie_within_what_there_is(panels: list[Panel], span: str) -> None:
    for phase in phases(window_of(span, MEMBERS), panels):
        assert phase.start <= phase.end


def test_without_episodes_there_are_no_incidents() -> None:
    assert group_episodes([], TOPOLOGY) == ()
    unknown = Episode(id="e", entity="nobody", start=START, end=START, open=True, severity=1.0, movers=())
    assert [window.entities for window in group_episodes([unknown], TOPOLOGY)] == [("nobody",)]


def test_an_unknown_incident_without_movers_stays_an_alarm() -> None:
    (window,) = group_episodes(
        [Episode(id="e", entity="h", start=START, end=START + HOUR, open=False, severity=1.0, movers=())], TOPOLOGY
    )
    diagnoser = Diagnoser(DEFINITIONS.knowledge)
    separated = sift(window, lambda w: diagnoser.diagnose(w, [], TOPOLOGY), DEFINITIONS.knowledge, TOPOLOGY)
    assert len(separated.diagnoses) == 1
    assert separated.suppressed == ()


def test_observations_hold_only_finite_figures(panels: list[Panel]) -> None:
    for start, end in SPANS.values():
        for seen in observe(panels, START + start, START + end).table.values():
            figures = (seen.usual, seen.spread, seen.high, seen.low, seen.trend, *seen.apart)
            assert np.isfinite(figures).all(), seen


def forecasts(values: np.ndarray) -> Forecasts:
    rows = len(values)
    return Forecasts(
        values=values.astype(np.float32),
        series=tuple(Series("h", "host_cpu_busy_pct") for _ in range(rows)),
        origins=np.full(rows, START),
        interval_s=1800,
        makers=("naive",) * rows,
    )


@pytest.mark.parametrize(
    "values",
    [
        np.empty((0, 48, len(QUANTILES))),
        np.zeros((1, 1, len(QUANTILES))),
        np.full((2, 48, len(QUANTILES)), 90.0),
        np.full((1, 48, len(QUANTILES)), 1e9),
    ],
    ids=["no series", "one step", "all at the limit", "far beyond"],
)
def test_breaches_of_next_to_nothing(values: np.ndarray) -> None:
    found = breaches(forecasts(values), DEFINITIONS.catalogue.metrics, {})
    assert all(0 <= breach.probability <= 1 for breach in found)
    assert all(np.isnan(breach.now) and not breach.exceeded for breach in found)
