"""What the page's script works with: every entity in short, so that a page about any of them can be made on demand."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from brownout.domain.findings.experience import band_of
from brownout.reporting.anchors import anchor
from brownout.reporting.messages import Messages
from brownout.reporting.owners_names import owners_names

__all__ = ["page_data", "safe_json"]

STATUS = ("incident", "slow", "exceeded", "probable", "silent", "over", "possible", "later", "fine")
"""The worst first."""
SCRIPT_WORDS = (
    "measured", "forecast", "naive", "now", "usual", "busy", "limit", "time", "value", "copy", "copied", "show more",
    "rows", "of", "Search", "Filter", "All", "Back", "Console latency", "Levels", "Limits", "Incidents", "What to do",
    "Belongs to", "Below it", "Resource", "Probability", "Earliest", "Latest", "Nothing is known about it.", "local",
    "Table", "Kind", "Status", "Name", "What", "When", "Latency", "probability", "Nothing found.", "host", "vm",
    "Experience", "Score", "typing", "scrolling", "video", "network", "hypervisor", "guest", "picture", "good", "fair",
    "poor", "console", "disk", "path", "interface", "link", "entity", *STATUS,
)  # fmt: skip
"""Texts of the script, which finds them in the data of the page."""
PLAIN = {"vm": "guest", "path": "file system", "link": "network path", "slow": "too slow", "exceeded": "beyond limit"}
"""Names of statuses and kinds on an English page."""


def page_data(data: Mapping[str, Any], say: Messages) -> dict[str, Any]:
    """Entities, their levels, limits, incidents and actions, and all charts, from what ``report.json`` holds."""
    names = [entity["id"] for entity in data["topology"]]
    index = {name: number for number, name in enumerate(names)}
    metrics = {
        name: [say(metric.get("title") or name), metric.get("unit", "")] for name, metric in data["metrics"].items()
    }
    return {
        "language": say.language,
        "end": data["window"]["end"],
        "words": {word: say(word) if say.table else PLAIN.get(word, word) for word in SCRIPT_WORDS},
        "metrics": metrics,
        "entities": _entities(data, index, say),
        "called": {index[name]: title for name, title in owners_names(data["topology"]).items()},
        "levels": _by_entity(index, data["levels"], ("metric", "now", "usual", "busy", "limit")),
        "breaches": _by_entity(
            index,
            _with_shown_chances(data),
            ("metric", "now", "limit", "probability", "earliest", "latest", "outlook", "link"),
        ),
        "incidents": [_incident(incident, index, say) for incident in data["incidents"]],
        "actions": [
            [action["link"], say(action["title"]), index.get(action["entity"], -1)]
            for action in (*data["first"], *data["actions"])
        ],
        "histories": {
            index[history["console"]]: [history["start"], history["step_s"], history["values"]]
            for history in data["histories"]
            if history["console"] in index
        },
        "experiences": {
            index[service["console"]]: _experience(service["experience"])
            for service in data["services"]
            if service["console"] in index and service["experience"]["score"] is not None
        },
        "latencyLimit": (data["latency"] or {}).get("limit"),
        "charts": {chart["id"]: chart for chart in _charts(data)},
    }


def _entities(data: Mapping[str, Any], index: Mapping[str, int], say: Messages) -> list[list[Any]]:
    """Of each entity its anchor, id, kind, the index of its parent, what is worst about it, and its latency now."""
    worst = _worst(data, say)
    levels = {console["entity"]: console["now"] for console in data["consoles"]}
    return [
        [
            anchor("e", entity["id"]),
            entity["id"],
            entity.get("kind", "entity"),
            index.get(entity.get("parent", ""), -1),
            *worst.get(entity["id"], ("fine", "", None, None, None)),
            levels.get(entity["id"]),
        ]
        for entity in data["topology"]
    ]


def _incident(incident: Mapping[str, Any], index: Mapping[str, int], say: Messages) -> list[Any]:
    top = incident["causes"][0]
    touched = sorted({index[name] for name in _touched(incident) if name in index})
    times = incident["start"], incident["end"]
    return [incident["id"], say(top["title"]), incident["open"], *times, top["probability"], touched]


def _experience(felt: Mapping[str, Any]) -> list[Any]:
    """Score and band, the scores of the tasks, and the milliseconds of each part of the way."""
    parts = ("typing", "scrolling", "video", "network_ms", "hypervisor_ms", "guest_ms", "encoder_ms")
    return [felt["score"], band_of(felt["score"]), *(felt[name] for name in parts)]


def safe_json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _charts(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from data["forecasts"]
    for incident in data["incidents"]:
        yield from incident["charts"]
    if data["latency"] is not None:
        yield data["latency"]


def _by_entity(index: Mapping[str, int], rows: list[Any], keys: tuple[str, ...]) -> dict[int, list[list[Any]]]:
    table: dict[int, list[list[Any]]] = defaultdict(list)
    for row in rows:
        if row["entity"] in index:
            table[index[row["entity"]]].append([row[key] for key in keys])
    return dict(table)


def _touched(incident: Mapping[str, Any]) -> set[str]:
    """Entities that an incident is about: those that were abnormal, and the culprit."""
    return {*incident["entities"], incident["causes"][0]["entity"]} - {""}


def _with_shown_chances(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Breaches with the chances that people are shown, None for the others."""
    return [{**breach, "probability": breach["probability"] if breach["told"] else None} for breach in data["breaches"]]


def _worst(data: Mapping[str, Any], say: Messages) -> dict[str, tuple[Any, ...]]:
    """The worst finding of each entity: status, text, probability, and its begin and end."""
    worst: dict[str, tuple[Any, ...]] = {}
    for name, *rest in _troubles(data, say):
        if name not in worst or STATUS.index(rest[0]) < STATUS.index(worst[name][0]):
            worst[name] = tuple(rest)
    return worst


def _troubles(data: Mapping[str, Any], say: Messages) -> Iterator[tuple[Any, ...]]:
    for incident in data["incidents"]:
        top = incident["causes"][0]
        status = "incident" if incident["open"] else "over"
        for name in _touched(incident):
            yield name, status, say(top["title"]), top["probability"], incident["start"], incident["end"]
    for console in data["consoles"]:
        if console["exceeded"]:
            yield console["entity"], "slow", say(console["title"]), None, None, None
    for breach in _with_shown_chances(data):
        times = breach["earliest"], breach["latest"]
        yield breach["entity"], breach["outlook"], say(breach["title"]), breach["probability"], *times
    for name in data["quality"]["silent"]:
        yield name, "silent", say("no data in the window"), None, None, None
