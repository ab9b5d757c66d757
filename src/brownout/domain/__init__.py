"""The words of the problem: panels, metrics, entities, results and errors. Imports nothing else of brownout.

``panel``, ``metrics``, ``entities``
    Measurements of many entities on one time axis, what they mean, and how entities belong together.
``forecasts``, ``exceedance``
    Quantile forecasts, and the chance to cross a limit.
``findings``, ``verdicts``, ``night``
    What a night finds, what people say about it, and all of a night together.
``calendar``, ``repairs``, ``similarity``, ``truth``
    Windows of maintenance, counted repairs of data, similar entities, and labels for evaluations.
``ports``
    What the stages need from outside.
"""

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.errors import BrownoutError
from brownout.domain.metrics import Catalogue, Family, Metric, Role, Worse, shipped_catalogue
from brownout.domain.panel import Panel, as_time

__all__ = [
    "BrownoutError",
    "Catalogue",
    "Entity",
    "EntityKind",
    "Family",
    "Metric",
    "Panel",
    "Role",
    "Topology",
    "Worse",
    "as_time",
    "shipped_catalogue",
]
