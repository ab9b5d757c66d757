"""Told incidents of small replays against counts by hand, and against a plain loop on random ones."""

import itertools

import numpy as np
import pandas as pd
import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.truth import Incident
from brownout.evaluation.nights import Harmless, Labelled, NightTruth, Tolerance, Verdict, judge_nights, night_scores

START = np.datetime64("2026-03-02", "ms")
ROOTS = {"h1": "h1", "h1/disk": "h1", "vm1": "h1", "vm1/console": "h1", "vm2": "h1", "h2": "h2", "vm3": "h2"}
FAMILIES = {"X": "cpu", "X2": "cpu", "Y": "disk"}


def at(hours: float) -> np.datetime64:
    return START + np.timedelta64(round(hours * 3600), "s")


def label(entity: str, start: float, end: float, *, cause: str = "X", ongoing: bool = False) -> Labelled:
    incident = Incident(id=f"{entity}@{start}", group="", start=at(start), end=at(end), entity=entity, cause=cause)
    same = frozenset(["h1"] if entity == "h1/disk" else [])
    return Labelled(
        incident=incident, roots=frozenset([ROOTS[entity]]), family=FAMILIES[cause], entities=same, ongoing=ongoing
    )


def line(night: float, name: str, entity: str, start: float, **more: object) -> dict[str, object]:
    row = {"cause": "X", "probability": 0.9, "open": False, "alarmed": True, "rank": 1} | more
    return {"night": at(night), "incident": name, "entity": entity, "start": at(start)} | row


def judged(
    lines: list[dict[str, object]], labels: list[Labelled], **more: object
) -> tuple[list[str], dict[str, object]]:
    nights = more.pop("nights", ())
    truth = NightTruth(labels=labels, roots=ROOTS, families=FAMILIES, **more)
    found = judge_nights(pd.DataFrame(lines), truth, nights=nights)
    return [str(v) for v in found.lines["verdict"]], night_scores(found, guests=3, days=2)


def test_a_line_with_the_right_entity_and_cause_is_right_and_its_family_counts_where_the_cause_is_wrong() -> None:
    verdicts, scores = judged([line(24, "a", "vm1", 3)], [label("vm1", 3, 5)])
    assert verdicts == ["right"]
    assert (scores["found"], scores["told"], scores["true_share"], scores["false"]) == (1, 1, 1, 0)
    verdicts, scores = judged([line(24, "a", "vm1", 3, cause="X2")], [label("vm1", 3, 5)])
    assert verdicts == ["misnamed"]
    assert (scores["found"], scores["told"], scores["cause_right"], scores["family_right"]) == (1, 0, 0, 1)


def test_the_likeliest_of_several_causes_of_an_incident_is_what_it_tells() -> None:
    lines = [line(24, "a", "vm1", 3, cause="Y", probability=0.3), line(24, "a", "vm1", 3, probability=0.6)]
    assert judged(lines, [label("vm1", 3, 5)])[0] == ["right"]


def test_a_part_may_be_named_by_its_host_where_the_truth_says_so_and_a_neighbour_never() -> None:
    assert judged([line(24, "a", "h1", 3)], [label("h1/disk", 3, 5)])[0] == ["right"]
    assert judged([line(24, "a", "vm2", 3)], [label("vm1", 3, 5)])[0] == ["misnamed"]


def test_one_line_answers_for_one_incident_and_a_swallowed_one_is_not_found() -> None:
    both = [label("vm1", 2, 30, ongoing=True), label("h1", 9, 12)]
    verdicts, scores = judged([line(24, "a", "vm1", 2, open=True)], both)
    assert verdicts == ["right"]
    assert scores["found"] == 0.5
    verdicts, scores = judged([line(24, "a", "vm1", 2, open=True), line(24, "b", "h1", 9)], both)
    assert verdicts == ["right", "right"]
    assert scores["told"] == 1


def test_a_second_line_of_an_incident_is_extra_and_one_elsewhere_or_long_after_is_false() -> None:
    lines = [line(24, "a", "vm1", 3), line(24, "b", "vm2", 4), line(24, "c", "vm3", 3), line(24, "d", "vm1", 9)]
    verdicts, scores = judged(lines, [label("vm1", 3, 5)])
    assert verdicts == ["right", "extra", "false", "false"]
    assert scores["true_share"] == 0.25
    assert scores["false_per_guest_day"] == pytest.approx(2 / 6, abs=1e-5)


def test_a_false_incident_told_on_many_nights_counts_once() -> None:
    lines = [line(24, "a", "vm3", 3), line(48, "a", "vm3", 3, alarmed=False)]
    assert judged(lines, [])[1]["false"] == 1


def test_a_harmless_event_may_be_told_by_its_name_but_not_alarmed() -> None:
    backup = Harmless(root="h1", start=at(1), end=at(2), causes=frozenset(["Y"]))
    quiet = line(24, "a", "h1", 1, cause="Y", alarmed=False)
    verdicts, scores = judged([quiet], [], harmless=[backup])
    assert verdicts == ["harmless"]
    assert scores["false"] == 0
    for wrong in ({"alarmed": True}, {"cause": "X"}):
        assert judged([quiet | wrong], [], harmless=[backup])[0] == ["false"]


@pytest.mark.parametrize(("told", "end", "ongoing", "right"), [
    (True, 30, False, 1.0), (False, 30, False, 0.0), (True, 20, False, 0.0), (False, 20, False, 1.0),
    (True, 24, True, 1.0), (False, 24, True, 0.0), (False, 24.2, False, None),
])  # fmt: skip
def test_open_is_that_it_goes_on(told: bool, end: float, ongoing: bool, right: float | None) -> None:  # noqa: FBT001 - a table of cases
    lines = [line(24, "a", "vm1", 3, open=told)]
    assert judged(lines, [label("vm1", 3, end, ongoing=ongoing)])[1]["state_right"] == right


def test_an_incident_is_due_from_half_an_hour_after_its_start_until_a_day_after_its_end() -> None:
    limits, one = Tolerance(), label("vm1", 3, 5)
    assert [limits.due(one, at(hours)) for hours in (3.4, 3.5, 29, 29.1)] == [False, True, True, False]
    assert limits.due(label("vm1", 3, 5, ongoing=True), at(100))


def test_nights_that_told_nothing_count_against_what_was_due() -> None:
    scores = judged([line(24, "a", "vm3", 1)], [label("vm1", 25, 30)], nights=[at(24), at(48)])[1]
    assert (scores["incidents"], scores["found"], scores["told_first"]) == (1, 0, 0)


def test_identity_is_lost_by_a_new_id_and_by_an_id_that_passes_to_another_incident() -> None:
    long = [label("vm1", 3, 60)]
    assert judged([line(24, "a", "vm1", 3), line(48, "a", "vm1", 3)], long)[1]["identity_stable"] == 1
    assert judged([line(24, "a", "vm1", 3), line(48, "b", "vm1", 3)], long)[1]["identity_stable"] == 0
    passed = [line(24, "a", "vm1", 3), line(48, "a", "vm3", 30), line(72, "a", "vm3", 30)]
    assert judged(passed, [label("vm1", 3, 20), label("vm3", 30, 70)])[1]["identity_stable"] == 0


def test_the_start_error_is_that_of_the_first_night_and_what_was_never_alarmed_is_silenced() -> None:
    lines = [line(24, "a", "vm1", 3.5, alarmed=False), line(48, "a", "vm1", 3, alarmed=False)]
    scores = judged(lines, [label("vm1", 3, 50)])[1]
    assert scores["start_error_s"] == 1800
    assert scores["silenced"] == 1


def test_only_the_first_three_of_do_first_count_there() -> None:
    lines = [line(24, "a", "vm1", 3, rank=4), line(24, "b", "vm3", 3, rank=1), line(24, "c", "vm3", 9, rank=0)]
    assert judged(lines, [label("vm1", 3, 5)])[1]["first_three_true"] == 0


def test_truth_of_any_folder_takes_parts_for_their_host_and_a_console_for_its_guest() -> None:
    entities = [("h1", "host", ""), ("h1/disk", "disk", "h1"), ("vm1", "vm", "h1"), ("vm1/console", "console", "vm1")]
    topology = Topology.of([Entity(id=name, kind=kind, parent=parent) for name, kind, parent in entities])
    incidents = [
        Incident(id=name, group="", start=at(1), end=at(2), entity=name, cause="X")
        for name in ("h1", "h1/disk", "vm1", "vm1/console")
    ]
    truth = NightTruth.of(incidents, topology, families=FAMILIES, end=at(2))
    assert [sorted(own.entities) for own in truth.labels] == [[], ["h1"], ["vm1/console"], ["vm1"]]
    assert all(own.roots == {"h1"} and own.ongoing and own.family == "cpu" for own in truth.labels)


def test_lines_and_incidents_are_matched_as_the_best_of_all_assignments() -> None:
    """The oracle tries every assignment of random lines to random incidents and counts by loops."""
    rng = np.random.default_rng(5)
    names = ["h1", "h1/disk", "vm1", "vm2", "h2", "vm3"]
    for _ in range(40):
        labels = [
            label(str(rng.choice(names)), s, s + 4, cause=str(rng.choice(["X", "Y"]))) for s in rng.uniform(0, 18, 3)
        ]
        lines = [
            line(
                24,
                f"i{n}",
                str(rng.choice(names)),
                float(rng.uniform(0, 22)),
                cause=str(rng.choice(["X", "Y"])),
                rank=n,
            )
            for n in range(4)
        ]
        found = judge_nights(pd.DataFrame(lines), NightTruth(labels=labels, roots=ROOTS, families=FAMILIES))
        ours = sum(
            _worth(lines[row.line], labels[n]) for n, row in enumerate(found.pairs.itertuples()) if row.line >= 0
        )
        assert ours == pytest.approx(_best(lines, labels))
        verdicts = list(found.lines["verdict"])
        for number, told in enumerate(lines):
            related = any(_worth(told, one) > 0 or _near(told, one) for one in labels)
            assert (verdicts[number] == Verdict.FALSE) == (not related)


def _near(told: dict[str, object], one: Labelled) -> bool:
    start = told["start"]
    inside = one.incident.start - np.timedelta64(1, "h") <= start <= one.incident.end + np.timedelta64(30, "m")
    return bool(inside and ROOTS[str(told["entity"])] in one.roots)


def _worth(told: dict[str, object], one: Labelled) -> float:
    if not _near(told, one):
        return 0.0
    off = abs((told["start"] - one.incident.start) / np.timedelta64(1, "h"))
    entity = told["entity"] == one.incident.entity or told["entity"] in one.entities
    return 1 + 4 * entity + 2 * (told["cause"] == one.incident.cause) + 1 / (1 + off)


def _best(lines: list[dict[str, object]], labels: list[Labelled]) -> float:
    places = [*range(len(lines)), *[-1] * len(labels)]
    return max(
        sum(_worth(lines[place], one) for place, one in zip(chosen, labels, strict=True) if place >= 0)
        for chosen in set(itertools.permutations(places, len(labels)))
    )
