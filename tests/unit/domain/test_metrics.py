from pathlib import Path

import numpy as np
import pytest

from brownout.domain.entities import NAMED_KINDS
from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Catalogue, Family, Metric, Role, Worse, shipped_catalogue


def test_the_catalogue_is_consistent() -> None:
    metrics = Catalogue.load().metrics
    assert metrics
    for metric in metrics.values():
        assert metric.title, metric.name
        assert metric.source, metric.name
        assert set(metric.entity_kinds) <= set(NAMED_KINDS), metric.name
        assert metric.lower < metric.upper, metric.name
        if metric.limit is not None:
            assert metric.worse is not Worse.NONE, f"{metric.name} has a limit but no direction"
            assert metric.lower < metric.limit < metric.upper, metric.name


def test_every_kind_of_entity_has_metrics() -> None:
    catalogue = Catalogue.load()
    for kind in NAMED_KINDS:
        assert catalogue.of_kind(kind), kind


def test_a_role_implies_its_family() -> None:
    assert Metric.from_table("x", {"role": "disk_read"}).family is Family.DISK
    assert Metric.from_table("x", {"role": "latency"}).family is Family.OTHER


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"role": "cpus"}, "'cpus'.*Did you mean 'cpu'"),
        ({"lower": "low"}, "low"),
        ({"evidence_only": "false"}, "neither true nor false"),
    ],
)
def test_a_malformed_metric_is_named(table: dict[str, object], said: str) -> None:
    with pytest.raises(KnowledgeError, match=said) as caught:
        Metric.from_table("odd", table)
    assert "[metrics.odd]" in str(caught.value)


def test_a_name_outside_the_catalogue_has_no_role(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text('[metrics.a]\ntitle = "A"\nunit = "ms"\n')
    a, b = Catalogue.load(tmp_path).select(["a", "b"])
    assert (a.label, b.label, b.role) == ("A", "b", Role.UNKNOWN)


LIMITED = {"limit": 90.0, "worse": Worse.UP}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("worse", [Worse.UP, Worse.DOWN])
def test_beyond_the_limit_is_what_a_plain_loop_calls_it(worse: Worse, dtype: type) -> None:
    metric = Metric(name="x", limit=0.3, worse=worse)
    values = np.array([[0.1, 0.3, 0.5], [np.nan, np.inf, -np.inf]], dtype)
    limit = dtype(0.3)
    loop = [[v > limit if worse is Worse.UP else v < limit for v in row] for row in values]
    np.testing.assert_array_equal(metric.exceeds(values), loop)
    assert not metric.exceeds(values)[0, 1]
    assert metric.exceeds(values[:0]).shape == (0, 3)


@pytest.mark.parametrize("change", [{"limit": None}, {"worse": Worse.NONE}])
def test_without_a_limit_or_a_direction_nothing_is_beyond(change: dict[str, object]) -> None:
    metric = Metric(name="x", **(LIMITED | change))
    assert not metric.is_limited
    assert not metric.exceeds(np.array([-1e9, 1e9])).any()
    assert Metric(name="x", **LIMITED).is_limited
    assert bool(Metric(name="x", **LIMITED).exceeds(91.0))


def test_the_first_floor_that_covers_a_metric_and_says_something_holds(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(
        '[spread_floors.errors]\nrole = "errors"\ndiagnosis = 0.02\n'
        '[spread_floors.disk]\nfamily = "disk"\nunit = "ms"\ndiagnosis = 0.04\n'
        '[spread_floors.time]\nunit = "ms"\ndetection = 0.3\ndiagnosis = 0.5\n[metrics]\n'
    )
    catalogue = Catalogue.load(shipped=tmp_path)
    floors = {
        name: (catalogue.detection_floor(metric), catalogue.diagnosis_floor(metric))
        for name, metric in {
            "disk": Metric(name="disk", unit="ms", family=Family.DISK),
            "ping": Metric(name="ping", unit="ms", family=Family.NETWORK),
            "loss": Metric(name="loss", unit="%", role=Role.ERRORS),
            "lost_ms": Metric(name="lost_ms", unit="ms", role=Role.ERRORS),
            "other": Metric(name="other", unit="GiB"),
        }.items()
    }
    assert floors == {
        "disk": (0.3, 0.04), "ping": (0.3, 0.5), "loss": (0.0, 0.02), "lost_ms": (0.3, 0.02), "other": (0.0, 0.0)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[colours]\n[metrics]\n", "colours"),
        ('[figures]\nconsole_latency = "slow"\n[metrics]\n', "slow"),
        ("[spread_floors.x]\nunits = 1\n[metrics]\n", "units"),
        ('[spread_floors.x]\nfamily = "dusk"\n[metrics]\n', "dusk"),
    ],
)
def test_a_malformed_catalogue_is_an_error(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(text)
    with pytest.raises(KnowledgeError, match=said):
        Catalogue.load(shipped=tmp_path)


def test_console_latency_is_one_of_the_times_that_a_person_waits() -> None:
    catalogue = shipped_catalogue()
    waits = {name for name, metric in catalogue.metrics.items() if metric.is_console_latency}
    assert catalogue.console_latency in waits
    for name in waits:
        assert catalogue.metrics[name].unit == "ms"
        assert catalogue.metrics[name].worse is Worse.UP
