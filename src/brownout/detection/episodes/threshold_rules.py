"""Threshold rules: fixed lines with a span to hold, hysteresis and coverage, read from data, evaluated vectorised."""

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
    """What a rule says about a slot: what was not measured well enough is unknown, never false."""

    UNKNOWN = -1
    FALSE = 0
    RAISED = 1


class RuleSeverity(StrEnum):
    """How loudly a rule speaks."""

    INFO = "info"
    WARN = "warn"
    CRIT = "crit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A line: ``metric op value``; with ``hits`` at least so many of the last ``of`` samples present, else the last.

    ``measure`` says what of the metric is compared, over ``span_s`` seconds: value | rise | drop (against the least,
    the greatest of the span) | shift (against its median before) | times (its usual) | hours_left (until zero). With
    ``spreads`` a value must also lie so many usual spreads above the same hour of the last seven days; where those are
    not known the test is unknown.
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
    def can_be_meant(self) -> bool:
        """Whether anything could satisfy it."""
        plain = self.measure in {"value", "times"} or self.span_s > 0
        own = self.spreads is None or (self.op == ">" and self.measure == "value")
        return self.op in {"<", ">"} and 1 <= self.hits <= self.of and self.measure in MEASURES and plain and own


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Tests that must all hold over ``for_s`` seconds, and tests that must all hold over ``clear_s`` to end it.

    ``window_s`` is the span of the mean that tests look at (0 = the sample); ``min_coverage`` the share of ``for_s``
    (and of the window) that must be measured. ``where`` are labels that an entity must have, each with one of the
    values: for others the rule is unknown.
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
        wrong = [test for test in (*rule.tests, *rule.clear) if not test.can_be_meant]
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
    """State of a rule ``[entity, time]``; None where the panel lacks one of its metrics. Looks back only."""
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
    meant = [all(e.labels.get(label) in values for label, values in rule.where.items()) for e in panel.entities]
    return np.where(np.array(meant, bool)[:, None], states, RuleState.UNKNOWN).astype(np.int8)


def with_rules(found: Sequence[Episode], panel: Panel, rules: Sequence[Rule]) -> tuple[Episode, ...]:
    """Episodes with the rules that were raised on their entity within; ``panel`` holds their entities."""
    places = {entity: row for row, entity in enumerate(panel.entity_ids)}
    rows = sorted({places[episode.entity] for episode in found})
    part = panel.select(entities=rows)
    states = {rule.id: rule_states(rule, part) for rule in rules} if rows else {}
    named = []
    for episode in found:
        row = rows.index(places[episode.entity])
        first, last = (min(max(panel.slot(time), 0), panel.values.shape[1]) for time in (episode.start, episode.end))
        raised = [
            name
            for name, state in states.items()
            if state is not None and (state[row, first:last] == RuleState.RAISED).any()
        ]
        named.append(replace(episode, rules=tuple(raised)))
    return tuple(named)


def _hold(rule: Rule, tests: Sequence[Condition], seconds: float, panel: Panel) -> tuple[Marks, Marks]:
    """Whether all tests held over the span, and whether enough of it was measured; both ``[entity, time]``."""
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
    """Whether a test is satisfied at each slot, and whether there was enough to tell."""
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
