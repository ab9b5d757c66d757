"""Threshold rules, read from data: fixed lines with a time to hold, hysteresis and a least coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from brownout.detection.episodes.rule_measures import MEASURES, line_above_usual, measure_values
from brownout.domain.definitions import Definition, read_definitions
from brownout.domain.findings import Episode
from brownout.domain.metrics import Catalogue
from brownout.domain.panel import Panel
from brownout.numerics.arrays import Marks
from brownout.numerics.rolling import rolling_mean, rolling_sum
from brownout.numerics.slots import nearest_slots

__all__ = ["Condition", "Rule", "RuleSeverity", "RuleState", "load_rules", "rule_states", "with_rules"]

States = npt.NDArray[np.int8]


class RuleState(IntEnum):
    """State of a rule at a slot; where too little was measured it is unknown, never false."""

    UNKNOWN = -1
    FALSE = 0
    RAISED = 1


class RuleSeverity(StrEnum):
    """How serious a raised rule is."""

    INFO = "info"
    WARN = "warn"
    CRIT = "crit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a rule: ``metric op value``.

    Attributes
    ----------
    hits, of
        It must hold for at least ``hits`` of the last ``of`` samples; by default for the last one.
    measure, span_s
        What of the metric is compared, over a span of seconds: its value | rise or drop (against the least or greatest
        value of the span) | shift (against the median of the span before) | times (its usual value) | hours_left (until
        it reaches zero).
    spreads
        A value must also lie so many usual spreads above the same hour of the last seven days; where these are not
        known, the condition is unknown.
    """

    metric: str
    op: Literal["<", ">"]
    value: float
    hits: int = 1
    of: int = 1
    measure: str = "value"
    span_s: float = 0.0
    spreads: float | None = None

    @property
    def is_satisfiable(self) -> bool:
        """Whether any data could satisfy it."""
        plain = self.measure in {"value", "times"} or self.span_s > 0
        spreads = self.spreads is None or (self.op == ">" and self.measure == "value")
        return self.op in {"<", ">"} and 1 <= self.hits <= self.of and self.measure in MEASURES and plain and spreads


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: conditions that together raise it, and conditions that together clear it.

    Attributes
    ----------
    tests, for_s
        Conditions that must all hold for so many seconds to raise the rule.
    clear, clear_s
        Conditions that must all hold for so many seconds to clear it; without any it clears when the tests fail.
    window_s
        Span of the mean that the conditions compare; 0 = each sample.
    min_coverage
        Share of ``for_s`` (and of the window) that must be measured.
    where
        Labels that an entity must have, each with one of the values; for other entities the rule is unknown.
    """

    id: str
    title: str
    tests: tuple[Condition, ...]
    window_s: float = 0.0
    for_s: float = 0.0
    clear: tuple[Condition, ...] = ()
    clear_s: float = 0.0
    min_coverage: float = 0.8
    severity: RuleSeverity = RuleSeverity.WARN
    source: str = ""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Build from a TOML table; unknown keys and values are errors."""
        name = str(table.get("id", "without id"))
        return cls.from_definition(Definition(section="rules", id=name, fields=table, file=Path("rules.toml")))

    @classmethod
    def from_definition(cls, definition: Definition) -> Self:
        """Build from a table of ``rules.toml``; unknown keys and values are errors."""
        table = definition.fields
        definition.check_keys(cls.__dataclass_fields__, required=("id", "title", "tests"))
        try:
            lists = {key: tuple(Condition(**test) for test in table.get(key, ())) for key in ("tests", "clear")}
            where = {label: tuple(values) for label, values in table.get("where", {}).items()}
            severity = RuleSeverity(table.get("severity", "warn"))
            rule = cls(**{**table, **lists, "severity": severity, "where": where})
        except (TypeError, ValueError) as error:
            raise definition.error(f"cannot be read: {error}.", remedy="Correct the table.") from error
        wrong = [test for test in (*rule.tests, *rule.clear) if not test.is_satisfiable]
        if wrong or not rule.tests:
            ways = ", ".join(MEASURES)
            raise definition.error(
                f"it has no tests, or one that nothing can satisfy: {wrong}.",
                remedy=f'Give op "<" or ">", hits from 1 to of, a measure ({ways}) and its span_s.',
            )
        return rule


def load_rules(
    site: Path | None = None, *, shipped: Path | None = None, catalogue: Catalogue | None = None
) -> tuple[Rule, ...]:
    """Read ``rules.toml``: the one that ships with brownout, and a site's own over it.

    Raises KnowledgeError naming file, table and value of what is wrong: a metric that is not in the catalogue too.
    """
    known = (catalogue or Catalogue.load(site, shipped=shipped)).metrics
    rules = []
    for definition in read_definitions("rules", site=site, shipped=shipped).values():
        rule = Rule.from_definition(definition)
        for line in (*rule.tests, *rule.clear):
            if line.metric not in known:
                raise definition.unknown("metric", line.metric, known)
        if definition.enabled:
            rules.append(rule)
    return tuple(rules)


def rule_states(rule: Rule, panel: Panel) -> States | None:
    """State of a rule ``[entity, time]``, told without looking ahead; None where the panel lacks one of its metrics."""
    names = panel.metric_names
    if any(test.metric not in names for test in (*rule.tests, *rule.clear)):
        return None
    holds, covered = _hold(rule, rule.tests, rule.for_s, panel)
    cleared = _hold(rule, rule.clear, rule.clear_s, panel)[0] if rule.clear else covered & ~holds
    slots = np.arange(holds.shape[1])
    raised = np.maximum.accumulate(np.where(holds, slots, -1), axis=1)
    ended = np.maximum.accumulate(np.where(cleared & ~holds, slots, -1), axis=1)
    states = np.where(covered, RuleState.FALSE, RuleState.UNKNOWN)
    states = np.where(raised > ended, RuleState.RAISED, states)
    concerned = [all(e.labels.get(label) in values for label, values in rule.where.items()) for e in panel.entities]
    return np.where(np.array(concerned, bool)[:, None], states, RuleState.UNKNOWN).astype(np.int8)


def with_rules(episodes: Sequence[Episode], panel: Panel, rules: Sequence[Rule]) -> tuple[Episode, ...]:
    """Episodes with the rules that were raised on their entity during them; ``panel`` holds their entities."""
    row_of = {entity: row for row, entity in enumerate(panel.entity_ids)}
    rows = sorted({row_of[episode.entity] for episode in episodes})
    part = panel.select(entities=rows)
    states = {rule.id: rule_states(rule, part) for rule in rules} if rows else {}
    named = []
    for episode in episodes:
        row = rows.index(row_of[episode.entity])
        first, last = (min(max(panel.slot(time), 0), panel.values.shape[1]) for time in (episode.start, episode.end))
        raised = [
            name
            for name, state in states.items()
            if state is not None and (state[row, first:last] == RuleState.RAISED).any()
        ]
        named.append(replace(episode, rules=tuple(raised)))
    return tuple(named)


def _hold(rule: Rule, tests: Sequence[Condition], seconds: float, panel: Panel) -> tuple[Marks, Marks]:
    """Whether all conditions held over the span, and whether enough was measured to tell; both ``[entity, time]``."""
    width = nearest_slots(seconds, panel.interval_s)
    held = np.ones(panel.values.shape[:2], bool)
    covered = held.copy()
    for test in tests:
        passed, known = _passed(rule, test, panel)
        count = rolling_sum(known, width)
        failed = rolling_sum(known & ~passed, width)
        covered &= count >= rule.min_coverage * width
        held &= failed == 0
    return held & covered, covered


def _passed(rule: Rule, test: Condition, panel: Panel) -> tuple[Marks, Marks]:
    """Whether a condition holds at each slot, and whether enough was measured to tell."""
    values = panel.values[..., [panel.metric_names.index(test.metric)]]
    width = nearest_slots(rule.window_s, panel.interval_s)
    enough = rolling_sum(np.isfinite(values), width)[..., 0] >= rule.min_coverage * width
    mean = rolling_mean(values, width)[..., 0]
    shown = mean if test.measure == "value" else measure_values(test.measure, mean, panel.interval_s, test.span_s)
    known = ~np.isnan(shown) & enough
    passed = (shown > test.value) if test.op == ">" else (shown < test.value)
    if test.spreads is not None:
        line = line_above_usual(mean, panel.interval_s, test.spreads)
        known, passed = known & np.isfinite(line), passed & (mean > line)
    if test.of > 1:
        hits = rolling_sum(passed & known, test.of)
        known = rolling_sum(known, test.of) >= max(test.hits, rule.min_coverage * test.of)
        passed = hits >= test.hits
    return passed & known, known
