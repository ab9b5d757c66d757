"""Look-alikes: how often causes that nothing tells apart are taken for each other."""

from collections import Counter
from collections.abc import Mapping, Sequence

from brownout.evaluation.diagnosis_scores import Verdict

__all__ = ["groups_of", "within_groups"]

NOT_FOUND = "not found"


def groups_of(alike: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Causes that look alike, directly or by way of others; each in one group, sorted; single causes left out."""
    groups: list[set[str]] = []
    for cause, others in alike.items():
        own = {cause, *others}
        near = [group for group in groups if group & own]
        groups = [group for group in groups if not group & own] + [own.union(*near)]
    return tuple(sorted(tuple(sorted(group)) for group in groups if len(group) > 1))


def within_groups(verdicts: Sequence[Verdict], alike: Mapping[str, Sequence[str]]) -> list[dict[str, object]]:
    """For each group of look-alike causes: the number of incidents, and the first answers by true cause.

    ``exact`` is the share of the incidents answered with the very cause, ``within`` that with one of the group,
    wherever it was placed; None where the group had no incidents.
    """
    return [_within(group, [v for v in verdicts if v.truth in group]) for group in groups_of(alike)]


def _within(group: tuple[str, ...], own: Sequence[Verdict]) -> dict[str, object]:
    answers: dict[str, dict[str, int]] = {}
    for (truth, answer), count in sorted(Counter((v.truth, v.answer or NOT_FOUND) for v in own).items()):
        answers.setdefault(truth, {})[answer] = count
    return {
        "causes": list(group),
        "incidents": len(own),
        "exact": round(sum(v.answer == v.truth for v in own) / len(own), 4) if own else None,
        "within": round(sum(v.answer in group for v in own) / len(own), 4) if own else None,
        "answers": answers,
    }
