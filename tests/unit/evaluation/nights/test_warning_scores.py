"""Warnings of small replays against counts by hand, and against a plain loop on random ones."""

import numpy as np
import pandas as pd
import pytest

from brownout.evaluation.nights import Crossing, Replay, warning_scores

START = np.datetime64("2026-03-02", "ms")
DAY = np.timedelta64(24, "h")
NIGHTS = START + DAY * np.arange(3, 7)
SERIES = [(entity, metric) for entity in ("vm1", "vm2") for metric in ("m", "n")]


def at(hours: float) -> np.datetime64:
    return START + np.timedelta64(round(hours * 3600), "s")


def crossing(
    entity: str, time: float, *, hours: float = 2, since: float | None = None, brief: bool = False
) -> Crossing:
    foreseen = None if since is None else at(since)
    return Crossing(entity=entity, metric="m", time=at(time), until=at(time + hours), since=foreseen, brief=brief)


def warning(
    night: int, entity: str, probability: float = 0.8, span: tuple[float, float] = (0, 24)
) -> dict[str, object]:
    first = NIGHTS[night]
    times = [first + np.timedelta64(round(3600 * hours), "s") for hours in (span[0], sum(span) / 2, span[1])]
    row = {"night": first, "entity": entity, "metric": "m", "limit": 90.0, "probability": probability}
    return row | dict(zip(("earliest", "likely", "latest"), times, strict=True))


def scores(lines: list[dict[str, object]], crossings: list[Crossing]) -> dict[str, object]:
    columns = ["night", "entity", "metric", "limit", "probability", "earliest", "likely", "latest"]
    replay = Replay(nights=NIGHTS, horizon=DAY, watched=SERIES, start=START, guests=2)
    return warning_scores(pd.DataFrame(lines, columns=columns), crossings, replay)["overall"]


def test_a_warning_is_true_when_the_limit_is_crossed_within_the_horizon_and_false_later() -> None:
    found = scores([warning(0, "vm1"), warning(0, "vm2")], [crossing("vm1", 72 + 5), crossing("vm2", 72 + 25)])
    assert (found["warnings"], found["false"], found["precision"]) == (2, 1, 0.5)
    assert found["recall"] == 0.5
    assert found["lead_s"] == 5 * 3600
    assert found["false_per_guest_day"] == pytest.approx(1 / 8, abs=1e-5)


def test_a_warning_of_what_is_crossed_already_counts_neither_way() -> None:
    found = scores([warning(0, "vm1")], [crossing("vm1", 70, hours=8)])
    assert (found["warnings"], found["precision"]) == (0, None)


def test_a_crossing_that_every_night_before_found_crossed_already_is_not_asked_for() -> None:
    assert scores([], [crossing("vm1", 70, hours=4), crossing("vm1", 80)])["crossings"] == 0
    assert scores([], [crossing("vm1", 70, hours=1), crossing("vm1", 80)])["crossings"] == 1


def test_a_brief_crossing_needs_no_warning_but_excuses_one() -> None:
    found = scores([warning(0, "vm1")], [crossing("vm1", 80, brief=True)])
    assert (found["false"], found["crossings"], found["recall"]) == (0, 0, None)


def test_what_no_night_could_foresee_is_not_asked_for_where_the_foreseeable_are() -> None:
    found = scores([], [crossing("vm1", 80), crossing("vm2", 82, since=50), crossing("vm1", 130, since=125)])
    assert found["crossings"] == 3
    assert found["recall_foreseeable"] == 0
    found = scores([warning(0, "vm2")], [crossing("vm1", 80), crossing("vm2", 82, since=50)])
    assert (found["recall"], found["recall_foreseeable"]) == (0.5, 1)


def test_the_date_must_lie_between_earliest_and_latest() -> None:
    assert scores([warning(0, "vm1", span=(4, 6))], [crossing("vm1", 77)])["dates_inside"] == 1
    assert scores([warning(0, "vm1", span=(6, 9))], [crossing("vm1", 77)])["dates_inside"] == 0


def test_a_warning_taken_back_and_given_again_is_a_flap_unless_it_came_true_in_between() -> None:
    again = [warning(0, "vm1"), warning(1, "vm1", 0.1), warning(2, "vm1")]
    assert scores(again, [])["flaps"] == 1
    assert scores(again, [crossing("vm1", 72 + 20)])["flaps"] == 0
    assert scores([warning(0, "vm1"), warning(1, "vm1")], [])["flaps"] == 0


def test_skill_is_one_for_a_prophet_and_negative_for_one_who_always_cries() -> None:
    truth = [crossing("vm1", 72 + 5), crossing("vm2", 120 + 5)]
    assert scores([warning(0, "vm1", 1.0), warning(2, "vm2", 1.0)], truth)["brier_skill"] == 1
    assert scores([warning(n, entity, 1.0) for n in range(4) for entity in ("vm1", "vm2")], truth)["brier_skill"] < 0


def test_all_counts_agree_with_a_plain_loop_on_random_replays() -> None:
    rng = np.random.default_rng(8)
    for _ in range(30):
        lines = [
            warning(night, entity, float(rng.random()), (float(rng.uniform(0, 12)), float(rng.uniform(12, 30))))
            for night in range(4) for entity in ("vm1", "vm2") if rng.random() < 0.7
        ]  # fmt: skip
        crossings = [
            crossing(
                str(rng.choice(["vm1", "vm2"])),
                float(t),
                hours=float(rng.uniform(1, 9)),
                brief=bool(rng.random() < 0.3),
            )
            for t in rng.uniform(0, 180, rng.integers(0, 6))
        ]
        assert scores(lines, crossings) == pytest.approx(_loop(lines, crossings), nan_ok=True, abs=1e-4)


def _loop(lines: list[dict[str, object]], crossings: list[Crossing]) -> dict[str, object]:
    given = {(line["entity"], line["metric"], line["night"]): line for line in lines}
    ordered = sorted(crossings, key=lambda one: one.time)
    true = false = inside = flaps = 0
    loss = naive = 0.0
    warned: dict[tuple[str, str], list[np.datetime64]] = {}
    for series in SERIES:
        own = [one for one in ordered if (one.entity, one.metric) == series]
        before = "never"
        for number, night in enumerate(NIGHTS):
            line = given.get((*series, night))
            chance = 0.0 if line is None else float(line["probability"])
            next_ones = [one for one in own if night < one.time <= night + DAY]
            beyond = any(one.time <= night <= one.until for one in own)
            since = NIGHTS[number - 1] if number else night
            if beyond or any(since < one.time <= night for one in own):
                before = "never"
            elif chance >= 0.5:
                flaps += before == "gone"
                before = "on"
            elif before == "on":
                before = "gone"
            if beyond:
                continue
            loss += (chance - bool(next_ones)) ** 2
            naive += (_rate(ordered, series[1], night) - bool(next_ones)) ** 2
            if chance >= 0.5:
                warned.setdefault(series, []).append(night)
                true += bool(next_ones)
                false += not next_ones
                inside += bool(next_ones) and line["earliest"] <= next_ones[0].time <= line["latest"]
    asked = [one for one in ordered if not one.brief and any(_asks(n, one, ordered) for n in NIGHTS)]
    leads = []
    for one in asked:
        good = [night for night in warned.get((one.entity, one.metric), []) if night < one.time <= night + DAY]
        if good:
            leads.append((one.time - min(good)) / np.timedelta64(1, "s"))
    return {
        "warnings": true + false, "false": false, "precision": true / (true + false) if true + false else None,
        "crossings": len(asked), "recall": len(leads) / len(asked) if asked else None, "recall_foreseeable": None,
        "lead_s": float(np.median(leads)) if leads else None, "dates_inside": inside / true if true else None,
        "false_per_guest_day": round(false / 8, 5), "flaps": flaps, "brier_skill": 1 - loss / naive if naive else None,
    }  # fmt: skip


def _asks(night: np.datetime64, one: Crossing, crossings: list[Crossing]) -> bool:
    own = [c for c in crossings if (c.entity, c.metric) == (one.entity, one.metric)]
    return bool(night < one.time <= night + DAY) and not any(c.time <= night <= c.until for c in own)


def _rate(crossings: list[Crossing], metric: str, night: np.datetime64) -> float:
    windows = int((night - START) / DAY)
    hit = 0
    for entity in ("vm1", "vm2"):
        for back in range(windows):
            first, last = night - DAY * (back + 1), night - DAY * back
            hit += any((one.entity, one.metric) == (entity, metric) and first < one.time <= last for one in crossings)
    return (hit + 0.5) / (2 * windows + 1)
