"""The second generator: same seed same fleet, truth that the samples bear out, physics that holds."""

import json
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fleets.build import Fleet, Order, build
from fleets.faults import KINDS
from fleets.judge import truth_of as read_truth
from fleets.life.events import TELLABLE
from fleets.outcome.crossings import Limit, beyond, crossings
from fleets.outcome.folder import write_folder
from fleets.outcome.truth import truth_of
from fleets.product import limits, nights, open_dataset
from fleets.site.entities import kind_of

from brownout.domain.definitions import definitions_folder
from brownout.domain.metrics import Catalogue

SMALL = Order(seed=3, hosts=3, vms=15, days=6, interval_s=300, faults=6)
ALL_MEDIA = Order(seed=4, hosts=6, vms=18, days=6, interval_s=300, faults=1, severity=(0.9, 1.0))


@cache
def fleet(order: Order) -> Fleet:
    return build(order)


def test_the_same_seed_gives_the_same_fleet_and_another_one_another() -> None:
    one, again = fleet(SMALL), build(SMALL)
    assert [(p.kind.name, p.start, p.end, p.severity) for p in one.plans] == [
        (p.kind.name, p.start, p.end, p.severity) for p in again.plans
    ]
    assert all(np.array_equal(one.readings[name], again.readings[name], equal_nan=True) for name in one.readings)
    other = build(Order(seed=5, hosts=3, vms=15, days=6, interval_s=300, faults=6))
    assert not np.array_equal(one.readings["vm_cpu_pct"], other.readings["vm_cpu_pct"])


def test_nothing_but_the_faults_tells_a_fleet_with_faults_from_one_without() -> None:
    one = fleet(SMALL)
    first = min(plan.start for plan in one.plans) - one.axis.span(1200)
    for name, values in one.readings.items():
        assert np.array_equal(values[:, :first], one.healthy[name][:, :first], equal_nan=True), name
        assert values.dtype == np.float32


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_strong_fault_shows_what_it_must_by_a_simple_measure(name: str) -> None:
    """Median while active against the other days at the same hours, in robust standard deviations of these."""
    broken = fleet(Order(**{**vars(ALL_MEDIA), "kinds": (name,)}))
    (plan,), (level,) = broken.plans, broken.courses
    (told,) = truth_of(broken, limits())["faults"]
    assert told["strength"] != "faint"
    assert told["observable_from"] is not None
    active = np.flatnonzero(level > 0.02) + plan.start
    active = active[active < broken.axis.seen]
    active = active[-max(len(active) // 10, 3) :] if plan.shape == "ramp" else active
    for shown in told["shows"]:
        values = _series(broken, shown["entity"], shown["metric"])
        sign = 1 if shown["worse"] == "up" else -1
        hours = set(broken.axis.hour[active].astype(int))
        other = [
            s
            for s in range(broken.axis.seen)
            if int(broken.axis.hour[s]) in hours and not plan.start - 36 <= s < plan.end + 36
        ]
        usual = values[other]
        spread = max(1.4826 * np.nanmedian(np.abs(usual - np.nanmedian(usual))), 0.005 * abs(np.nanmedian(usual)), 1e-3)
        assert sign * (np.nanmedian(values[active]) - np.nanmedian(usual)) > 3 * spread, shown


def _series(one: Fleet, entity: str, metric: str) -> np.ndarray:
    kind, layout = kind_of(metric), one.layout
    if kind in ("vm", "console"):
        names = [guest.name if kind == "vm" else guest.console for guest in layout.guests]
        renamed = entity.replace("-r", "")
        return one.readings[metric][names.index(entity if entity in names else renamed)]
    names = [
        {"host": h.name, "disk": h.disk, "path": h.path, "interface": h.interface, "link": h.link}[kind]
        for h in layout.hosts
    ]
    return one.readings[metric][names.index(entity)]


@pytest.mark.parametrize("name", ["guest-leak", "thermal-throttling", "disk-saturated", "jitter"])
def test_a_weaker_fault_shows_less(name: str) -> None:
    shifts = []
    for severity in (0.1, 0.5, 1.0):
        order = Order(**{**vars(ALL_MEDIA), "kinds": (name,), "severity": (severity, severity + 1e-6)})
        (told,) = truth_of(build(order), limits())["faults"]
        shifts.append(told["shows"][0]["shift"])
    assert shifts[0] < shifts[1] < shifts[2]


def test_a_quota_of_the_emulator_does_not_make_the_vcpus_wait() -> None:
    broken = fleet(Order(**{**vars(ALL_MEDIA), "kinds": ("emulator-quota",)}))
    (plan,) = broken.plans
    when = slice(plan.start, plan.end)
    assert np.array_equal(
        broken.readings["vm_ready_pct"][plan.guest, when], broken.healthy["vm_ready_pct"][plan.guest, when]
    )


def test_causes_and_families_are_those_of_the_knowledge() -> None:
    known = tomllib.loads((definitions_folder() / "knowledge" / "causes.toml").read_text(encoding="utf-8"))["causes"]
    assert len({kind.cause for kind in KINDS.values()}) >= 20
    for kind in KINDS.values():
        assert known[kind.cause]["family"] == kind.family, kind.name
        assert set(kind.also) <= set(known), kind.name
    assert {cause for causes in TELLABLE.values() for cause in causes} <= set(known)


def test_values_lie_in_the_ranges_of_the_catalogue() -> None:
    catalogue = Catalogue.load().metrics
    for name, values in fleet(SMALL).readings.items():
        metric, known = catalogue[name], values[np.isfinite(values)]
        assert len(known)
        assert known.min() >= metric.lower, name
        assert metric.upper is None or known.max() <= metric.upper, name


def test_queues_keep_littles_law_loss_comes_in_whole_packets_and_guests_fit_their_host() -> None:
    one = fleet(SMALL)
    found = one.readings
    sent = round(one.axis.interval_s * 0.5)
    lost = found["link_loss_pct"] * sent / 100
    assert np.allclose(lost, np.round(lost), atol=1e-3)
    assert np.nanmax(found["vm_cpu_pct"] + 0 * found["vm_ready_pct"]) <= 100
    used = np.zeros_like(found["host_cpu_busy_pct"])
    for guest, host, when in one.done.stays(one.layout, one.axis.slots):
        used[host, when] += one.layout.guests[guest].vcpus * found["vm_cpu_pct"][guest, when] / 100
    capacity = one.layout.host_column("cores") * one.layout.host_column("speed") * found["host_freq_ratio"]
    assert np.quantile(100 * used / capacity - found["host_cpu_busy_pct"], 0.99) < 3


def test_breaches_of_a_healthy_fleet_recur_or_are_of_an_event() -> None:
    calm = build(Order(seed=8, hosts=4, vms=24, days=9, interval_s=300, faults=0, mode="healthy"))
    truth = truth_of(calm, limits())
    assert truth["faults"] == []
    lasting = [b for b in truth["breaches"] if not b["blip"]]
    unexplained = [b for b in lasting if not b["foreseeable"] and not _during(b, truth)]
    assert len(unexplained) <= 0.002 * 24 * 9 * len(limits())


def _during(breach: dict[str, object], truth: dict[str, list[dict[str, object]]]) -> bool:
    return any(event["start"] <= breach["time"] <= event["end"] for event in truth["harmless"])


def test_breaches_are_found_as_by_a_loop() -> None:
    rng = np.random.default_rng(2)
    values = np.cumsum(rng.normal(0, 1, (3, 400)), axis=1).astype(np.float32)
    values[0, 50:70] = np.nan
    limit = Limit(metric="m", value=4.0, up=True)
    marks = beyond(values, limit, 60)
    loop = np.zeros_like(marks)
    for row in range(3):
        for slot in range(400):
            window = values[row, max(slot - 4, 0) : slot + 1]
            known = window[np.isfinite(window)]
            loop[row, slot] = bool(len(known)) and np.isfinite(values[row, slot]) and known.mean() > 4
    assert np.array_equal(marks, loop)
    found = {(one.row, one.slot): one.lasts_s for one in crossings(marks, 60, first=0)}
    expected: dict[tuple[int, int], float] = {}
    for row in range(3):
        begin, last = -1, -1000
        for slot in np.flatnonzero(marks[row]):
            if slot - last > 120:
                begin = int(slot)
                expected[row, begin] = 0.0
            expected[row, begin] += 60
            last = int(slot)
    assert found == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fleet")
    write_folder(fleet(SMALL), out, limits())
    return out


def test_the_folder_opens_as_a_dataset_with_its_labels(folder: Path) -> None:
    dataset = open_dataset(folder)
    truth = json.loads((folder / "truth.json").read_text())
    assert [(i.entity, i.cause) for i in dataset.incidents] == [(f["entity"], f["cause"]) for f in truth["faults"]]
    kinds = {entity.kind for entity in dataset.topology}
    assert kinds == {"host", "vm", "console", "disk", "interface", "link", "path"}
    spans = dataset.spans()
    named = {entity.id for entity in dataset.topology}
    assert {f["entity"] for f in truth["faults"]} <= named
    assert set(spans) <= named
    hosts = {entity.id for entity in dataset.topology if entity.kind == "host"}
    assert all(dataset.topology.root(entity.id) in hosts for entity in dataset.topology)


def test_a_renamed_guest_ends_where_its_new_name_begins(folder: Path) -> None:
    samples = pd.read_parquet(folder / "samples.parquet", columns=["time", "entity"])
    renamed = json.loads((folder / "truth.json").read_text())["renamed"]
    assert renamed
    for one in renamed:
        time = pd.Timestamp(one["time"])
        assert samples.loc[samples["entity"] == one["old"], "time"].max() < time + pd.Timedelta(hours=1)
        assert samples.loc[samples["entity"] == one["new"], "time"].min() >= time


def test_samples_are_in_order_and_nothing_tells_where_a_fault_is(folder: Path) -> None:
    samples = pd.read_parquet(folder / "samples.parquet")
    truth = json.loads((folder / "truth.json").read_text())
    assert samples.groupby("entity")["time"].apply(lambda times: times.is_monotonic_increasing).all()
    assert samples["time"].min() >= pd.Timestamp(truth["start"])
    assert (samples["time"] < pd.Timestamp(truth["end"]) + pd.Timedelta(hours=2)).all()
    assert not any(word in "".join(samples["entity"].unique()) for word in ("fault", "slow", "bad"))


def test_a_report_that_tells_the_truth_scores_full_and_one_that_tells_nothing_scores_none(folder: Path) -> None:
    truth, crossed, table = read_truth(folder)
    rules = nights()
    replayed = np.datetime64(table["start"].removesuffix("Z"), "ms") + np.arange(1, 7) * np.timedelta64(
        86_400_000, "ms"
    )
    limits_of = rules.Tolerance()
    rows = [
        {
            "night": night, "incident": label.incident.id, "entity": label.incident.entity,
            "cause": label.incident.cause, "probability": 0.9, "start": label.incident.start,
            "open": label.ongoing or label.incident.end > night, "alarmed": True, "rank": 1,
        }
        for night in replayed for label in truth.labels if limits_of.due(label, night)
    ]  # fmt: skip
    told = pd.DataFrame(rows)
    scores = rules.night_scores(rules.judge_nights(told, truth, nights=list(replayed)), guests=15, days=6)
    assert scores["incidents"] == len(truth.labels)
    wanted = ("told", "told_first", "true_share", "state_right", "identity_stable", "first_three_true")
    assert [scores[name] for name in wanted] == [1.0] * len(wanted)
    assert (scores["false"], scores["silenced"], scores["start_error_s"]) == (0, 0, 0.0)
    nothing = rules.night_scores(rules.judge_nights(told[:0], truth, nights=list(replayed)), guests=15, days=6)
    assert (nothing["found"], nothing["told"], nothing["true_share"]) == (0.0, 0.0, None)
    assert all(crossing.time < crossing.until for crossing in crossed)
