"""Steps of more and more viewers, against consoles whose latency is a formula."""

import asyncio

import pytest
from typer.testing import CliRunner

from brownout.cli import app
from brownout.domain.errors import SettingsError
from brownout.probe.points import Point
from brownout.probe.stress import Step, StressSettings, knee, steps_to, stress
from brownout.probe.target import Target

CONSOLES = [Target(protocol="vnc", transport="tcp", host=name, port=5900) for name in ("a", "b")]


class Server:
    """Each of the sessions that are open at once adds ten milliseconds."""

    def __init__(self, *, fails_from: int = 10_000) -> None:
        self.open = 0
        self.asked: list[str] = []
        self.fails_from = fails_from

    async def probe(self, target: Target, _number: int) -> list[Point]:
        self.open += 1
        self.asked.append(target.host)
        now = self.open
        await asyncio.sleep(0.02)
        self.open -= 1
        tags = {"domain_name": target.host}
        if now >= self.fails_from:
            return [Point("handshake", "timeout", tags)]
        return [
            Point("handshake", "success", tags),
            Point("update", "success", tags, {"update_latency_ms": 10.0 * now}),
        ]


def steps_of(server: Server, **settings: float) -> list[Step]:
    told: list[Step] = []
    own = StressSettings(**{"seconds": 0.3, **settings})  # type: ignore[arg-type]
    steps = asyncio.run(stress(server.probe, CONSOLES, own, told.append))
    assert told == steps
    return steps


@pytest.mark.parametrize(("most", "steps"), [(1, [1]), (7, [1, 2, 5, 7]), (200, [1, 2, 5, 10, 20, 50, 100, 200])])
def test_steps_grow_to_the_most(most: int, steps: list[int]) -> None:
    assert steps_to(most) == steps


def test_the_knee_is_where_latency_leaves_its_limit() -> None:
    server = Server()
    steps = steps_of(server, sessions=100, limit_ms=55)
    assert [step.kept for step in steps] == [True, True, True, False, False], "two slow steps end it"
    assert knee(steps) == 5
    assert [step.sessions for step in steps] == [1, 2, 5, 10, 20]
    assert set(server.asked) == {"a", "b"}
    assert steps[0].p95_ms == 10.0


def test_connections_that_fail_are_no_fast_ones() -> None:
    steps = steps_of(Server(fails_from=3), sessions=5, limit_ms=1000)
    assert [step.kept for step in steps] == [True, True, False]
    assert steps[-1].failed > 0
    assert knee(steps) == 2
    assert knee([]) == 0


def test_nobody_elses_consoles_are_loaded_by_accident() -> None:
    result = CliRunner().invoke(app, ["lab", "stress", "vnc://127.0.0.1:1"])
    assert isinstance(result.exception, SettingsError)
    assert "--mine" in result.exception.remedy
    with pytest.raises(SettingsError):
        StressSettings(sessions=0)
