"""Counters that wrap are told from those that a restart resets."""

import pytest
from memory_database import raw

from brownout.ingest.mapping import TelegrafMapping
from brownout.operate.sources_seen import Sampled, odd_values

LIMIT = 2**32


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([LIMIT - 9e8, LIMIT - 1e6, 5e7], "bytes_recv begins anew at 2^32 (1 times in 20 min)"),
        ([2e9, 2.1e9, -2.1e9], "bytes_recv begins anew at 2^31 (1 times in 20 min)"),
        ([9.1e18, 9.2e18, -9.2e18], "bytes_recv begins anew at 2^63 (1 times in 20 min)"),
        ([1.8e19, 1.84e19, 1e9], "bytes_recv begins anew at 2^64 (1 times in 20 min)"),
        ([2e9, -1.0, 2.1e9], None),  # what some write for "unknown"
        ([4e8, 5e8, 100.0], None),  # a restart
        ([2e9, 2.1e9, 100.0], None),
        ([5e12, 6e12, 100.0], None),
        ([1.0, 2.0, 3.0], None),
    ],
)
def test_a_counter_that_falls_from_near_its_end_has_wrapped(values: list[float], said: str | None) -> None:
    found = raw([{"host": "kvm1", "interface": "eno1"}], [0, 1, 2], bytes_recv=values, bytes_sent=[1.0, 2.0, 3.0])
    sampled = Sampled("net", TelegrafMapping.load().measurements["net"], found)
    checks = [check.found for check in odd_values([sampled])]
    assert [check.partition(":")[0] for check in checks] == ([said] if said else [])
