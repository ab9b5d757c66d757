from pathlib import Path

import pytest

from brownout.domain.definitions import ENTITY_KINDS
from brownout.domain.errors import KnowledgeError
from brownout.domain.metrics import Catalogue, Family, Metric, Role, Worse


def test_the_catalogue_is_consistent() -> None:
    metrics = Catalogue.load().metrics
    assert metrics
    for metric in metrics.values():
        assert metric.title, metric.name
        assert metric.source, metric.name
        assert set(metric.entity_kinds) <= set(ENTITY_KINDS), metric.name
        assert metric.lower < metric.upper, metric.name
        if metric.limit is not None:
            assert metric.worse is not Worse.NONE, f"{metric.name} has a limit but no direction"
            assert metric.lower < metric.limit < metric.upper, metric.name


def test_every_kind_of_entity_has_metrics() -> None:
    catalogue = Catalogue.load()
    for kind in ENTITY_KINDS:
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
