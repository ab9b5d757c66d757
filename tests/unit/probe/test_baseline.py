import pytest

from brownout.probe.baseline import Baseline
from brownout.probe.points import Point


def points(console: str, latencies: list[float | None], mode: str = "update") -> list[Point]:
    made = []
    for value in latencies:
        made.append(Point("handshake", "success" if value else "timeout", {"domain_name": console}))
        if mode == "update" and value:
            made.append(Point("update", "success", {"domain_name": console}, {"update_latency_ms": value}))
    return made


@pytest.mark.parametrize(
    ("latencies", "mean", "accepted"),
    [
        ([100.0] * 60, 100.0, True),
        ([100.0] * 48 + [None] * 12, 100.0, True),
        ([100.0] * 47 + [None] * 13, 100.0, False),
        ([149.0, 151.0] * 30, 150.0, False),
        ([149.0, 150.0] * 30, 149.5, True),
        ([None] * 60, None, False),
    ],
)
def test_the_verdict_is_that_of_the_rule(latencies: list[float | None], mean: float | None, accepted: bool) -> None:  # noqa: FBT001
    baseline = Baseline()
    baseline.add(points("vm01", latencies))
    (verdict,) = baseline.verdicts()
    assert verdict.accepted is accepted
    assert verdict.mean_ms == (None if mean is None else pytest.approx(mean))


def test_where_no_session_may_be_opened_the_mean_is_of_opening() -> None:
    baseline = Baseline()
    fields: dict[str, float | int | str] = {"tcp_connect_ms": 1.0, "negotiate_ms": 12.0, "update_latency_ms": 999.0}
    baseline.add([Point("handshake", "success", {"domain_name": "vm02"}, fields)])
    (verdict,) = baseline.verdicts()
    assert (verdict.stage, verdict.mean_ms, verdict.accepted) == ("open", 13.0, True)
