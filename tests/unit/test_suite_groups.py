"""The suite's own order: tests that share a fixture run in one process."""

import pytest


def test_a_file_of_tests_runs_in_one_process(request: pytest.FixtureRequest) -> None:
    """Where pytest and pytest-xdist do not fit together, every group is torn and the demo is made twice."""
    group = request.node.get_closest_marker("xdist_group")
    assert group.args == ("tests/unit/test_suite_groups.py",)
    if hasattr(request.config, "workerinput") and request.config.getvalue("loadgroup"):
        assert request.node.nodeid.endswith(f"@{group.args[0]}")
