"""A slow proxy is slow for the consoles of all hosts, and is told once."""

import numpy as np

from brownout.diagnosis.incidents.shared_faults import one_for_all
from brownout.domain.findings import Cause, Diagnosis

START = np.datetime64("2026-03-02T00:00", "ms")
MINUTE = np.timedelta64(60_000, "ms")


def told(host: str, begin: int, *, cause: str = "NET-09", end: int = 200, probability: float = 0.8) -> Diagnosis:
    top = Cause(id=cause, title="", family="network", entity=f"path>{host}", probability=probability)
    return Diagnosis(
        id=host, start=START + begin * MINUTE, end=START + end * MINUTE, open=host == "c", entities=(host,),
        episodes=(f"episode {host}",), causes=(top,),
    )  # fmt: skip


def test_what_begins_at_several_hosts_at_once_is_one_fault_under_the_id_of_the_night_before() -> None:
    parts = [told("a", 0), told("b", 20, probability=0.9), told("c", 75, end=260)]
    once = one_for_all(parts, {"NET-09"}, known={"c"})
    assert {one.id for one in once.values()} == {"c"}
    whole = once["a"]
    assert (whole.start, whole.end, whole.open) == (START, START + 260 * MINUTE, True)
    assert set(whole.entities) == {"a", "b", "c"}
    assert len(whole.episodes) == 3
    assert {one.id for one in one_for_all(parts, {"NET-09"}, known=()).values()} == {"b"}


def test_what_comes_and_goes_is_one_fault_while_any_host_shows_it() -> None:
    parts = [told("a", 0, end=300), told("b", 190, end=240), told("d", 359, end=400)]
    once = one_for_all(parts, {"NET-09"}, known=())
    assert len({one.id for one in once.values()}) == 1
    assert once["d"].end == START + 400 * MINUTE


def test_what_begins_later_or_is_nothing_shared_stays_apart() -> None:
    parts = [told("a", 0, end=100), told("b", 161), told("c", 5, cause="NET-01"), told("d", 6, cause="NET-01")]
    once = one_for_all(parts, {"NET-09"}, known=())
    assert {name: one.id for name, one in once.items()} == {name: name for name in "abcd"}
    assert all(once[one.id] is one or once[one.id] == one for one in parts)
