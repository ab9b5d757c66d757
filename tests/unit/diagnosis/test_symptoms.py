"""The lookup: how clearly a symptom is seen, by lines, by the usual, and beside another metric."""

from dataclasses import replace

import pytest

from brownout.diagnosis.evidence.observation import Observation, Observations
from brownout.diagnosis.evidence.symptoms import EvidenceLookup, level_strength
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.evidence_rules import EvidenceRule, Symptom
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Catalogue, Metric, Role

CATALOGUE = Catalogue.load().metrics
TOPOLOGY = Topology.of([Entity(id="h", kind="host"), Entity(id="v", kind="vm", parent="h")])
BUSY = Symptom(id="busy", metric="host_cpu_busy_pct", direction="up", low=70, high=90, says="", source="")
ASKED = Symptom(
    id="asked",
    metric="vm_net_rx_kbs",
    along="vm_cpu_pct",
    measure="along",
    direction="up",
    spreads=(0.4, 0.6),
    says="",
    source="",
)
RULE = EvidenceRule(symptom="asked", where="self", role=EvidenceRole.EXCLUDING)


def seen(metric: str, *, usual: float, spread: float, high: float) -> Observation:
    return Observation(metric=CATALOGUE[metric], usual=usual, spread=spread, high=high, low=usual, trend=0.0)


@pytest.mark.parametrize(
    ("usual", "spread", "high", "strength"),
    [
        (30, 2, 95, 1.0),  # far from its usual, and beyond the line
        (30, 40, 95, 1.0),  # strays much, but is usually two lines' width below the line
        (60, 40, 95, 0.3 + 0.7 * 0.5),  # half of that
        (75, 40, 95, 0.3),  # often near the line anyway
        (30, 2, 60, 0.0),  # far from its usual, and below the line
    ],
)
def test_a_value_far_below_its_line_has_deviated_when_it_crosses_it(
    usual: float, spread: float, high: float, strength: float
) -> None:
    found = seen("host_cpu_busy_pct", usual=usual, spread=spread, high=high)
    assert level_strength(BUSY, found) == pytest.approx(strength)


def test_a_fall_below_its_line_is_measured_the_other_way_round() -> None:
    low = Symptom(id="low", metric="host_freq_ratio", direction="down", low=0.9, high=0.8, says="", source="")
    found = Observation(metric=CATALOGUE["host_freq_ratio"], usual=1.0, spread=9, high=1.0, low=0.7, trend=0.0)
    assert level_strength(low, found) == pytest.approx(1.0)
    near = Observation(metric=CATALOGUE["host_freq_ratio"], usual=0.9, spread=9, high=0.9, low=0.7, trend=0.0)
    assert level_strength(low, near) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("network", "cpu", "strength"),
    [
        (160, 60, 1.0),  # both by three spreads
        (115, 40, 0.25),  # most of what little the CPU did: half by chance
        (150, 90, 0.083333),  # 2.5 of six spreads
        (160, 20, 0.0),  # the CPU did not rise at all
        (100, 60, 0.0),
    ],
)
def test_a_metric_goes_along_with_another_by_the_share_of_its_movement(
    network: float, cpu: float, strength: float
) -> None:
    found = {
        ("v", "vm_net_rx_kbs"): seen("vm_net_rx_kbs", usual=100, spread=20, high=network),
        ("v", "vm_cpu_pct"): seen("vm_cpu_pct", usual=30, spread=10, high=cpu),
    }
    match = EvidenceLookup(Observations(found, ("v",)), TOPOLOGY).find(RULE, {ASKED.id: ASKED}, "v")
    assert match is not None
    assert match.observation is found["v", "vm_net_rx_kbs"]
    assert match.strength == pytest.approx(strength, abs=1e-5)


def test_beside_a_metric_that_is_not_measured_or_explained_nothing_is_seen() -> None:
    own, other = (seen(name, usual=1, spread=1, high=9) for name in ("vm_net_rx_kbs", "vm_cpu_pct"))
    both = Observations({("v", "vm_net_rx_kbs"): own, ("v", "vm_cpu_pct"): other}, ("v",))
    alone = Observations({("v", "vm_net_rx_kbs"): own}, ("v",))
    assert EvidenceLookup(alone, TOPOLOGY).find(RULE, {ASKED.id: ASKED}, "v") is None
    assert EvidenceLookup(both, TOPOLOGY, frozenset({("v", "cpu")})).find(RULE, {ASKED.id: ASKED}, "v") is None


HOST = Topology.of(
    [
        Entity(id="h", kind="host"),
        *(Entity(id=name, kind="vm", parent="h") for name in ("a", "b")),
        *(Entity(id=f"{name}/console", kind="console", parent=name) for name in ("a", "b")),
        Entity(id="far", kind="host"),
        Entity(id="c", kind="vm", parent="far"),
    ]
)
PLACES = {
    "self": {"a": "a", "b": "b"},
    "any_guest": {"a": "a", "b": "a", "c": "c"},
    "other_guest": {"a": "b", "b": "a", "c": None},
    "consoles": {"a": "a/console", "b": "b/console"},
    "other_consoles": {"a": "b/console", "b": "a/console"},
}
"""By place and suspect: the entity that shows most there."""


@pytest.mark.parametrize("where", PLACES)
def test_each_suspect_sees_its_own_surroundings_whoever_was_asked_about_before(where: str) -> None:
    busy = Symptom(id="busy", metric="vm_cpu_pct", direction="up", low=70, high=90, says="", source="")
    levels = {"a": 95.0, "b": 80.0, "c": 75.0, "a/console": 95.0, "b/console": 80.0}
    found = {(name, "vm_cpu_pct"): seen("vm_cpu_pct", usual=10, spread=2, high=high) for name, high in levels.items()}
    rule = EvidenceRule(symptom="busy", where=where, role=EvidenceRole.STRONG)
    lookup = EvidenceLookup(Observations(found, tuple(levels)), HOST)
    for suspect, shown in [*PLACES[where].items()] * 2:
        match = lookup.find(rule, {"busy": busy}, suspect)
        assert (match.entity if match else None) == shown, suspect


def test_causes_of_any_kind_are_looked_for_where_metrics_are_known_by_their_role_only() -> None:
    generic = Metric(name="load", role=Role.CPU)
    both = {
        ("v", "vm_cpu_pct"): seen("vm_cpu_pct", usual=10, spread=2, high=20),
        ("svc", "load"): replace(seen("vm_cpu_pct", usual=10, spread=2, high=20), metric=generic),
    }
    lookup = EvidenceLookup(Observations(both, ("v", "svc")), TOPOLOGY)
    found = Diagnoser(Knowledge.load()).candidates(["v", "svc"], lookup)
    kinds = {name: {c.cause.kind for c in found if c.entity == name} for name in ("v", "svc")}
    assert kinds == {"v": {"vm"}, "svc": {""}}


def test_a_busy_guest_that_waits_for_a_cpu_would_use_the_time_that_it_waits() -> None:
    jump = Knowledge.load().symptoms["guest_cpu_jump"]
    assert jump.plus == "vm_ready_pct"

    def strength(used: float, waited: float | None, usual: float = 14.0) -> float:
        both = {("v", "vm_cpu_pct"): seen("vm_cpu_pct", usual=usual, spread=4, high=used)}
        if waited is not None:
            both["v", "vm_ready_pct"] = seen("vm_ready_pct", usual=0.2, spread=0.1, high=waited)
        lookup = EvidenceLookup(Observations(both, ("v",)), TOPOLOGY)
        match = lookup.find(EvidenceRule(symptom="j", where="self", role=EvidenceRole.NECESSARY), {"j": jump}, "v")
        assert match is not None
        return match.strength

    assert strength(60, None) == pytest.approx((60 - 50) / 35)
    assert strength(60, 0.2) < 0.3
    assert strength(60, 30) == 1.0
    assert strength(12, 60) == 0.0  # it waits, and asked for no more than usual
    assert strength(60, 30, usual=60) == pytest.approx(0.3 * (60 - 50) / 35)


def test_a_host_to_which_no_path_is_measured_carries_the_causes_of_paths() -> None:
    slow = {("c", "console_connect_ms"): seen("console_connect_ms", usual=1, spread=0.1, high=170)}
    parts = [
        Entity(id="h", kind="host"),
        Entity(id="v", kind="vm", parent="h"),
        Entity(id="c", kind="console", parent="v"),
    ]
    lookup = EvidenceLookup(Observations(slow, ("h", "v", "c")), Topology.of(parts))
    (top, *_) = Diagnoser(Knowledge.load()).candidates(["h", "v", "c"], lookup)
    assert (top.cause.id, top.entity) == ("NET-01", "h")
    measured = Topology.of([*parts, Entity(id="p>h", kind="link", parent="h")])
    found = Diagnoser(Knowledge.load()).candidates(["h", "p>h"], EvidenceLookup(lookup.observed, measured))
    assert {c.entity for c in found if c.cause.kind == "link"} == {"p>h"}
