"""The models of an output folder under review, as pandas frames: verdicts, tests on the same windows, decisions."""

from collections.abc import Sequence

import pandas as pd

from brownout.api.night_frames import named_frame
from brownout.nightly.effects.champions import challenger_of, facts_of
from brownout.operate.review import ModelState
from brownout.store.workspace import Workspace

__all__ = ["comparison_frame", "criteria_frame", "decision_frame"]


def criteria_frame(states: Sequence[ModelState]) -> pd.DataFrame:
    """What each rule says of the models that wait, those that failed first."""
    rows = [
        (state.model, check.title, check.of, check.champion, check.challenger, check.passed, check.why)
        for state in states
        for check in sorted(state.verdict.checks if state.verdict else (), key=lambda one: one.passed)
    ]
    return named_frame(rows, ("model", "criterion", "of", "champion", "challenger", "passed", "why"), flags=("passed",))


def comparison_frame(workspace: Workspace) -> pd.DataFrame:
    """Paired tests over entities of the newest model of each kind: the one that waits, or else the one in use."""
    rows = []
    for folder in (workspace.forecaster, workspace.detector):
        waits = challenger_of(folder).is_dir()
        facts = facts_of(challenger_of(folder) if waits else folder)
        tests = facts.comparison.tests if facts is not None and facts.comparison is not None else ()
        rows += [
            (
                *(folder.name, "waits" if waits else "in use", test.family, test.against, test.entities),
                *(test.ratio, test.low, test.high, test.p_worse, test.p_better),
            )
            for test in tests
        ]
    columns = ("model", "state", "resource", "against", "entities", "ratio", "low", "high", "p_worse", "p_better")
    return named_frame(rows, columns)


def decision_frame(states: Sequence[ModelState]) -> pd.DataFrame:
    """Which model was put in use or away when, why and by whom, the oldest first."""
    rows = [
        (state.model, one.at, one.outcome.value, one.by, one.reason, one.uri, one.trained_from, one.trained_to)
        for state in states
        for one in state.decisions
    ]
    columns = ("model", "at", "outcome", "by", "reason", "uri", "trained_from", "trained_to")
    return named_frame(rows, columns, times=("at", "trained_from", "trained_to"))
