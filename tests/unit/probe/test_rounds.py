import asyncio
from collections import Counter

from brownout.probe.points import Point
from brownout.probe.probe_settings import ProbeSettings
from brownout.probe.rounds import Rounds
from brownout.probe.target import Target


def targets(number: int) -> list[Target]:
    return [Target(protocol="vnc", transport="tcp", host="h", port=1 + rank) for rank in range(number)]


class Probing:
    """Notes when each probe began and how many ran at one time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.running, self.most = seconds, 0, 0
        self.began: list[tuple[float, str, int]] = []

    async def __call__(self, target: Target, number: int) -> list[Point]:
        self.began.append((asyncio.get_running_loop().time(), target.address, number))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        return [Point("handshake", "success", {"domain_name": target.address})]


def run(settings: ProbeSettings, probing: Probing, number: int) -> list[Point]:
    got: list[Point] = []
    asyncio.run(Rounds(settings, probing, lambda: targets(number), got.extend).run())
    return got


def test_each_console_once_a_round_spread_over_the_interval() -> None:
    probing = Probing()
    got = run(ProbeSettings(interval_s=0.4, count=3, seed=1), probing, 40)
    assert len(got) == 120
    assert Counter(number for _, _, number in probing.began) == {0: 40, 1: 40, 2: 40}
    first = [at for at, _, number in probing.began if number == 0]
    assert 0.25 < max(first) - min(first) < 0.6
    halves = Counter(at - min(first) < 0.2 for at in first)
    assert halves[True] > 10
    assert halves[False] > 10


def test_never_more_at_one_time_than_allowed() -> None:
    probing = Probing(0.02)
    got = run(ProbeSettings(interval_s=0.05, count=1, concurrency=4), probing, 40)
    assert len(got) == 40
    assert probing.most == 4


def test_a_slow_console_is_not_probed_twice_at_one_time_and_holds_nobody_up() -> None:
    probing = Probing(0.35)
    run(ProbeSettings(interval_s=0.1, count=6), probing, 1)
    assert probing.most == 1
    assert len(probing.began) == 2


def test_rounds_begin_when_they_are_asked_for() -> None:
    asked = iter([True, True, False])
    probing = Probing()

    async def start() -> bool:
        return next(asked)

    settings = ProbeSettings(interval_s=0.01)
    asyncio.run(Rounds(settings, probing, lambda: targets(3), lambda _: None).run(start))
    assert len(probing.began) == 6


def test_seldom_modes_are_due_seldom_and_all_in_the_first_round() -> None:
    settings = ProbeSettings(interval_s=10.0, modes=frozenset({"handshake", "update", "full"}))
    assert [number for number in range(12) if settings.due("update", number)] == [0, 3, 6, 9]
    assert [number for number in range(12) if settings.due("full", number)] == [0, 6]
    assert not settings.due("window", 0)
    assert ProbeSettings(interval_s=60.0).due("update", 1)
