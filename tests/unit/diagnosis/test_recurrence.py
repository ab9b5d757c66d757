"""What comes and goes by one cause at one place is one incident; what differs in either is not."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.recurrence import Told, joined
from brownout.domain.entities import Entity
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, Evidence, EvidenceRole, EvidenceState, Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import shipped_catalogue
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02T00:00", "ms")


def told(begin_h: float, end_h: float, cause: str = "CONT-04", entity: str = "kvm1", probability: float = 0.9) -> Told:
    start, end = (START + np.timedelta64(round(h * 3_600_000), "ms") for h in (begin_h, end_h))
    name = f"{cause}{entity}{begin_h}"
    episode = Episode(id=name, entity=entity, start=start, end=end, open=False, severity=2.0, movers=())
    window = IncidentWindow(id=name, start=start, end=end, entities=(entity,), episodes=(episode,))
    family = cause.split("-", maxsplit=1)[0]
    top = Cause(id=cause, title=cause, family=family, entity=entity, probability=probability)
    diagnosis = Diagnosis(
        id=name, start=start, end=end, open=False, entities=(entity,), episodes=(name,), causes=(top,)
    )
    return window, diagnosis


def test_a_fault_that_comes_and_goes_is_one_incident_with_the_likeliest_answer() -> None:
    parts = [told(0, 1), told(4.5, 5, probability=0.95), told(8, 9)]
    ((window, diagnosis),) = joined(reversed(parts))
    assert (window.start, window.end) == (parts[0][0].start, parts[2][0].end)
    assert (diagnosis.start, diagnosis.end, diagnosis.id) == (window.start, window.end, parts[0][1].id)
    assert diagnosis.top.probability == 0.95
    assert set(diagnosis.episodes) == {episode.id for episode in window.episodes} == {d.id for _, d in parts}


@pytest.mark.parametrize(
    "other",
    [told(5.5, 6), told(1.5, 2, entity="kvm2"), told(1.5, 2, cause="NET-08"), told(1.5, 2, cause=UNKNOWN)],
    ids=["a long pause", "another entity", "another family", "unknown"],
)
def test_what_is_not_the_same_stays_apart(other: Told) -> None:
    assert len(joined([told(0, 1), other])) == 2


def test_a_pause_in_which_something_of_the_fault_was_seen_is_none() -> None:
    """The cause is surest late in an incident whose episode began long before."""
    late, diagnosis = told(8, 9)
    early = replace(late.episodes[0], start=told(2, 3)[0].start)
    assert len(joined([told(0, 1), (late, diagnosis)])) == 2
    assert len(joined([told(0, 1), (replace(late, episodes=(early,)), diagnosis)])) == 1


def test_two_names_of_one_family_that_overlap_at_one_entity_are_one_fault() -> None:
    assert len(joined([told(0, 3, cause="NET-03"), told(1, 2, cause="NET-01")])) == 1
    assert len(joined([told(0, 1, cause="NET-03"), told(1.5, 2, cause="NET-01")])) == 2


def test_an_open_part_leaves_the_incident_open() -> None:
    window, diagnosis = told(1.5, 2)
    ((whole, answer),) = joined([told(0, 1), (replace(window, open=True), replace(diagnosis, open=True))])
    assert whole.open
    assert answer.open


def pool(begin_h: float, end_h: float, usual: float, peak: float, metric: str = "disk_used_pct") -> Told:
    """An incident of a pool that fills up."""
    window, diagnosis = told(begin_h, end_h, cause="MAINT-04", entity="pool")
    series = Series("pool", metric)
    mover = Mover(series=series, usual=usual, peak=peak, deviation=9.0, onset=window.start)
    fills = Evidence(
        symptom="disk_fills", role=EvidenceRole.NECESSARY, state=EvidenceState.PRESENT, strength=1, statement="",
        series=series,
    )  # fmt: skip
    window = replace(window, episodes=(replace(window.episodes[0], movers=(mover,)),))
    return window, replace(diagnosis, causes=(replace(diagnosis.top, evidence=(fills,)),))


@pytest.mark.parametrize(("level", "incidents"), [(80.0, 1), (60.0, 2), (np.nan, 2)], ids=["full", "emptied", "unseen"])
def test_a_pool_that_nobody_emptied_is_one_incident_however_long_it_paused(level: float, incidents: int) -> None:
    values = np.full((1, 40, 1), level, np.float32)
    entity, metric = Entity(id="pool", kind="path"), shipped_catalogue().metrics["disk_used_pct"]
    panel = Panel(values, START, 3600, (entity,), (metric,))
    parts = [pool(0, 10, 50.0, 80.0), pool(24, 30, 80.0, 90.0)]
    assert len(joined(parts, [panel])) == incidents
    assert len(joined(parts)) == 2


def test_a_leak_of_what_has_no_limit_is_one_incident_while_nothing_is_given_back() -> None:
    metric = shipped_catalogue().metrics["vm_qemu_extra_mib"]
    assert not metric.is_limited
    parts = [pool(0, 10, 200.0, 900.0, metric.name), pool(24, 30, 900.0, 1500.0, metric.name)]
    values = np.full((1, 40, 1), 880.0, np.float32)
    panel = Panel(values, START, 3600, (Entity(id="pool", kind="vm"),), (metric,))
    assert len(joined(parts, [panel])) == 1
    values[0, 15] = 250.0
    assert len(joined(parts, [panel])) == 1
    values[0, 15:18] = 250.0
    assert len(joined(parts, [panel])) == 2


@pytest.mark.parametrize(("level", "incidents"), [(12.0, 1), (35.0, 2)], ids=["used up", "freed"])
def test_a_guest_that_swaps_and_leaks_on_without_recovering_has_one_fault_of_two_names(
    level: float, incidents: int
) -> None:
    """It swaps no more in the pause, and the last episode of it knows no better than a guest with little memory."""
    swaps, leaks = told(0, 8, cause="CONT-05", entity="vm"), told(15, 20, cause="LEAK-01", entity="vm")
    names = ("vm_memory_usable_pct", "vm_swap_kbs")
    shown = tuple(
        Evidence(
            symptom=name, role=EvidenceRole.NECESSARY, state=EvidenceState.PRESENT, strength=1, statement="",
            series=Series("vm", name),
        )
        for name in names
    )  # fmt: skip
    starts = ((0.0, 36.0, 8.0, 0.0, 5000.0), (5.0, 20.0, 7.0, 0.0, 900.0))
    episodes = tuple(
        replace(
            swaps[0].episodes[0], id=f"{hour}", start=START + np.timedelta64(round(hour), "h"),
            movers=tuple(
                Mover(series=Series("vm", name), usual=usual, peak=peak, deviation=9.0, onset=START)
                for name, usual, peak in zip(names, levels[::2], levels[1::2], strict=True)
            ),
        )
        for hour, *levels in starts
    )  # fmt: skip
    family = "memory"
    first = replace(swaps[1].top, evidence=shown, family=family)
    second = replace(leaks[1].top, family=family)
    parts = [
        (replace(swaps[0], episodes=episodes), replace(swaps[1], causes=(first,))),
        (leaks[0], replace(leaks[1], causes=(second,))),
    ]
    values = np.zeros((1, 40, 2), np.float32)
    values[..., 0] = level
    metrics = tuple(shipped_catalogue().metrics[name] for name in names)
    panel = Panel(values, START, 3600, (Entity(id="vm", kind="vm"),), metrics)
    assert len(joined(parts, [panel])) == incidents
