"""What a fault of the same place and time explains is part of it; what it cannot explain stays an incident."""

from dataclasses import replace

import numpy as np
import pytest

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.consequences import without_consequences
from brownout.diagnosis.incidents.recurrence import Told
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import UNKNOWN, Cause, Diagnosis, Episode, Evidence, EvidenceRole, EvidenceState, Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import shipped_catalogue
from brownout.domain.panel import Panel

START = np.datetime64("2026-03-02T00:00", "ms")
KNOWLEDGE, METRICS = Knowledge.load(), shipped_catalogue().metrics
HOUSE = (
    ("kvm1", "host", ""), ("kvm2", "host", ""), ("vm", "vm", "kvm1"), ("other", "vm", "kvm1"), ("vm3", "vm", "kvm2"),
    ("vm/console", "console", "vm"), ("other/console", "console", "other"), ("kvm1/eth0", "interface", "kvm1"),
    ("kvm1/sda", "disk", "kvm1"), ("path", "link", "kvm1"), ("path2", "link", "kvm2"), ("pool", "path", "kvm1"),
)  # fmt: skip
TOPOLOGY = Topology.of([Entity(id=name, kind=kind, parent=parent) for name, kind, parent in HOUSE])


def at(hours: float) -> np.datetime64:
    return START + np.timedelta64(round(hours * 3_600_000), "ms")


def episode(entity: str, span: tuple[float, float], metric: str = "") -> Episode:
    series = Series(entity, metric)
    mover = Mover(series=series, usual=1.0, peak=9.0, deviation=9.0, onset=at(span[0]))
    return Episode(
        id=f"{entity}{metric}{span}", entity=entity, start=at(span[0]), end=at(span[1]), open=False, severity=2.0,
        movers=(mover,) if metric else (),
    )  # fmt: skip


def told(
    span: tuple[float, float],
    cause: str,
    entity: str,
    probability: float = 0.9,
    evidence: tuple[str, str, str] = ("", "", ""),
) -> Told:
    """An incident of a cause; ``evidence`` is a necessary symptom that is present, with its entity and metric."""
    own = episode(entity, span, evidence[2])
    symptom, place, metric = evidence
    shown = Evidence(
        symptom=symptom, role=EvidenceRole.NECESSARY, state=EvidenceState.PRESENT, strength=1, statement="",
        series=Series(place, metric),
    )  # fmt: skip
    family = KNOWLEDGE.causes[cause].family.value if cause != UNKNOWN else UNKNOWN
    top = Cause(
        id=cause, title=cause, family=family, entity="" if cause == UNKNOWN else entity, probability=probability,
        evidence=(shown,) if symptom else (), artefact=cause.startswith("ART"),
    )  # fmt: skip
    return _of((own,), top)


def unknown(*episodes: Episode) -> Told:
    return _of(episodes, Cause(id=UNKNOWN, title="", family=UNKNOWN, entity="", probability=0.9))


def _of(episodes: tuple[Episode, ...], top: Cause) -> Told:
    start, end = min(e.start for e in episodes), max(e.end for e in episodes)
    window = IncidentWindow(id=episodes[0].id, start=start, end=end, entities=(episodes[0].entity,), episodes=episodes)
    diagnosis = Diagnosis(
        id=window.id, start=start, end=end, open=False, entities=window.entities,
        episodes=tuple(e.id for e in episodes), causes=(top,),
    )  # fmt: skip
    return window, diagnosis


def left(*incidents: Told) -> list[Told]:
    """The incidents that are left, which have all episodes among them."""
    found = without_consequences(incidents, TOPOLOGY, KNOWLEDGE, METRICS)
    assert {name for _, d in found for name in d.episodes} == {name for _, d in incidents for name in d.episodes}
    return found


def tops(*incidents: Told) -> list[str]:
    return [diagnosis.top.id for _, diagnosis in left(*incidents)]


LOUD = told((0, 5), "CONT-03", "vm", 0.95, ("link_busy", "kvm1/eth0", "net_util_pct"))
SWAPS = told((0, 5), "CONT-05", "vm", 0.95, ("guest_swaps", "vm", "vm_swap_kbs"))


def test_what_the_console_of_a_broken_guest_shows_meanwhile_is_no_second_fault() -> None:
    ((window, diagnosis),) = left(SWAPS, unknown(episode("vm/console", (3, 4))))
    assert {e.entity for e in window.episodes} == {"vm", "vm/console"}
    assert (window.start, window.end, len(diagnosis.episodes)) == (at(0), at(5), 2)
    for apart in (
        unknown(episode("other", (3, 4))),
        unknown(episode("kvm1", (3, 4))),
        unknown(episode("other/console", (3, 4))),
        unknown(episode("vm/console", (7, 8))),
        told((3, 4), "SW-01", "vm/console"),
    ):
        assert len(left(SWAPS, apart)) == 2


@pytest.mark.parametrize(("memory", "share", "alone"), [(9.0, 0.4, False), (-9.0, 0.02, False), (-9.0, 0.4, True)])
def test_what_got_better_or_hardly_moved_makes_no_second_fault(memory: float, share: float, *, alone: bool) -> None:
    """A host waits for its CPU under a noisy neighbour, while more of its memory is free than usually, or less."""
    busy = told((0, 5), "CONT-01", "vm", 0.95, ("ready", "other", "vm_ready_pct"))
    waits = episode("kvm1", (1, 4), "host_psi_cpu_pct")
    free = Mover(
        series=Series("kvm1", "host_memory_available_pct"),
        usual=50,
        peak=60,
        deviation=memory,
        onset=at(1),
        share=share,
    )
    lead = replace(waits.movers[0], share=0.6)
    assert len(left(busy, unknown(replace(waits, movers=(lead, free))))) == 1 + alone


@pytest.mark.parametrize(
    ("span", "entity", "alone"),
    [
        ((0.2, 4.9), "other", False),
        ((0, 5.9), "kvm1", False),
        ((0.2, 8), "other", True),
        ((0.5, 4.5), "other", True),
        ((-0.8, 4.5), "other", True),
        ((0.2, 4.9), "vm3", True),
    ],
    ids=["within", "all of it", "lasts on", "begins later", "began before", "another host"],
)
def test_what_begins_and_ends_with_a_fault_of_its_host_and_has_no_cause_is_part_of_it(
    span: tuple[float, float], entity: str, *, alone: bool
) -> None:
    assert len(left(SWAPS, unknown(episode(entity, span)))) == 1 + alone


@pytest.mark.parametrize(
    ("entity", "metric", "alone"),
    [
        ("other/console", "console_update_ms", False),
        ("path", "link_rtt_ms", False),
        ("kvm1/sda", "disk_util_pct", True),
        ("path2", "link_rtt_ms", True),
    ],
)
def test_a_fault_of_what_a_host_shares_has_what_its_resource_does_to_others(
    entity: str, metric: str, *, alone: bool
) -> None:
    """A full uplink slows every console and the path to the host; a disk that is busy meanwhile is something else."""
    assert len(left(LOUD, unknown(episode(entity, (2, 4), metric)))) == 1 + alone


def test_in_a_fault_that_lasts_for_days_something_else_may_begin() -> None:
    days = told((0, 60), "CONT-03", "vm", 0.95, ("link_busy", "kvm1/eth0", "net_util_pct"))
    assert len(left(days, unknown(episode("other/console", (30, 31), "console_update_ms")))) == 2


def test_a_store_that_fills_up_explains_nothing_that_begins_or_is_felt_meanwhile() -> None:
    fills = told((0, 20), "MAINT-04", "pool", 0.9, ("disk_fills", "pool", "disk_used_pct"))
    for apart in (
        unknown(episode("other/console", (0, 1), "console_update_ms")),
        told((0, 15), "LEAK-02", "kvm1", 0.6, ("memory_ramp", "kvm1", "host_memory_available_pct")),
    ):
        assert len(left(fills, apart)) == 2


def test_of_an_incident_without_a_cause_only_what_nothing_explains_is_left() -> None:
    slow, disk = episode("other/console", (1, 3), "console_update_ms"), episode("kvm1/sda", (1, 4), "disk_util_pct")
    whole, rest = left(LOUD, unknown(slow, disk))
    assert slow.id in whole[1].episodes
    assert rest[1].episodes == (disk.id,)
    assert (rest[0].start, rest[0].end, rest[1].end) == (at(1), at(4), at(4))


def test_an_unsure_cause_that_begins_and_ends_with_a_surer_one_is_its_consequence() -> None:
    """Two faults seldom begin together at a host: what is not surer than that is none."""
    swaps = told((0, 5), "CONT-04", "kvm1", 0.9, ("host_swaps", "kvm1", "host_swap_kbs"))
    assert tops(swaps, told((0.2, 5), "VIRT-04", "vm", 0.7)) == ["CONT-04"]
    for apart in (
        told((0.2, 5), "VIRT-04", "vm", 0.85),
        told((2, 5), "VIRT-04", "vm", 0.7),
        told((0.2, 9), "VIRT-04", "vm", 0.7),
        told((0.2, 5), "VIRT-04", "vm3", 0.7),
    ):
        assert len(left(swaps, apart)) == 2
    assert len(left(SWAPS, told((0.2, 5), "VIRT-04", "other", 0.7))) == 2, "what one guest does is no other's fault"


def test_an_unsure_cause_of_the_same_resource_within_a_fault_is_what_that_leads_to() -> None:
    """A connection table that is full refuses consoles: the path is as long as it was."""
    table = told((0, 16), "NET-08", "kvm1", 0.68, ("conntrack_full", "kvm1", "host_conntrack_pct"))
    assert tops(table, told((15, 15.5), "NET-01", "path", 0.75)) == ["NET-08"]
    assert len(left(table, told((15, 15.5), "NET-01", "path", 0.9))) == 2
    assert len(left(table, told((15, 15.5), "CONT-04", "kvm1", 0.75))) == 2


def test_what_looks_like_a_harmless_thing_is_no_line_beside_a_fault() -> None:
    start = told((1, 4), "ART-07", "other", 0.79)
    assert tops(LOUD, start) == ["CONT-03"]
    assert tops(start) == ["ART-07"]


def test_what_a_surer_fault_of_the_time_speaks_against_is_no_second_one() -> None:
    """Packets that a broken cable drops are not lost on the path as well; a loss before the cable broke was."""
    cable = told((0, 8), "MAINT-01", "kvm1/eth0", 0.9, ("nic_errors", "kvm1/eth0", "net_err_per_s"))
    ((_, whole),) = left(cable, told((2, 3), "NET-03", "path", 0.85))
    assert whole.top.id == "MAINT-01"
    assert len(whole.episodes) == 2
    for apart in (
        told((2, 3), "NET-03", "path", 0.95),
        told((2, 12), "NET-03", "path", 0.6),
        told((2, 3), "NET-03", "path2", 0.6),
        told((2, 3), "CONT-04", "kvm1", 0.6),
    ):
        assert len(left(cable, apart)) == 2


def test_packets_that_are_lost_fill_no_store_and_keep_all_consoles_of_their_host_from_opening() -> None:
    lost = told((0, 5), "NET-03", "path", 0.95, ("retransmits", "kvm1", "host_retrans_pct"))
    assert tops(lost, unknown(episode("other/console", (0, 5), "console_failed_pct"))) == ["NET-03"]


def test_a_full_uplink_is_a_load_that_is_felt_and_no_store() -> None:
    full = told((0, 5), "NET-02", "kvm1/eth0", 0.95, ("link_busy", "kvm1/eth0", "net_util_pct"))
    assert tops(full, unknown(episode("other/console", (2, 4), "console_update_ms"))) == ["NET-02"]


@pytest.mark.parametrize(("gone", "incidents"), [(1.0, 1), (0.0, 2)], ids=["by the guest", "by nothing known"])
def test_memory_of_a_host_that_a_guest_there_takes_is_part_of_its_leak(gone: float, incidents: int) -> None:
    leak = told((8, 24), "LEAK-02", "vm", 0.95, ("qemu_grows", "vm", "vm_qemu_extra_mib"))
    short = episode("kvm1", (12, 24), "host_memory_available_gib")
    short = replace(short, movers=(replace(short.movers[0], deviation=-9.0),))
    growth = np.linspace(0, 1, 24)
    panels = [
        Panel(values[None, :, None].astype(np.float32), START, 3600, (TOPOLOGY[name],), (METRICS[metric],))
        for name, metric, values in (
            ("vm", "vm_qemu_extra_mib", 200 + 5000 * growth),
            ("kvm1", "host_memory_available_gib", 40 - 6 * gone * growth),
        )
    ]
    found = without_consequences([leak, unknown(short)], TOPOLOGY, KNOWLEDGE, METRICS, panels)
    assert len(found) == incidents


THROTTLED = told((10, 20), "VIRT-04", "vm", 0.95, ("throttled", "vm", "vm_throttled_pct"))


@pytest.mark.parametrize("span", [(0, 8), (22, 24)], ids=["before", "after"])
def test_what_a_fault_is_seen_by_near_its_time_is_that_fault_for_longer(span: tuple[float, float]) -> None:
    again = replace(episode("vm", span, "vm_throttled_pct"), open=span[1] == 24)
    ((window, diagnosis),) = left(THROTTLED, unknown(again))
    assert diagnosis.top.id == "VIRT-04"
    assert (diagnosis.start, diagnosis.end) == (min(at(10), again.start), max(at(20), again.end))
    assert (window.start, window.end) == (diagnosis.start, diagnosis.end)
    assert diagnosis.open == again.open


def test_what_a_fault_is_not_seen_by_or_long_before_it_stays_apart() -> None:
    for metric, entity, span in (
        ("vm_cpu_pct", "vm", (22, 24)),
        ("vm_throttled_pct", "other", (22, 24)),
        ("vm_throttled_pct", "vm", (0, 5)),
    ):
        assert tops(THROTTLED, unknown(episode(entity, span, metric))) in (["VIRT-04", UNKNOWN], [UNKNOWN, "VIRT-04"])
