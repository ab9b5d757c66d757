"""Who waits for a pass of watch, and who does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brownout.bootstrap import open_job
from brownout.operate import night_job
from brownout.settings import Settings


@pytest.mark.parametrize(
    ("command", "waits"), [("nightly", True), ("train", True), ("retrain", True), ("watch", False)]
)
def test_all_but_a_watch_wait_for_the_end_of_a_pass(
    command: str,
    waits: bool,  # noqa: FBT001 - a parameter of a table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patience: list[float] = []

    @contextmanager
    def lock(_out: Path, *, patience_s: float, **_: object) -> Iterator[None]:
        patience.append(patience_s)
        yield

    monkeypatch.setattr(night_job, "night_lock", lock)
    with open_job(Settings(dataset=tmp_path), tmp_path / "out").alone(f"brownout {command}"):
        assert (patience[0] > 600) == waits
