"""What a report works out beside what the night found: the first screen, changes, service levels, capacity."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import driven, hours, night

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings.experience import Experience, experience_of
from brownout.domain.findings.service_levels import ConsoleService, Level
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Catalogue
from brownout.domain.night import ConsoleLevel
from brownout.domain.panel import Panel
from brownout.planning.levels import levels_of
from brownout.reporting import render_html, report_of
from brownout.reporting.console_service import console_histories, console_services
from brownout.reporting.views.changes import changes_of, shortened
from brownout.reporting.views.objectives import objectives_of

METRICS = Catalogue.load().metrics


def service(console: str, mean: float, *failed: float) -> ConsoleService:
    return ConsoleService(
        console=console,
        mean_ms=mean,
        crisp=0.9,
        annoying=0.02,
        frames_per_s=math.nan,
        failed=tuple(failed),
        experience=Experience(score=80.0 if mean < 100 else 60.0, task="typing"),
    )


def panel(values: dict[str, list[list[float]]], *, interval_s: int = 300) -> Panel:
    """A panel of consoles; values by metric, an entity a row."""
    block = np.array(list(values.values()), np.float32).transpose(1, 2, 0)
    entities = [Entity(id=f"vm{n}/console", kind="console", parent=f"vm{n}") for n in range(block.shape[0])]
    return Panel(
        entities=tuple(entities),
        metrics=tuple(METRICS[name] for name in values),
        start=hours(0),
        interval_s=interval_s,
        values=block,
    )


def test_the_first_screen_says_who_hurts_then_who_will() -> None:
    lines = report_of(driven(night())).who
    assert [(line.kind, line.entity) for line in lines] == [
        ("now", "kvm1"), ("soon", "vm1"), ("soon", "vm1/console"),
    ], "chances of the host's CPU have no skill"  # fmt: skip
    now, leak, *_ = lines
    assert (now.what, now.todo, now.probability) == ("Host CPU saturated", "Move guests off the host", 0.93)
    assert now.since == hours(20)
    assert (leak.what, leak.earliest, leak.latest) == ("Guest memory usable will cross 10 %", hours(25), hours(40))
    assert lines[2].what.endswith("driven by Host CPU busy of kvm1")


def test_consoles_that_an_incident_slows_down_are_told_with_it_and_the_others_by_themselves() -> None:
    made = night()
    far = Entity(id="vm9", kind="vm", parent="kvm2")
    more = Topology.of([*made.topology, far, Entity(id="vm9/console", kind="console", parent="vm9")])
    lonely = ConsoleLevel(series=Series("vm9/console", "console_update_ms"), now=400.0, limit=150.0, exceeded=True)
    lines = report_of(replace(made, topology=more, consoles=(lonely, *made.consoles))).who
    assert lines[0].what == "Host CPU saturated: vm1/console answers in 182 ms"
    assert (lines[1].entity, lines[1].what) == ("vm9/console", "answers in 400 ms, limit 150 ms")
    assert lines[1].probability is None


def test_a_limit_whose_remedy_is_that_of_another_guest_of_its_host_names_it() -> None:
    """One action stands for all guests of a host that wait; each of them says what is to be done."""
    made = night()
    first, *_ = made.breaches
    like = replace(first, series=Series("vm1/console", first.series.metric), exceeded=False)
    shared = replace(made.actions[0], about=f"vm0 {first.series.metric}", entity="kvm1", prevention=False)
    lines = report_of(replace(made, diagnoses=(), breaches=(like,), actions=(shared,))).who
    assert [(line.entity, line.todo) for line in lines if line.kind == "soon"] == [("vm1/console", shared.title)]
    elsewhere = replace(shared, entity="kvm2")
    assert report_of(replace(made, diagnoses=(), breaches=(like,), actions=(elsewhere,))).who[-1].todo == ""


def test_a_calm_night_has_an_empty_first_screen() -> None:
    calm = replace(night(), diagnoses=(), breaches=(), consoles=(), actions=())
    assert report_of(calm).who == ()


def test_what_changed_is_what_one_night_has_and_the_other_has_not() -> None:
    made = night()
    assert changes_of(made) is None
    gone = replace(made.diagnoses[0], id="d0")
    old_limit = replace(made.breaches[0], series=Series("kvm2", "host_cpu_busy_pct"))
    before = replace(made, end=hours(0), diagnoses=(gone, made.diagnoses[1]), breaches=(old_limit,), consoles=())
    report = report_of(replace(made, before=shortened(before)))
    changes = report.changes
    assert changes is not None
    assert (changes.since, changes.began) == (hours(0), ("d1",))
    assert [one.id for one in changes.ended] == ["d0"]
    assert changes.crossed == tuple(breach.series for breach in made.breaches)
    assert changes.cleared == (Series("kvm2", "host_cpu_busy_pct"),)
    assert (changes.slower, changes.recovered) == (("vm1/console",), ())
    assert "1 new incident, 1 over; 2 new limits, 1 cleared; 1 console slower, 0 recovered" in render_html(report)


def test_a_night_like_the_last_one_changed_nothing() -> None:
    made = night()
    changes = changes_of(replace(made, before=shortened(made)))
    assert changes is not None
    assert changes.none
    assert "nothing changed" in render_html(report_of(replace(made, before=shortened(made))))


def test_objectives_count_consoles_and_name_the_furthest() -> None:
    services = (service("a", 20.0, *(0.0,) * 5), service("b", 120.0, 0.02, 0.02, 0.015, 0.007, 0.0005))
    by_name = {one.name: one for one in objectives_of(replace(night(), services=services))}
    mean = by_name["mean"]
    assert (mean.met, mean.measured, mean.kept, mean.worst, mean.worst_value) == (1, 2, False, "b", 120.0)
    assert mean.value == 70.0
    available = by_name["availability"]
    assert available.value == pytest.approx(1 - 0.0005 / 2)
    assert (available.met, available.kept) == (2, True)
    assert by_name["frame_rate"].kept is None
    felt = by_name["experience"]
    assert (felt.value, felt.worst, felt.met, felt.kept) == (70.0, "b", 1, False)
    baseline = by_name["baseline"]
    assert (baseline.target, baseline.met, baseline.worst_value) == (150.0, 0, 182.4)


def test_burn_rates_tell_only_while_it_still_burns() -> None:
    burning = service("a", 20.0, 0.02, 0.02, 0.02, 0.02, 0.0001)
    hot = objectives_of(replace(night(), services=(burning,)))[2].burn_rates
    assert [(rate.long_s, rate.short_s, round(rate.long, 1), rate.burning) for rate in hot] == [
        (3600, 300, 20.0, True), (21600, 1800, 20.0, True), (259200, 0, 0.1, False),
    ]  # fmt: skip
    cooled = replace(burning, failed=(0.0, 0.0, 0.02, 0.02, 0.0011))
    rates = objectives_of(replace(night(), services=(cooled,)))[2].burn_rates
    assert [rate.burning for rate in rates] == [False, False, True]


def test_availability_that_nobody_counted_is_not_claimed() -> None:
    available = objectives_of(replace(night(), services=(service("a", 20.0),)))[2]
    assert (available.measured, available.value, available.kept, available.burn_rates) == (0, None, None, ())
    page = render_html(report_of(replace(night(), services=(service("a", 20.0),))))
    assert (
        "not measured" in page[page.index('data-objective="availability"') : page.index('data-objective="frame_rate"')]
    )


def test_a_fleet_without_measured_consoles_has_no_objectives() -> None:
    assert objectives_of(night()) == ()
    assert 'id="slo"' not in render_html(report_of(night()))


def test_the_fullest_host_comes_first_with_what_it_runs_out_of() -> None:
    def level(entity: str, metric: str, busy: float) -> Level:
        return Level(series=Series(entity, metric), now=busy / 2, usual=busy / 2, busy=busy, limit=90.0)

    made = night()
    parts = [Entity(id=f"kvm2/sd{n}", kind="disk", parent="kvm2") for n in "ab"]
    levels = (level("kvm1", "host_cpu_busy_pct", 60.0), level("kvm2", "host_cpu_busy_pct", 30.0),
              level("kvm1", "host_memory_available_pct", 50.0), level("kvm2", "host_memory_available_pct", 4.0),
              level("kvm2/sda", "disk_util_pct", 20.0), level("kvm2/sdb", "disk_util_pct", 70.0))  # fmt: skip
    skilled = tuple(replace(skill, brier=0.03) for skill in made.skills)
    with_levels = replace(made, topology=Topology.of([*made.topology, *parts]), levels=levels)
    report = report_of(replace(with_levels, skills=skilled))
    first, second = report.capacity
    assert (first.host, second.host) == ("kvm2", "kvm1"), "96 % of its memory is in use"
    assert first.disk is not None
    assert first.disk.series.entity == "kvm2/sdb"
    assert first.storage is None
    assert [(one.series.metric, one.probability) for one in second.runs_out] == [("host_cpu_busy_pct", 0.3)]
    assert second.guests == 1
    assert report_of(with_levels).capacity[1].runs_out == (), "chances without skill say nothing of what runs out"


@given(st.lists(st.one_of(st.floats(0, 3000, width=32), st.just(math.nan)), min_size=1, max_size=288))
def test_services_are_what_a_loop_counts(samples: list[float]) -> None:
    made = panel({"console_update_ms": [samples]})
    found = console_services(made, "console_update_ms", made.end)
    known = [value for value in samples if not math.isnan(value)]
    if not known:
        assert found == ()
        return
    (one,) = found
    assert one.mean_ms == pytest.approx(sum(known) / len(known), rel=1e-4, abs=1e-4)
    assert one.crisp == pytest.approx(sum(value < 150 for value in known) / len(known))
    assert one.annoying == pytest.approx(sum(value >= 1000 for value in known) / len(known))
    assert one.failed == ()
    assert repr(one.experience) == repr(experience_of({"console_update_ms": np.array(samples, np.float32)}))


def test_failed_attempts_are_counted_over_their_windows() -> None:
    slots = 864  # three days of five minutes
    failed = [0.0] * (slots - 12) + [100.0] * 11 + [math.nan]
    (one,) = console_services(
        panel({"console_update_ms": [[20.0] * slots], "console_failed_pct": [failed]}), "console_update_ms", hours(72)
    )
    assert math.isnan(one.failed[0]), "nobody tried in the last five minutes"
    assert one.failed[1:4] == (pytest.approx(1.0), pytest.approx(1.0), pytest.approx(11 / 71))
    assert one.failed[4] == pytest.approx(11 / (slots - 1))


def test_levels_are_now_usual_and_busy_in_the_direction_of_worse() -> None:
    values = [float(n) for n in range(288)]
    made = panel({"vm_cpu_pct": [values], "vm_memory_usable_pct": [values], "console_update_ms": [values]})
    found = {level.series.metric: level for level in levels_of(made, METRICS, made.end)}
    assert set(found) == {"vm_cpu_pct", "vm_memory_usable_pct"}
    assert found["vm_cpu_pct"].now == pytest.approx(284, abs=1)
    assert found["vm_cpu_pct"].busy == pytest.approx(273, abs=1)
    assert found["vm_memory_usable_pct"].busy == pytest.approx(14, abs=1)
    assert found["vm_cpu_pct"].usual == pytest.approx(144, abs=1)


def test_histories_leave_out_what_was_never_measured() -> None:
    made = panel({"console_update_ms": [[1.23, 4.0], [math.nan, math.nan]]})
    (one,) = console_histories(made)
    assert (one.console, one.step_s, one.values.tolist()) == ("vm0/console", 300, [pytest.approx(1.2), 4.0])
    assert console_histories(None) == ()
