"""What it costs that something is not measured."""

from brownout.diagnosis.knowledge.cause_coverage import losses
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.ingest.mapping import TelegrafMapping
from brownout.ingest.raw import MeasurementSchema
from brownout.operate.telemetry_coverage import lost_at, whole_cost

MAPPING = TelegrafMapping.load()
KNOWLEDGE = Knowledge.load()
NAMED = sum(bool(cause.kind) for cause in KNOWLEDGE.causes.values())
"""Causes of entities of a kind: those that are known by roles alone need no input of Telegraf."""
WHOLE = {
    name: MeasurementSchema(
        tags=tuple({tag for source in sources for tag in (*source.labels, *source.where)}),
        fields=tuple(field for source in MAPPING.sources for m, field in source.foreign if m == name)
        + tuple(field for source in sources for field in source.needs),
    )
    for name, sources in MAPPING.measurements.items()
} | {
    name: MeasurementSchema(tags=(), fields=(field,))
    for source in MAPPING.sources
    for name, field in source.foreign
    if name not in MAPPING.measurements
}


def test_with_everything_every_cause_can_be_named() -> None:
    assert whole_cost(MAPPING, WHOLE, KNOWLEDGE) == (NAMED, ())
    assert all(lost_at(MAPPING, WHOLE, name) == () for name in MAPPING.measurements)


def test_a_cause_without_necessary_evidence_says_what_it_is_taken_for() -> None:
    found = {loss.cause.id: loss for loss in losses(KNOWLEDGE, ["disk_degraded"])}
    assert set(found) == {"MAINT-03"}
    assert not found["MAINT-03"].named
    assert "HW-05" in [cause.id for cause in found["MAINT-03"].taken_for(KNOWLEDGE)]


def test_a_cause_without_strong_evidence_is_told_less_surely() -> None:
    (loss,) = losses(KNOWLEDGE, ["disk_bad_sectors"])
    assert (loss.cause.id, loss.named) == ("MAINT-02", True)


def test_the_loss_of_a_measurement_or_a_field_is_that_of_its_metrics_and_labels() -> None:
    poor = {name: schema for name, schema in WHOLE.items() if name != "mdstat"}
    assert lost_at(MAPPING, poor, "mdstat") == ("disk_degraded",)
    (loss,) = losses(KNOWLEDGE, lost_at(MAPPING, poor, "mdstat"))
    assert loss.cause.title == "Array degraded or rebuilding"
    assert loss.taken_for(KNOWLEDGE)
    assert whole_cost(MAPPING, poor, KNOWLEDGE) == (NAMED - 1, ("Array degraded or rebuilding",))
    aliased = {**WHOLE, "cgroup": MeasurementSchema(tags=(), fields=("cpu.stat.nr_periods",))}
    assert lost_at(MAPPING, aliased, "cgroup") == ("vm_throttled_pct",)
    alone = {name: schema for name, schema in WHOLE.items() if name != "libvirt_vcpu_total"}
    assert "vm_cpu_pct" in lost_at(MAPPING, alone, "libvirt_cpu")
    assert "disk_bus" in lost_at(MAPPING, {}, "vm_config")


def test_what_one_exporter_brings_is_not_lost_because_another_one_is_away() -> None:
    of: dict[str, set[str]] = {}
    pve = [source for source in MAPPING.measurements["prometheus"] if source.collector == "pve_exporter_v2"]
    for source in MAPPING.measurements["prometheus"]:
        of.setdefault(source.collector, set()).update(source.metrics)
    assert "vm_cpu_pct" in of["pve_exporter_v2"] & of["libvirt_exporter_v2"]
    fields = tuple(field for source in pve for field in source.needs)
    only = {"prometheus": MeasurementSchema(tags=(), fields=fields)}
    lost = lost_at(MAPPING, only, "prometheus")
    assert not {"vm_cpu_pct", "host_memory_available_gib"} & set(lost)
    assert lost
    assert len(lost) == len(set(lost))


def test_every_symptom_is_something_that_the_mapping_makes() -> None:
    made = {metric.name for metric in MAPPING.metrics} | {name for s in MAPPING.sources for name in s.labels}
    asked = {symptom.about for symptom in KNOWLEDGE.symptoms.values() if not symptom.role}
    assert asked <= made
