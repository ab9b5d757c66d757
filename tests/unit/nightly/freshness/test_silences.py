"""What is named as silent, what of it is an incident, and what stays quiet, on fleets of two hosts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fakes import MemoryStore

from brownout.bootstrap import open_calendar
from brownout.detection.alert_state import AlertState
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Freshness, Silence
from brownout.domain.forecasts import Breach, Series
from brownout.domain.metrics import Catalogue
from brownout.domain.verdicts import Said, Verdict
from brownout.nightly.context import NightContext
from brownout.nightly.freshness import SilentIncidents, fell_silent, freshness_of, only_future, silent_incidents
from brownout.settings import load_settings
from brownout.store.shards import plan_shards, read_shard

START = np.datetime64("2026-03-02T00:00", "ms")
STEP = np.timedelta64(300_000, "ms")
SLOTS = 4 * 288
END = START + SLOTS * STEP
HOUR = 12
METRICS = ("host_cpu_busy_pct", "host_memory_available_pct", "vm_cpu_pct", "console_update_ms")
GUESTS = {"kvm1": ("a1", "a2", "a3", "a4"), "kvm2": ("b1", "b2", "b3", "b4")}
Until = Mapping[str, int]


def topology() -> Topology:
    hosts = [Entity(id=host, kind="host") for host in GUESTS]
    guests = [Entity(id=guest, kind="vm", parent=host) for host, names in GUESTS.items() for guest in names]
    consoles = [Entity(id=f"{guest.id}/console", kind="console", parent=guest.id) for guest in guests]
    return Topology.of([*hosts, *guests, *consoles])


def measured(name: str) -> tuple[str, ...]:
    return METRICS[:2] if name in GUESTS else METRICS[3:] if "/" in name else METRICS[2:3]


def fleet(until: Until, *, seldom: Mapping[str, Sequence[int]] | None = None) -> MemoryStore:
    """All entities in all slots, but those in ``until`` (entity, or entity and metric) only before a slot."""
    table: dict[str, list[Any]] = {"time": [], "entity": [], **{name: [] for name in METRICS}}
    for entity in topology():
        for slot in (seldom or {}).get(entity.id, range(SLOTS)):
            if slot >= until.get(entity.id, SLOTS):
                continue
            table["time"].append((START + slot * STEP).astype(object))
            table["entity"].append(entity.id)
            for name in METRICS:
                there = name in measured(entity.id) and slot < until.get(f"{entity.id} {name}", SLOTS)
                table[name].append(float(slot % 7) if there else None)
    columns = {
        "time": pa.array(table["time"], pa.timestamp("ms", "UTC")),
        "entity": pa.array(table["entity"]).dictionary_encode(),
        **{name: pa.array(table[name], pa.float32()) for name in METRICS},
    }
    known = Catalogue.load().metrics
    return MemoryStore(pa.table(columns), tuple(known[name] for name in METRICS), topology())


def judged(
    store: MemoryStore, at: np.datetime64 | None = None, state: AlertState | None = None, **settings: Any
) -> tuple[Freshness, SilentIncidents]:
    loaded = load_settings(**settings)
    context = NightContext.build(
        store, loaded, created=END, at=at, calendar=open_calendar(loaded), state=state or AlertState()
    )
    parts = [fell_silent(read_shard(store, plan).panel, context.at) for plan in plan_shards(store)]
    freshness = freshness_of(context, parts)
    return freshness, silent_incidents(context, freshness)


def below(host: str) -> list[str]:
    return [name for guest in GUESTS[host] for name in (guest, f"{guest}/console")]


def dead(*names: str, hours: float = 3) -> dict[str, int]:
    return dict.fromkeys(names, SLOTS - round(hours * HOUR))


def test_a_fleet_that_sends_is_fresh() -> None:
    freshness, incidents = judged(fleet({}))
    assert (freshness.silences, freshness.stale, freshness.regular) == ((), False, len(topology()))
    assert incidents.diagnoses == ()


@pytest.mark.parametrize("hours", [1, 3, 12, 30])
def test_a_host_that_fell_silent_with_all_below_it_is_one_incident_since_then(hours: float) -> None:
    freshness, incidents = judged(fleet(dead("kvm2", *below("kvm2"), hours=hours)))
    (silence,) = freshness.unexpected
    since = END - np.timedelta64(round(hours * 3600), "s")
    assert (silence.entity, silence.since, set(silence.below)) == ("kvm2", since, set(below("kvm2")))
    (diagnosis,) = incidents.diagnoses
    assert (diagnosis.top.id, diagnosis.top.entity) == ("MAINT-08", "kvm2")
    assert (diagnosis.open, diagnosis.start) == (True, since)
    assert freshness.share == pytest.approx(0.5)
    assert [action.entity for action in incidents.actions] == ["kvm2"]


def test_a_few_missing_slots_are_no_silence() -> None:
    freshness, _ = judged(fleet(dict.fromkeys(["kvm2", *below("kvm2")], SLOTS - 4)))
    assert freshness.silences == ()


def test_a_host_whose_guests_alone_fell_silent_is_measured_but_they_are_not() -> None:
    _, incidents = judged(fleet(dead(*below("kvm2"))))
    (diagnosis,) = incidents.diagnoses
    assert (diagnosis.top.id, diagnosis.top.entity) == ("MAINT-07", "kvm2")
    assert set(diagnosis.entities) == {"kvm2", *below("kvm2")}


def test_a_guest_that_was_removed_is_named_but_no_news() -> None:
    freshness, incidents = judged(fleet(dead("b1", "b1/console")))
    (silence,) = freshness.silences
    assert (silence.entity, silence.below) == ("b1", ("b1/console",))
    assert "removed" in silence.expected
    assert incidents.diagnoses == ()


def test_announced_maintenance_stays_quiet() -> None:
    window = {"name": "disks", "entities": ["kvm2"], "start": str(END - 3 * HOUR * STEP), "end": str(END + HOUR * STEP)}
    freshness, incidents = judged(fleet(dead("kvm2", *below("kvm2"))), maintenance=[window])
    assert [silence.expected for silence in freshness.silences] == ["announced maintenance"]
    assert (freshness.unexpected, freshness.share, incidents.diagnoses) == ((), 0.0, ())


def test_a_metric_that_fell_silent_alone_is_named_with_its_family() -> None:
    freshness, incidents = judged(fleet({"kvm1 host_memory_available_pct": SLOTS - 6 * HOUR}))
    (silence,) = freshness.unexpected
    assert (silence.entity, silence.whole, silence.families) == ("kvm1", False, ("memory",))
    assert silence.metrics == ("host_memory_available_pct",)
    assert silence.since == END - 6 * HOUR * STEP
    assert incidents.diagnoses == ()


def test_a_host_whose_agent_alone_stopped_is_told_although_its_guests_go_on() -> None:
    _, incidents = judged(fleet(dead("kvm2")))
    (diagnosis,) = incidents.diagnoses
    assert diagnosis.top.id == "MAINT-08"
    assert "still measured" in diagnosis.summary


def test_what_is_measured_by_day_only_is_not_missed_at_night() -> None:
    by_day = [slot for slot in range(SLOTS) if slot % 288 < 200]
    freshness, _ = judged(fleet({}, seldom={"a1/console": by_day}))
    assert freshness.silences == ()


def test_what_is_measured_every_hour_is_not_missed_after_two() -> None:
    hourly = [slot for slot in range(SLOTS - 2 * HOUR) if slot % HOUR == 0]
    freshness, _ = judged(fleet({}, seldom={"kvm1": hourly}))
    assert freshness.silences == ()


def test_telemetry_that_stopped_as_a_whole_is_stale_and_no_host_is_blamed() -> None:
    freshness, incidents = judged(fleet({}), at=END + np.timedelta64(20, "D"))
    assert freshness.stale
    assert freshness.age_s == pytest.approx(20 * 86400, rel=1e-3)
    assert freshness.silences == ()
    assert incidents.diagnoses == ()


def test_an_old_data_set_is_no_news_without_a_clock() -> None:
    assert not judged(fleet({}))[0].stale


def test_what_people_called_expected_is_kept_without_an_alarm() -> None:
    store = fleet(dead("kvm2", *below("kvm2")))
    (episode,) = judged(store)[1].episodes
    said = Verdict(episode=episode, said=Said.EXPECTED, at=END)
    _, incidents = judged(store, state=AlertState(known=(episode,), verdicts=(said,)))
    assert (incidents.diagnoses, incidents.episodes) == ((), ())
    assert [one.episode.id for one in incidents.suppressed] == [episode.id]


def test_an_incident_of_silence_keeps_its_id_from_night_to_night() -> None:
    store = fleet(dead("kvm2", *below("kvm2"), hours=10))
    ids = {judged(store, at=END + shift * STEP)[1].diagnoses[0].id for shift in (0, 1)}
    assert len(ids) == 1


BREACH = Breach(
    series=Series("b1", "vm_cpu_pct"), limit=90.0, probability=0.8, earliest=END, likely=END + STEP,
    latest=END + 2 * STEP, duration_s=600.0, horizon_s=86400.0, now=50.0, maker="lstm",
)  # fmt: skip
FRESH = Freshness(at=END, newest=END, age_s=0.0, stale=False)


def test_nothing_past_is_told_as_a_forecast() -> None:
    assert only_future([BREACH], FRESH) == (BREACH,)
    (clipped,) = only_future([BREACH], replace(FRESH, at=END + STEP))
    assert (clipped.earliest, clipped.likely, clipped.latest) == (END + STEP, END + STEP, END + 2 * STEP)
    assert only_future([BREACH], replace(FRESH, at=END + 2 * STEP)) == ()
    assert only_future([BREACH], replace(FRESH, stale=True)) == ()
    assert only_future([BREACH], replace(FRESH, silences=(Silence(entity="b1", since=END, expected="removed"),))) == ()


def test_the_rhythm_of_each_entity_is_that_of_its_most_frequent_metric() -> None:
    store = fleet({}, seldom={"kvm1": range(0, SLOTS, 3)})
    parts = [fell_silent(read_shard(store, plan).panel, END) for plan in plan_shards(store)]
    rhythms = {name: rhythm for part in parts for name, rhythm in part.rhythm_s.items()}
    assert rhythms.pop("kvm1") == 900
    assert set(rhythms.values()) == {300}


def test_what_had_stopped_before_everything_stopped_is_named_alone() -> None:
    freshness, _ = judged(fleet(dead("kvm2", *below("kvm2"))), at=END + np.timedelta64(20, "D"))
    assert freshness.stale
    assert [(silence.entity, silence.since) for silence in freshness.silences] == [("kvm2", END - 3 * HOUR * STEP)]
