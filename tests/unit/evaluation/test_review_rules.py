"""Review rules: what lets a challenger pass, and what is refused when the rules are read."""

from pathlib import Path

import pytest

from brownout.domain.errors import KnowledgeError
from brownout.evaluation.review_rules import judge, load_review_rules

RULES = load_review_rules()
CHAMPION = {"all.crps": 0.6, "all.mase": 0.7, "all.coverage": 0.8, "cpu.crps": 0.5}


def passed(**changed: float) -> bool:
    challenger = CHAMPION | {key.replace("_", ".", 1): value for key, value in changed.items()}
    return judge(RULES, "forecaster", champion=CHAMPION, challenger=challenger).passed


def test_the_same_model_passes() -> None:
    assert passed()


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"all_crps": 0.61}, True),
        ({"all_crps": 0.63}, False),
        ({"all_crps": 0.2}, True),
        ({"all_coverage": 0.76}, False),
        ({"all_coverage": 0.84}, False),
        ({"all_coverage": 0.82}, True),
        ({"cpu_crps": 0.64}, True),
        ({"cpu_crps": 0.66}, False),
        ({"disk_crps": 9.0}, True),  # the champion does not know it: nothing to compare
    ],
)
def test_tolerances_are_in_units_of_the_score(changed: dict[str, float], *, wanted: bool) -> None:
    assert passed(**changed) is wanted


def test_a_limit_holds_whatever_the_champion_is() -> None:
    bad = CHAMPION | {"all.crps": 1.5}
    verdict = judge(RULES, "forecaster", champion=bad, challenger=bad)
    assert not verdict.passed
    assert "limit of 1" in verdict.reason
    assert not judge(RULES, "forecaster", champion={}, challenger={"all.crps": 1.01}).passed
    assert judge(RULES, "forecaster", champion={}, challenger={"all.crps": 0.99}).passed


def test_a_score_that_only_the_champion_has_does_not_pass() -> None:
    verdict = judge(RULES, "forecaster", champion=CHAMPION, challenger={"cpu.crps": 0.5})
    assert not verdict.passed
    assert "no such score" in verdict.reason


def test_where_nothing_can_be_compared_nothing_passes() -> None:
    verdict = judge(RULES, "forecaster", champion={}, challenger={})
    assert (verdict.passed, verdict.checks) == (False, ())
    assert "no rule" in verdict.reason


def test_a_detector_that_alarms_more_often_does_not_pass() -> None:
    def detector(rate: float) -> bool:
        return judge(
            RULES, "detector", champion={"vm.alarms_per_day": 0.1}, challenger={"vm.alarms_per_day": rate}
        ).passed

    assert detector(0.15)
    assert not detector(0.3)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('score = "crpss"', "Did you mean 'crps'"),
        ('model = "forcaster"', "Did you mean 'forecaster'"),
        ('better = "smaller"', "unknown better 'smaller'"),
        ("tolerence = 0.1", "unknown key 'tolerence'"),
        ("tolerance = -1", "tolerance is -1"),
        ('limit = "one"', "limit is 'one'"),
        ("target = 0.5", "target and better do not fit"),
    ],
)
def test_what_is_wrong_in_a_sites_rules_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "review.toml").write_text(f'[[review]]\nid = "crps"\n{line}\n')
    with pytest.raises(KnowledgeError, match=r"review\.toml") as caught:
        load_review_rules(tmp_path)
    assert said in str(caught.value)


def test_a_site_changes_and_takes_out_rules(tmp_path: Path) -> None:
    text = '[[review]]\nid = "crps"\ntolerance = 0.5\n[[review]]\nid = "mase"\nenabled = false\n'
    (tmp_path / "review.toml").write_text(text)
    rules = {rule.id: rule for rule in load_review_rules(tmp_path)}
    assert rules["crps"].tolerance == 0.5
    assert "mase" not in rules
