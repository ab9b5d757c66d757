"""Servers that several suites share."""

import shutil
from collections.abc import Iterator

import pytest
from influx import HOW_TO_GET_IT, Influx, influxd


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """A real InfluxDB 1.x."""
    if shutil.which("influxd") is None:
        pytest.skip(HOW_TO_GET_IT)
    with influxd(tmp_path_factory.mktemp("influxdb")) as server:
        yield server
