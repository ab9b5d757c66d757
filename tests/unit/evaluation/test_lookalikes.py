"""Look-alikes: which causes belong together, and what was answered for them."""

from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.evaluation.diagnosis_scores import Verdict
from brownout.evaluation.lookalikes import groups_of, within_groups


def verdict(truth: str, answer: str) -> Verdict:
    right = 1 if truth == answer else None
    return Verdict(both=right, entity=1, cause=right, family=1, unknown=answer == "unknown", truth=truth, answer=answer)


def test_causes_belong_together_by_way_of_others_and_single_ones_to_no_group() -> None:
    alike = {"d": ("c",), "a": ("b",), "b": (), "c": ("b",), "e": (), "x": ("y",)}
    assert groups_of(alike) == (("a", "b", "c", "d"), ("x", "y"))


def test_the_shipped_knowledge_has_its_groups() -> None:
    alike = {rule.id: rule.alike for rule in Knowledge.load().causes.values()}
    assert ("CONT-04", "HW-03") in groups_of(alike)
    assert all(name in alike for group in groups_of(alike) for name in group)


def test_confusion_within_a_group_is_counted_cause_by_cause() -> None:
    found = [
        verdict("a", "a"), verdict("a", "b"), verdict("a", "b"), verdict("b", "z"), verdict("b", "unknown"),
        verdict("b", ""), verdict("z", "a"),
    ]  # fmt: skip
    (group,) = within_groups(found, {"a": ("b",), "b": ("a",), "z": ()})
    assert group["incidents"] == 6
    assert group["answers"] == {"a": {"a": 1, "b": 2}, "b": {"not found": 1, "unknown": 1, "z": 1}}
    assert (group["exact"], group["within"]) == (0.1667, 0.5)


def test_a_group_without_incidents_has_no_shares() -> None:
    (group,) = within_groups([verdict("z", "a")], {"a": ("b",)})
    assert (group["incidents"], group["exact"], group["within"], group["answers"]) == (0, None, None, {})
