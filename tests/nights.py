"""A night made by hand, for the tests of reports: one of everything, and names from hell."""

from dataclasses import replace

import numpy as np

from brownout.domain.calendar import Announced
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import (
    Action,
    Cause,
    Diagnosis,
    Effect,
    Episode,
    Evidence,
    EvidenceRole,
    EvidenceState,
    Mover,
    Risk,
    Shift,
    SuppressedEpisode,
    SuppressionReason,
)
from brownout.domain.forecasts import Breach, Driver, Series, Skill
from brownout.domain.metrics import Catalogue
from brownout.domain.night import Chart, ConsoleLevel, ModelRecord, Night, Quality
from brownout.domain.repairs import Repair, Repairs
from brownout.domain.verdicts import Said, Verdict

START = np.datetime64("2026-03-16T00:00", "ms")
HOSTILE = "vm<script>alert(1)</script>`|*\"'&[x](javascript:y)"


def hours(number: float) -> np.datetime64:
    return START + np.timedelta64(round(number * 60), "m")


def fleet_latency() -> Chart:
    made = chart(Series("all consoles", "console_update_ms"), forecast=False, limit=150.0)
    return replace(made, low=made.values - 5, high=made.values + 8, marks=())


def chart(series: Series, *, forecast: bool, limit: float | None = 90.0) -> Chart:
    past = START + np.arange(48) * np.timedelta64(30, "m")
    wave = (50 + 30 * np.sin(np.arange(48) / 6)).astype(np.float32)
    wave[5] = np.nan
    future = hours(24) + np.arange(24 if forecast else 0) * np.timedelta64(30, "m")
    middle = np.linspace(60, 95, len(future), dtype=np.float32)
    return Chart(
        series=series,
        times=past,
        values=wave,
        future=future,
        low=middle - 5,
        middle=middle,
        high=middle + 5,
        naive=middle * 0.9,
        limit=limit,
        maker="lstm" if forecast else "",
        marks=() if forecast else ((hours(20), hours(22)),),
    )


def night(guest: str = "vm1") -> Night:
    """One open incident, one that is over and unknown, two breaches."""
    console = f"{guest}/console"
    topology = Topology.of(
        [
            Entity(id="kvm1", kind="host"),
            Entity(id=guest, kind="vm", parent="kvm1"),
            Entity(id=console, kind="console", parent=guest),
            Entity(id="kvm2", kind="host"),
        ]
    )
    busy, slow = Series("kvm1", "host_cpu_busy_pct"), Series(console, "console_update_ms")
    open_episode = Episode(
        id="e1",
        entity=console,
        start=hours(20),
        end=hours(24),
        open=True,
        severity=1.4,
        movers=(Mover(series=slow, usual=20.0, peak=180.0, deviation=12.5, onset=hours(20)),),
    )
    past_episode = Episode(id="e2", entity="kvm2", start=hours(3), end=hours(4), open=False, severity=1.1, movers=())
    asleep = replace(past_episode, id="e3", entity=console, start=hours(5), end=hours(6))
    muted = replace(open_episode, id="e4", start=hours(9), end=hours(10), open=False)
    quiet = (
        SuppressedEpisode(
            episode=asleep,
            why=SuppressionReason.ARTEFACT,
            reason=f"Idle screen: the refresh timer sleeps at {guest}: the screen of {console} had been idle",
            because="ART-01",
        ),
        SuppressedEpisode(
            episode=muted, why=SuppressionReason.FEEDBACK, reason="called false on 2026-03-15", because="e0"
        ),
    )
    false_alarm = Verdict(episode=replace(muted, id="e0", severity=1.5), said=Said.FALSE, at=hours(-12))
    evidence = (
        Evidence(
            symptom="cpu_busy",
            role=EvidenceRole.NECESSARY,
            state=EvidenceState.PRESENT,
            strength=1.0,
            series=busy,
            statement=f"kvm1 was 97 % busy (usually 40 %), says {guest}",
            source="sustained CPU use above 90 %",
        ),
        Evidence(
            symptom="clock_low",
            role=EvidenceRole.EXCLUDING,
            state=EvidenceState.MISSING,
            strength=0.0,
            series=None,
            statement="not measured: host_freq_ratio (self)",
        ),
    )
    known = Cause(
        id="HW-01", title="Host CPU saturated", family="cpu", entity="kvm1", probability=0.93, evidence=evidence
    )
    unknown = Cause(id="unknown", title="Unknown", family="unknown", entity="", probability=0.07)
    going_on = Diagnosis(
        id="d1",
        start=hours(20),
        end=hours(24),
        open=True,
        entities=("kvm1", guest, console),
        episodes=("e1",),
        causes=(known, unknown),
    )
    over = Diagnosis(
        id="d2", start=hours(3), end=hours(4), open=False, entities=("kvm2",), episodes=("e2",), causes=(unknown,)
    )
    act = Action(
        about="d1",
        cause="HW-01",
        entity="kvm1",
        title="Move guests off the host",
        command="virsh -c qemu+ssh://kvm1/system migrate --live vm9 qemu+ssh://kvm3/system",
        confirm="ssh kvm1 'cat /proc/pressure/cpu'",
        verify="host_cpu_busy_pct",
        risk=Risk.LIVE,
        rollback="virsh -c qemu+ssh://kvm3/system migrate --live vm9 qemu+ssh://kvm1/system",
        effect=Effect(metric="console_update_ms", now_ms=180.0, low_ms=28.0, high_ms=84.0, consoles=3),
    )
    ahead = Action(
        about=f"{guest} vm_memory_usable_pct",
        cause="LEAK-01",
        entity=guest,
        title="Restart the process that leaks",
        command="ssh vm systemctl restart agent.service",
        confirm="virsh dommemstat vm",
        verify="vm_memory_usable_pct",
        risk=Risk.INTERRUPTS,
        rollback="",
        by_hand="it cannot be undone",
        effect=None,
        reason="Guest memory usable is forecast to cross 10 %",
    )
    leak = Series(guest, "vm_memory_usable_pct")
    breaches = (
        Breach(
            series=leak, limit=10.0, probability=0.91, earliest=hours(25), likely=hours(28), latest=hours(40),
            duration_s=7200, horizon_s=86_400, now=22.4, maker="lstm",
        ),
        Breach(
            series=busy, limit=90.0, probability=0.3, earliest=hours(33), likely=None, latest=None,
            duration_s=1800, horizon_s=86_400, now=float("nan"), maker="seasonal-naive",
        ),
    )  # fmt: skip
    skills = (
        Skill(metric="", maker="selected", windows=40, mase=0.61, crps=0.58, coverage=0.81,
              coverage_50=0.51, coverage_90=0.9),
        Skill(metric="host_cpu_busy_pct", maker="seasonal-naive", windows=20, mase=1.0, crps=1.0, coverage=0.79,
              note="the LSTM had a CRPS of 1.10 × seasonal-naive, so it is not used", coverage_50=0.44,
              quarters=(("lstm", (1.05, 1.1, 1.1, 1.2)), ("seasonal-naive", (1.0, 1.0, 1.0, 1.0))),
              brier=0.08, brier_base=0.06, bins=((16.0, 0.8, 0.0), *((0.0, 0.0, 0.0),) * 8, (2.0, 1.9, 1.0))),
        Skill(metric="vm_memory_usable_pct", maker="lstm", windows=20, mase=float("nan"), crps=0.5, coverage=0.8,
              brier=0.05, brier_base=0.09, bins=((18.0, 0.4, 1.0), *((0.0, 0.0, 0.0),) * 8, (2.0, 1.9, 2.0))),
    )  # fmt: skip
    return Night(
        source=f"fleet of {guest}",
        created=hours(24.25),
        start=START,
        end=hours(24),
        interval_s=60,
        horizon_s=86_400,
        topology=topology,
        metrics=Catalogue.load().metrics,
        breaches=breaches,
        chronic=(Series("kvm2", "host_cpu_busy_pct"),),
        skills=skills,
        episodes=(past_episode, open_episode),
        diagnoses=(going_on, over),
        actions=(ahead, act),
        forecasts={leak: chart(leak, forecast=True, limit=10.0), busy: chart(busy, forecast=True)},
        charts={"d1": {slow: chart(slow, forecast=False, limit=150.0)}},
        models=(
            ModelRecord(
                name="brownout-forecaster",
                uri="models:/brownout-forecaster/3",
                trained_from=hours(-240),
                trained_to=hours(24),
                seed=7,
                lock="0123456789abcdef",
                parameters={"hidden": "64"},
                scores={"all.crps": 0.58},
            ),
        ),
        quality=Quality(
            repairs=Repairs({(Repair.DUPLICATE, guest): 12, (Repair.CLOCK_JUMP, "kvm1"): 1}, 5000),
            coverage={"host_cpu_busy_pct": 0.998, "console_update_ms": 1.0},
            silent=("kvm2",),
        ),
        latency=fleet_latency(),
        series=12,
        suppressed=quiet,
        verdicts=(false_alarm,),
        maintenance=(Announced(name="kernel upgrade", start=hours(2), end=hours(5), entities=1, unknown=(guest,)),),
        consoles=(ConsoleLevel(series=slow, now=182.4, limit=150.0, exceeded=True),),
        shifts=(Shift(series=slow, onset=hours(-10), at=hours(14), usual=20.0, level=31.5),),
    )


def driven(made: Night) -> Night:
    """With a breach of console latency with skill and known drivers, and one that no load explains."""
    console = next(entity.id for entity in made.topology if entity.kind == "console")
    guest = made.topology[console].parent
    coming = Breach(
        series=Series(console, "console_update_ms"), limit=150.0, probability=0.25, earliest=hours(34), likely=None,
        latest=None, duration_s=600, horizon_s=86_400, now=44.0, maker="lstm with loads",
        drivers=(
            Driver(entity="kvm1", resource="cpu", metric="host_cpu_busy_pct", share=0.62, added=74.0, forecast=93.0,
                   usual=61.0, daily=False),
            Driver(entity=guest, resource="memory", metric="vm_memory_usable_pct", share=0.2, added=24.0, forecast=9.0,
                   usual=30.0, daily=True),
        ),
    )  # fmt: skip
    lonely = replace(coming, series=Series(console, "console_echo_ms"), limit=300.0, drivers=())
    calm = ConsoleLevel(series=coming.series, now=44.0, limit=150.0, exceeded=False)
    skill = Skill(metric="console_update_ms", maker="lstm with loads", windows=20, mase=0.7, crps=0.6, coverage=0.8,
                  brier=0.03, brier_base=0.04, bins=((9.0, 0.5, 1.0), *((0.0, 0.0, 0.0),) * 9))  # fmt: skip
    return replace(made, breaches=(*made.breaches, coming, lonely), consoles=(calm,), skills=(*made.skills, skill))
