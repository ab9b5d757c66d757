"""What knowledge is made of: symptoms, evidence rules, causes."""

from dataclasses import dataclass

from brownout.domain.findings import EvidenceRole
from brownout.domain.metrics import Family, Role

__all__ = ["DIRECTIONS", "MEASURES", "PLACES", "CauseRule", "EvidenceRule", "Symptom"]

PLACES = (
    "self", "host", "disks", "interfaces", "links", "paths", "guests", "others", "any_guest", "other_guest", "guest",
    "consoles", "other_consoles", "anywhere", "elsewhere",
)  # fmt: skip
DIRECTIONS = ("up", "down", "either")
MEASURES = ("level", "apart", "surge", "early", "along", "label", "silence")


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """What can be seen in one metric, in any metric of some roles, or in a label; see ``symptoms.toml``.

    ``measure`` is what is looked at: the ``level`` against the past, or also ``apart`` from what the peers did; how
    much of what the metric ``along`` did this one did too, both in usual spreads; the
    ``surge`` beyond all of the past, or an ``early`` one; one of the ``values`` of a ``label``; or the ``silence`` of
    an entity that used to be measured. A surge of ``scale`` has a strength of 0.63.
    """

    id: str
    metric: str = ""
    role: tuple[Role, ...] = ()
    label: str = ""
    values: tuple[str, ...] = ()
    measure: str = "level"
    along: str = ""
    scale: float = 1.5
    direction: str
    low: float | None = None
    high: float | None = None
    spreads: tuple[float, float] = (3.0, 9.0)
    shape: str = ""
    says: str
    source: str

    @property
    def about(self) -> str:
        """What has to be measured to see it."""
        return self.metric or self.label or ", ".join(self.role)


@dataclass(frozen=True, kw_only=True)
class EvidenceRule:
    """A symptom at a place speaks for or against a cause, with the weight of its role or with one that was learned.

    ``weight`` is the log-odds at full strength; without a symptom it is 0.
    """

    symptom: str
    where: str
    role: EvidenceRole
    weight: float | None = None

    @property
    def name(self) -> str:
        """Symptom and place: the key of a learned weight."""
        return f"{self.symptom} {self.where}"


@dataclass(frozen=True, kw_only=True)
class CauseRule:
    """A cause with its evidence; ``kind`` is the kind of its culprit, "" for any.

    ``alike`` names causes that no evidence tells it from, ``decider`` the measurement that would.
    ``artefact`` is no fault: something that looks like one. ``alone`` are metrics that move by its nature: an episode
    that they alone have made, and that nothing known explains, is this artefact.
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
    alone: tuple[str, ...] = ()
