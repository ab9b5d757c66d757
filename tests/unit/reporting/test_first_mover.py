"""What moved first: of an incident with a cause, only what speaks for it."""

import numpy as np

from brownout.domain.findings import Cause, Diagnosis, Episode, Evidence, EvidenceRole, EvidenceState, Mover
from brownout.domain.forecasts import Series
from brownout.reporting.incident_order import abnormal_entities, first_mover

START = np.datetime64("2026-03-02T00:00", "ms")


def mover(entity: str, metric: str, minute: int) -> Mover:
    onset = START + np.timedelta64(minute, "m")
    return Mover(series=Series(entity, metric), usual=1.0, peak=9.0, deviation=8.0, onset=onset)


def evidence(entity: str, metric: str, role: EvidenceRole, state: EvidenceState = EvidenceState.PRESENT) -> Evidence:
    return Evidence(
        symptom=metric, role=role, state=state, strength=1.0, series=Series(entity, metric), statement="", source=""
    )


def test_an_uptime_that_moved_before_does_not_hide_what_speaks_for_the_cause() -> None:
    movers = (
        mover("vm", "vm_uptime_h", 0),
        mover("kvm", "host_swap_kbs", 20),
        mover("vm/console", "console_echo_ms", 5),
    )
    own = [
        Episode(id=m.series.entity, entity=m.series.entity, start=START, end=START, open=True, severity=2, movers=(m,))
        for m in movers
    ]
    shown = (
        evidence("kvm", "host_swap_kbs", EvidenceRole.NECESSARY),
        evidence("vm/console", "console_echo_ms", EvidenceRole.SUPPORTING),
        evidence("vm", "vm_uptime_h", EvidenceRole.STRONG, EvidenceState.ABSENT),
    )
    cause = Cause(id="CONT-04", title="", family="memory", entity="kvm", probability=0.9, evidence=shown)
    diagnosis = Diagnosis(
        id="i", start=START, end=START, open=True, entities=("kvm",), episodes=("vm",), causes=(cause,)
    )
    first = first_mover(own, diagnosis)
    assert first is not None
    assert first.series == Series("kvm", "host_swap_kbs")
    assert abnormal_entities(own, diagnosis)[0] == "kvm"
    anything = first_mover(own)
    assert anything is not None
    assert anything.series.metric == "vm_uptime_h"
    other = first_mover(own[:1], diagnosis)
    assert other is not None
    assert other.series.metric == "vm_uptime_h"
