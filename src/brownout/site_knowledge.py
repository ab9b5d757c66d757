"""All that brownout knows as data, read once: what ships, and a site's own folder over it.

The folder is named by the settings key ``knowledge``. Its files ``catalogue.toml``, ``rules.toml``, ``symptoms.toml``,
``causes.toml``, ``learned.toml``, ``remedies.toml`` and ``review.toml`` have the form of those in ``models/``; all are
optional.
"""

from dataclasses import dataclass
from pathlib import Path

from brownout.detection.episodes.threshold_rules import Rule, load_rules
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.definitions import read_definitions
from brownout.domain.metrics import Catalogue
from brownout.evaluation.review_rules import ReviewRule, load_review_rules
from brownout.planning.remedies import Remedies

__all__ = ["Definitions", "load_definitions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Metrics, threshold rules, symptoms with causes, and remedies, which fit together; rules for reviewing models."""

    catalogue: Catalogue
    rules: tuple[Rule, ...]
    knowledge: Knowledge
    remedies: Remedies
    review: tuple[ReviewRule, ...] = ()


def load_definitions(site: Path | None = None, *, shipped: Path | None = None) -> Definitions:
    """Read and check everything; raises KnowledgeError naming file, table and value of what is wrong.

    ``shipped`` replaces the folder of the definitions that come with brownout.
    """
    catalogue = Catalogue.load(site, shipped=shipped)
    knowledge = Knowledge.load(site, shipped=shipped, catalogue=catalogue)
    remedies = Remedies.load(site, shipped=shipped, catalogue=catalogue)
    remedies.check_ids(read_definitions("causes", site=site, shipped=shipped))
    return Definitions(
        catalogue=catalogue,
        rules=load_rules(site, shipped=shipped, catalogue=catalogue),
        knowledge=knowledge,
        remedies=remedies,
        review=load_review_rules(site, shipped=shipped),
    )
