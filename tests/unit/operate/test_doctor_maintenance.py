"""The doctor names windows of maintenance that mean nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from brownout.bootstrap import doctor_services
from brownout.operate.checks import State
from brownout.operate.doctor import examine
from brownout.settings import load_settings

NOW = np.datetime64("2026-03-02", "ms")


def test_a_window_that_names_nothing_is_a_warning(write_dataset: Callable[..., Path]) -> None:
    folder = write_dataset({"a": [1.0, 2.0]}, times=["2026-03-02T00:00", "2026-03-02T00:01"], entities=["kvm1", "kvm1"])
    window = {"name": "move", "dates": ["2026-03-02"], "entities": ["kvm*", "kmv2"]}
    checks = list(
        examine(
            load_settings(dataset=folder, maintenance=[window]),
            doctor_services(),
            np.datetime64("2026-03-02", "ms"),
        )
    )
    wrong = [check for check in checks if check.about == "maintenance"]
    assert [check.state for check in wrong] == [State.WARNING]
    assert wrong[0].found == "window 'move': nothing is called kmv2"
    assert not [c for c in examine(load_settings(dataset=folder), doctor_services(), NOW) if c in wrong]
