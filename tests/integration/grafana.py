"""The Grafana dashboards of examples/grafana, as tests read them."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["EXAMPLES", "boards", "builder", "filled", "targets"]

EXAMPLES = Path(__file__).parents[2] / "examples" / "grafana"


def builder() -> Any:
    """The script that writes them."""
    spec = importlib.util.spec_from_file_location("build", EXAMPLES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def boards(generation: str) -> Iterator[dict[str, Any]]:
    """The dashboards for a generation of InfluxDB."""
    for path in sorted((EXAMPLES / "dashboards" / generation).glob("*.json")):
        yield json.loads(path.read_text())


def targets(generation: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every query of every panel, and where it stands."""
    for board in boards(generation):
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{board['title']}, {panel['title']}, {target['refId']}", target


def filled(query: str, variables: dict[str, str]) -> str:
    """A query with its variables as Grafana would fill them in."""

    def value(match: re.Match[str]) -> str:
        name, quotes = match.groups()
        mark = {"singlequote": "'", "doublequote": '"'}[quotes]
        return mark + variables[name].replace("\\", "\\\\").replace(mark, f"\\{mark}") + mark

    query = re.sub(r"\$\{(\w+):(\w+)\}", value, query)
    return query.replace("$timeFilter", "time > now() - 3d AND time < now() + 1d").replace("$__interval", "10m")
