"""Names of guests and hosts for people: what their labels call them, else their id."""

from brownout.domain.entities import Topology

__all__ = ["NAME_LABELS", "name_of"]

NAME_LABELS = ("hostname", "domain_name", "name")


def name_of(topology: Topology, entity: str) -> str:
    """The name of an entity; its id where nothing says."""
    labels = topology[entity].labels
    return next((labels[label] for label in NAME_LABELS if labels.get(label)), entity)
