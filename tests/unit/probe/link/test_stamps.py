import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.probe.link.stamps import Stopwatch

times = st.floats(0.0, 1.0)


@given(st.lists(st.tuples(times, times, times), min_size=1, max_size=20))
def test_the_probes_own_lateness_leaves_no_trace(exchanges: list[tuple[float, float, float]]) -> None:
    """Whatever the probe adds before it looks and before it answers, the sum of the server's answers is told."""
    now = 100.0
    watch = Stopwatch(now, answered=False)
    told, true = watch.reads(now), 0.0
    for server, late, slow in exchanges:
        watch.sent(now)
        came = now + server
        true += server
        told = watch.arrived(came + late, late)
        now = came + late + slow
    assert told - 100.0 == pytest.approx(true, abs=1e-6)


def test_what_comes_in_pieces_is_waited_for_as_a_whole() -> None:
    watch = Stopwatch(10.0, answered=False)
    watch.sent(11.0)
    assert watch.arrived(12.0, 0.0) == pytest.approx(11.0)
    assert watch.arrived(13.0, 0.0) == pytest.approx(12.0)


@pytest.mark.parametrize("late", [-3600.0, 3600.0])
def test_a_clock_that_is_set_meanwhile_is_not_believed(late: float) -> None:
    watch = Stopwatch(10.0)
    assert watch.arrived(10.5, late) == 10.5
