"""What is written back: tags that name the source, and every plain field of a result."""

import json
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from nights import driven, night

from brownout.domain.encoding import Instant, Number, decode, encode, json_schema, point_columns
from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import AnomalyScores, Cause, Diagnosis, Episode, SuppressionReason
from brownout.domain.forecasts import Breach
from brownout.nightly.effects.write_back import night_points, score_points

DOCS = Path(__file__).parents[3] / "docs" / "influxdb.md"

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


FIELDS = {
    "brownout_breach": {
        "probability",
        "limit",
        "earliest_ms",
        "likely_ms",
        "latest_ms",
        "duration_s",
        "model",
        "alert_probability",
    },
    "brownout_episode": {"severity", "end_ms", "open", "alarm", "moved", "reason", "episode", "incident"},
    "brownout_console": {"score", "band", "task", "network_ms", "hypervisor_ms", "guest_ms", "encoder_ms", "mean_ms"},
    "brownout_cause": {"probability", "cause", "title", "family", "culprit", "open", "incident"},
}
"""What dashboards in use ask for; see docs/influxdb.md."""
INTEGERS = {"end_ms", "open", "alarm"}
"""A field that was written as an integer can never be written as another type."""


def test_dashboards_find_the_fields_and_types_that_they_always_found() -> None:
    for points in night_points(night()):
        assert FIELDS[points.measurement] <= {*points.fields, *points.texts}
        for name in FIELDS[points.measurement] & set(points.fields):
            assert points.fields[name].dtype == (np.int64 if name in INTEGERS else np.float64), name


def test_every_plain_field_of_a_result_is_written_and_stands_in_the_docs() -> None:
    """Names that differ stand here; what is no field is the point's time, a tag, or holds other results."""
    renamed = {"id": "", "maker": "model", "entities": "involved"}
    elsewhere = {
        Breach: {"series", "drivers"},
        Episode: {"entity", "start", "movers", "shifts"},
        Diagnosis: {"start", "causes"},
        Cause: {"evidence", "entity"},
    }
    written = {points.measurement: {*points.fields, *points.texts} for points in night_points(night())}
    lines = {line.split("`")[1]: line for line in DOCS.read_text().splitlines() if line.startswith("| `brownout_")}
    measurements = {Breach: "brownout_breach", Episode: "brownout_episode", Diagnosis: "brownout_cause"}
    for kind, left_out in elsewhere.items():
        names = {renamed.get(item.name, item.name) for item in fields(kind) if item.name not in left_out} - {""}
        columns = written[measurements.get(kind, "brownout_cause")]
        assert {name for name in names if not {name, f"{name}_ms"} & columns} == set()
    for measurement, columns in written.items():
        assert {name for name in columns if f"`{name}`" not in lines[measurement]} == set(), measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class WiderEpisode(Episode):
    """An episode with fields of every plain kind added, as the next version may have them."""

    pressure: Number = math.nan
    seen: Instant | None = None
    checked: bool = False
    guests: tuple[str, ...] = ()
    why: SuppressionReason | None = None
    nested: tuple[Breach, ...] = ()


def test_a_field_added_to_an_episode_reaches_report_json_its_schema_and_the_write_back() -> None:
    start = np.datetime64("2026-03-02", "ms")
    first = WiderEpisode(
        id="e", entity="vm1", start=start, end=start, open=True, severity=1.0, movers=(),
        pressure=0.25, seen=start, checked=True, guests=tuple("abcdefghijkl"), why=SuppressionReason.CHANCE,
    )  # fmt: skip
    second = replace(first, pressure=math.nan, seen=None, checked=False, guests=(), why=None)
    columns = point_columns(WiderEpisode, [first, second], leave_out=("start",))
    np.testing.assert_array_equal(columns.numbers["pressure"], [0.25, np.nan])
    np.testing.assert_array_equal(columns.numbers["seen_ms"], [start.astype(np.int64), np.nan])
    assert columns.numbers["checked"].tolist() == [1, 0]
    assert columns.texts["guests"] == ["a, b, c, d, e, f, g, h, i, j and 2 more", ""]
    assert columns.texts["why"] == ["chance", None]
    assert not {"start_ms", "nested", "movers"} & {*columns.numbers, *columns.texts}
    assert json.loads(encode(first))["pressure"] == 0.25
    assert decode(WiderEpisode, json.loads(encode(first))) == first
    assert {"pressure", "seen", "checked"} <= set(json_schema(WiderEpisode, identity="x")["properties"])


def test_columns_are_what_the_codec_writes_in_a_plain_loop() -> None:
    breaches = driven(night()).breaches
    columns = point_columns(Breach, breaches)
    for row, breach in enumerate(breaches):
        written = json.loads(encode(breach))
        for name in ("probability", "limit", "duration_s", "horizon_s", "now"):
            value = written[name]
            assert columns.numbers[name][row] == value or (value is None and np.isnan(columns.numbers[name][row]))
        assert columns.texts["maker"][row] == written["maker"]
