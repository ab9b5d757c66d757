"""A data set's hosts and guests have one name each, by the rules that hold for a database."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brownout.domain.repairs import Repair
from brownout.ingest.named_samples import NamedSamples
from brownout.operate.sources import DatasetSource
from brownout.operate.sync import sync
from brownout.store.dataset import Dataset
from brownout.store.history import History

EARLY = [f"2026-03-02T00:{minute:02d}" for minute in range(30)]
LATE = [f"2026-03-02T01:{minute:02d}" for minute in range(30)]


@pytest.fixture
def synced(write_dataset: Callable[..., Path], tmp_path: Path) -> Callable[..., History]:
    def made(rows: dict[str, list[str]], described: str) -> History:
        times = [time for own in rows.values() for time in own]
        names = [name for name, own in rows.items() for _ in own]
        folder = write_dataset({"load": [1.0] * len(times)}, times=times, entities=names)
        (folder / "entities.csv").write_text(described)
        sync(DatasetSource(NamedSamples(Dataset.open(folder))), tmp_path / "history")
        return History.open(tmp_path / "history")

    return made


def test_a_host_that_took_its_full_name_is_one(synced: Callable[..., History]) -> None:
    rows = {"kvm1": EARLY, "kvm1.example.org": LATE, "kvm1.example.org/eno1": LATE}
    found = synced(
        rows,
        "entity,kind,parent\nkvm1,host,\nkvm1.example.org,host,\nkvm1.example.org/eno1,interface,kvm1.example.org\n"
        "web01,vm,kvm1.example.org\n",
    )
    assert {(e.id, e.parent) for e in found.topology} == {("kvm1", ""), ("kvm1/eno1", "kvm1"), ("web01", "kvm1")}
    assert found.topology["kvm1"].labels["also_called"] == "kvm1.example.org"
    assert found.spans()["kvm1"].rows == 60
    assert found.repairs().counts[Repair.OTHER_NAME, "kvm1.example.org"] == 30


def test_hosts_that_are_measured_at_once_stay_two(synced: Callable[..., History]) -> None:
    rows = {"kvm1": EARLY, "kvm1.example.org": EARLY}
    found = synced(rows, "entity,kind,parent\nkvm1,host,\nkvm1.example.org,host,\n")
    assert {e.id for e in found.topology} == {"kvm1", "kvm1.example.org"}
    assert not found.repairs().counts


def test_a_guest_with_one_uuid_is_one(synced: Callable[..., History]) -> None:
    found = synced(
        {"old": EARLY, "new": LATE}, "entity,kind,parent,uuid\nold,vm,kvm1,u-1\nnew,vm,kvm1,u-1\nkvm1,host,,\n"
    )
    assert found.spans()["old"].rows == 60
    assert "new" not in found.topology.entities


def test_an_agent_inside_a_guest_is_no_host(synced: Callable[..., History]) -> None:
    found = synced(
        {"kvm1": EARLY, "web01": EARLY, "web01.example.org": EARLY},
        "entity,kind,parent\nkvm1,host,\nweb01,vm,kvm1\nweb01.example.org,host,\n",
    )
    assert {e.id for e in found.topology} == {"kvm1", "web01"}
    assert found.repairs().counts == {(Repair.IN_GUEST, "web01"): 30}


def test_a_data_set_without_other_names_is_read_as_it_is(write_dataset: Callable[..., Path]) -> None:
    folder = write_dataset({"load": [1.0, 2.0]}, times=EARLY[:2], entities=["a.example.org", "a"])
    dataset = Dataset.open(folder)
    named = NamedSamples(dataset)
    assert list(named.spans()) == list(dataset.spans())
    assert named.read(("a", "a.example.org")).equals(dataset.read(("a", "a.example.org")))
    assert not named.repairs(np.datetime64("2026-03-01"), np.datetime64("2026-03-03")).counts
