"""What knowledge is made of: symptoms, evidence rules, causes."""

from dataclasses import dataclass

from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Family, Role

__all__ = ["DIRECTIONS", "MEASURES", "PLACES", "SHAPES", "CauseRule", "EvidenceRule", "Symptom"]

PLACES = {
    "self": "at the suspect itself",
    "host": "on its host",
    "disks": "on the host's disks",
    "interfaces": "on the host's network interfaces",
    "links": "on the network paths to the host",
    "paths": "on the host's file systems",
    "guests": "on most guests of the host",
    "others": "on most other guests of the host",
    "any_guest": "on any guest of the host",
    "other_guest": "on any other guest of the host",
    "consoles": "on its consoles",
    "other_consoles": "on the consoles of other guests",
    "anywhere": "on any entity",
    "elsewhere": "more on another entity than here",
}
"""Where evidence can be looked for, seen from a suspected entity, with the words that a report uses."""
DIRECTIONS = ("up", "down", "either")
MEASURES = ("level", "apart", "surge", "early", "along", "label", "silence")
SHAPES = ("", "ramp")


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """What can be seen in one metric, in any metric of some roles, or in a label; see ``symptoms.toml``.

    Attributes
    ----------
    measure
        What is compared: the ``level`` with its baseline; ``apart``, also with what other entities did meanwhile;
        ``along``, the share of the movement of the metric ``along`` that this one made too, both in usual spreads;
        the ``surge`` beyond everything in the baseline, or an ``early`` surge; the value of a ``label`` with
        ``values``; the ``silence`` of a metric that used to be measured.
    scale
        The surge that has a strength of 0.63.
    low, high
        Values at which the symptom is not at all, and fully, present.
    plus
        Another metric of the entity, which counts on top of this one towards ``low`` and ``high`` as far as this one
        moved: a guest that uses all it gets would use the time, too, that it waits for a CPU.
    spreads
        Deviations, in usual spreads, at which it is not at all, and fully, present.
    load
        A resource in use: no fault without its consequence.
    described
        What has to be measured to see it, in words.
    """

    id: str
    metric: str = ""
    role: tuple[Role, ...] = ()
    label: str = ""
    values: tuple[str, ...] = ()
    measure: str = "level"
    along: str = ""
    plus: str = ""
    scale: float = 1.5
    direction: str
    low: float | None = None
    high: float | None = None
    spreads: tuple[float, float] = (3.0, 9.0)
    shape: str = ""
    says: str
    source: str
    load: bool = False
    described: str = ""

    @property
    def about(self) -> str:
        """Name of the metric, label or roles that have to be measured to see it."""
        return self.metric or self.label or ", ".join(self.role)


@dataclass(frozen=True, kw_only=True)
class EvidenceRule:
    """A symptom at a place (see ``PLACES``) speaks for or against a cause.

    Attributes
    ----------
    weight
        The log-odds at full strength that replaces the weight of the role; without the symptom it counts 0.
    later
        The consequence of a resource that is used up: as long as it is absent, it says nothing.
    if_measured
        A consequence without which there is no fault: where it is measured, its absence rules the cause out. Its
        presence is no news of this cause, and where nobody measures it, that says nothing.
    alternatives
        Further symptoms, each at a place, that show the same: the strongest of those that were measured counts.
    """

    symptom: str
    where: str
    role: EvidenceRole
    weight: float | None = None
    later: bool = False
    if_measured: bool = False
    alternatives: tuple[tuple[str, str], ...] = ()

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Symptom and place, and those of the alternatives."""
        return ((self.symptom, self.where), *self.alternatives)

    @property
    def name(self) -> str:
        """Symptoms and places: the key of a learned weight."""
        return " or ".join(f"{symptom} {where}" for symptom, where in self.parts)


@dataclass(frozen=True, kw_only=True)
class CauseRule:
    """A cause with its evidence.

    Attributes
    ----------
    kind
        Kind of the entity that can be the culprit; "" for any.
    prior
        How common it is, relative to the other causes.
    alike, decider
        Causes that no evidence tells from it, and the measurement that would.
    artefact
        True for what looks like a fault and is none.
    shared
        True for a fault of what several hosts share and no entity stands for: where it begins at several at once, it
        is one.
    alone
        Metrics that an artefact moves by its nature: an episode that they alone made, and that no cause explains, is
        this artefact.
    """

    id: str
    title: str
    family: Family
    kind: str
    prior: float
    evidence: tuple[EvidenceRule, ...]
    alike: tuple[str, ...] = ()
    decider: str = ""
    artefact: bool = False
    shared: bool = False
    alone: tuple[str, ...] = ()
