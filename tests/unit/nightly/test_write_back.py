"""Tags of what is written back."""

import numpy as np

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import AnomalyScores
from brownout.nightly.effects.write_back import score_points

LABELS = {"host": "kvm1", "domain_name": "db", "disk_bus": "virtio", "os": "linux"}


def tags_of(entity: Entity) -> dict[str, str]:
    times = np.datetime64("2026-03-02", "ms") + np.arange(2) * np.timedelta64(60_000, "ms")
    values = np.ones((1, 2), np.float32)
    scores = AnomalyScores(
        entities=("db",), metrics=("m",), times=times, interval_s=60, scores=values, deviations=values[:, :, None]
    )
    (tags,) = score_points(scores, Topology.of([entity])).tags
    return dict(tags)


def test_findings_carry_the_tags_that_name_an_entity_and_not_how_it_is_configured() -> None:
    found = tags_of(Entity(id="db", kind="vm", labels=LABELS, named_by=("domain_name", "host")))
    assert found == {"host": "kvm1", "domain_name": "db", "entity": "db", "kind": "vm"}


def test_where_nothing_says_what_names_an_entity_all_labels_are_tags() -> None:
    assert tags_of(Entity(id="db", kind="vm", labels=LABELS)) == {**LABELS, "entity": "db", "kind": "vm"}
