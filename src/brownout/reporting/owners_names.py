"""What owners call their guests, as OpenStack's instance names, where a guest goes by another name."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["named", "owners_names"]

TITLE = "display_name"


def owners_names(topology: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Owner's name by id of each guest, and of each guest's console; none where the id says it already."""
    entities = list(topology)
    titles = {entity["id"]: entity.get("labels", {}).get(TITLE, "") for entity in entities}
    guests = {e["id"]: e.get("parent", "") if e.get("kind") == "console" else e["id"] for e in entities}
    title_by_id = {name: titles.get(guest, "") for name, guest in guests.items()}
    return {name: title for name, title in title_by_id.items() if title and title not in name}


def named(names: Mapping[str, str], entity: str) -> str:
    """An id, with what its owner calls it."""
    return f"{entity} ({names[entity]})" if entity in names else entity
