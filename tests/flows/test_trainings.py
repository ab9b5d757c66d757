"""Trainings through the flow, on a registry in memory: what trains again, what does not, and what a failure leaves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import MemoryTracker

from brownout import bootstrap
from brownout.nightly.effects import trained_models

NAB = Path(__file__).parents[1] / "data" / "nab-aws"

pytestmark = pytest.mark.usefixtures("small_forests")


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from brownout_pipelines.runtime import prefect_environment

    with prefect_environment(state=tmp_path_factory.mktemp("prefect")) as runtime:
        assert runtime.problem is None
        yield


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MemoryTracker:
    tracker = MemoryTracker()
    monkeypatch.setattr(bootstrap, "open_tracker", lambda *_given: tracker)
    return tracker


def night(out: Path) -> Any:
    from brownout_pipelines.nightly import nightly

    config = out.parent / "settings.toml"
    config.write_text("[forecast]\ntrain_steps = 20\n")
    return nightly(out=out, config=config, dataset=NAB)


def test_the_same_data_never_train_again(registry: MemoryTracker, tmp_path: Path) -> None:
    night(tmp_path / "out")
    first = dict(registry.runs)
    assert set(first) == {"brownout-forecaster", "brownout-detector"}
    for name, run in first.items():
        assert run["reason"] == "there was none", name
        assert run["data"].sha256 == run["data_sha256"], name
        assert run["artifacts"] == ["card.html", "training.json"], name
    night(tmp_path / "out")
    assert len(registry.runs) == 2
    assert not list((tmp_path / "out" / "models").glob("*-challenger"))
    cards = {path.name for path in (tmp_path / "out" / "report" / "cards").iterdir()}
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert len(cards) == 2
    assert all(f'href="cards/{name}"' in page for name in cards)


def test_a_training_that_fails_leaves_a_failed_run_that_says_why(
    registry: MemoryTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_options: object) -> None:
        raise ValueError("the forest does not grow")

    monkeypatch.setattr(trained_models, "fit_detector", broken)
    with pytest.raises(ValueError, match="does not grow"):
        night(tmp_path / "out")
    failed = [run for name, run in registry.runs if name == "brownout-detector"]
    assert [run["failed"] for run in failed] == ["ValueError: the forest does not grow"]
    assert failed[0]["reason"] == "there was none"
    assert not list((tmp_path / "out" / "models").glob("*-failures.json"))  # told once
