"""The copy of a history for a cluster, in a folder of this machine: what is read, left, taken away and refused."""

from pathlib import Path

import numpy as np
import pytest

from brownout.adapters.cluster.object_history import copy_history
from brownout.bootstrap import open_job
from brownout.domain.errors import HistoryError
from brownout.settings import load_settings
from brownout.simulation import FleetSettings, simulate
from brownout.simulation.fleet_dataset import write_dataset
from brownout.store.history import History


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("fleet")
    write_dataset(simulate(FleetSettings(hosts=1, vms=2, days=9, interval_s=1800, seed=5)), folder / "fleet", name="f")
    open_job(load_settings(dataset=folder / "fleet"), folder / "out").sync()
    return History.open(folder / "out" / "history")


def test_it_says_what_the_history_says(history: History, tmp_path: Path) -> None:
    copy = copy_history(history, tmp_path.as_uri())
    assert (copy.name, copy.metrics, copy.interval_s) == (history.name, history.metrics, history.interval_s)
    assert copy.spans() == history.spans()
    assert list(copy.topology) == list(history.topology)
    some = [entity.id for entity in history.topology][:3]
    middle = history.spans()[some[0]].first + np.timedelta64(4, "D")
    for asked in ({}, {"start": middle}, {"end": middle}):
        assert copy.read(some, **asked).equals(history.read(some, **asked))


def test_what_is_there_is_not_copied_again_and_what_is_gone_is_taken_away_alone(
    history: History, tmp_path: Path
) -> None:
    copy_history(history, tmp_path.as_uri())
    first, *_ = sorted((tmp_path / "samples").glob("*.parquet"))
    before = first.stat().st_mtime_ns
    stale, foreign = tmp_path / "samples" / "1999-01-04.parquet", tmp_path / "samples" / "notes.txt"
    for path in (stale, foreign):
        path.write_text("x")
    copy = copy_history(history, tmp_path.as_uri())
    assert len(copy.files) == len(history.files)
    assert first.stat().st_mtime_ns == before
    assert not stale.exists()
    assert foreign.exists()


def test_another_file_of_that_name_is_refused_and_copied_again(history: History, tmp_path: Path) -> None:
    copy = copy_history(history, tmp_path.as_uri())
    names = [entity.id for entity in history.topology]
    victim, *_ = sorted((tmp_path / "samples").glob("*.parquet"))
    data = bytearray(victim.read_bytes())
    data[-40] ^= 1  # within the footer
    victim.write_bytes(bytes(data))
    with pytest.raises(HistoryError, match="not the file that was copied"):
        copy.read(names)
    copy_history(history, tmp_path.as_uri())
    assert copy.read(names).equals(history.read(names))


def test_a_storage_that_is_not_there_is_an_error_with_a_remedy(history: History, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(HistoryError, match=r"cannot be copied.*cluster\.history"):
        copy_history(history, f"{tmp_path.as_uri()}/file/below")
