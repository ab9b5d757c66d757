"""Coverage of a database: what the mapping can make of what is there, and which causes go without the rest."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import which

from brownout.diagnosis.knowledge.cause_coverage import losses
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.ingest.mapping import MeasurementSource, Need, TelegrafMapping
from brownout.ingest.raw import MeasurementSchema

__all__ = [
    "Output",
    "causes_at",
    "collectors",
    "host_has",
    "lost_at",
    "missing_evidence",
    "of_collectors",
    "recognised",
    "telegraf_conf",
    "usable",
    "whole_cost",
]

Schemas = Mapping[str, MeasurementSchema]

TELEGRAF = "telegraf"
BROWNOUT = "/usr/local/bin/brownout"
"""Where the advice supposes the program."""
HEAD = """# telegraf.conf of the hypervisor that printed it, with all that brownout can use. One input that cannot start
# ends Telegraf: what this host has no program or kernel feature for is commented out. What else is to be done stands
# at the end.
[agent]
  interval = "10s"
  round_interval = true
  omit_hostname = false
"""
OUTPUTS = {
    1: """[[outputs.influxdb]]  # InfluxDB 1.x
  urls = [{url}]
  database = {name}
""",
    2: """[[outputs.influxdb_v2]]  # InfluxDB 2.x
  urls = [{url}]
  token = "$INFLUX_TOKEN"
  organization = {org}
  bucket = {name}
""",
    3: """[[outputs.influxdb_v3]]  # InfluxDB 3.x; before Telegraf 1.38 take influxdb_v2 with organization = ""
  urls = [{url}]
  token = "$INFLUX_TOKEN"
  database = {name}
""",
}
"""Where Telegraf writes to, by generation of the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The server that Telegraf writes to; generation 0 where nobody says."""

    generation: int = 0
    url: str = "http://influxdb:8086"
    org: str = "ORGANISATION"
    name: str = "telegraf"

    def lines(self) -> str:
        """The output of its generation, with the others commented out where nobody says which it is."""
        values = {
            key: json.dumps(value) for key, value in {"url": self.url, "org": self.org, "name": self.name}.items()
        }
        filled = {generation: text.format(**values) for generation, text in OUTPUTS.items()}
        if self.generation in filled:
            return filled[self.generation]
        rest = ["\n".join(f"# {line}" for line in filled[number].splitlines()) + "\n" for number in (2, 3)]
        return "\n".join([filled[1], *rest])


def lost_at(mapping: TelegrafMapping, schemas: Schemas, measurement: str) -> tuple[str, ...]:
    """Metrics and labels that a measurement should bring and does not: none that it brings in any of its forms."""
    sources = mapping.measurements.get(measurement, ())
    available = {metric for source in sources for metric in source.makes(schemas)}
    return tuple(dict.fromkeys(name for source in sources for name in _lost(source, schemas) if name not in available))


def _lost(source: MeasurementSource, schemas: Schemas) -> Iterator[str]:
    own = schemas.get(source.measurement)
    metrics = source.makes(schemas)
    yield from (metric for metric in source.metrics if metric not in metrics)
    # Which labels a guest has is up to its configuration: one without video has no video model.
    if source.labels and (own is None or not set(source.labels) & set(own.tags)):
        yield from source.labels


def collectors(mapping: TelegrafMapping, schemas: Schemas) -> tuple[str, ...]:
    """Names of the collectors that write to a database."""
    sources_in_use: list[MeasurementSource] = []
    for sources in mapping.measurements.values():
        used = [source for source in sources if source.in_use(schemas)]
        # Proxmox' measurements have names of Telegraf's, with tags of their own.
        sources_in_use += [source for source in used if source.collector != TELEGRAF] or used
    return tuple(
        dict.fromkeys("Telegraf" if s.collector == TELEGRAF else s.input or s.collector for s in sources_in_use)
    )


def of_collectors(mapping: TelegrafMapping, schemas: Schemas) -> TelegrafMapping:
    """The mapping without collectors that a database holds nothing of; Telegraf's own inputs can always be added."""
    there = {source.collector for source in mapping.sources if source.in_use(schemas)} | {TELEGRAF}
    return replace(mapping, sources=tuple(source for source in mapping.sources if source.collector in there))


def usable(mapping: TelegrafMapping, schemas: Schemas) -> dict[str, MeasurementSchema]:
    """Measurements whose tags can name an entity: of others nothing can be used."""
    return {
        name: schema
        for name, schema in schemas.items()
        if any(_names(source, schema) for source in mapping.measurements.get(name, ()))
        or name not in mapping.measurements
    }


def _names(source: MeasurementSource, schema: MeasurementSchema) -> bool:
    def there(tag: str) -> bool:
        return (source.capture[tag].tag if tag in source.capture else tag) in schema.tags

    return all(any(map(there, either)) for either in source.entity[0].alternatives)


def recognised(mapping: TelegrafMapping, schemas: Schemas) -> tuple[tuple[str, str], ...]:
    """Recognised measurements from which no metric can be computed, with the missing fields of each."""
    lacks: dict[tuple[str, str], set[str]] = {}
    for source in mapping.sources:
        own = schemas.get(source.measurement)
        if own is None or source.in_use(schemas) or not set(source.needs) & set(own.fields):
            continue
        if set(source.where) <= set(own.tags):
            gone = {name for name in source.needs if name not in own.fields}
            gone |= {name for name, column in source.foreign if column not in _fields(schemas, name)}
            only = {name for name, _ in source.only}
            lacks.setdefault((source.input, source.measurement), set()).update(gone - only)
    return tuple((f"{measurement} of {name}", ", ".join(sorted(gone))) for (name, measurement), gone in lacks.items())


def _fields(schemas: Schemas, measurement: str) -> tuple[str, ...]:
    return schemas[measurement].fields if measurement in schemas else ()


def missing_evidence(mapping: TelegrafMapping, schemas: Schemas, knowledge: Knowledge) -> tuple[tuple[str, str], ...]:
    """Lines of configuration that would add causes, each with the titles of those: a cause that needs two has both."""
    needed: dict[str, list[str]] = {title: [] for title in whole_cost(mapping, schemas, knowledge)[1]}
    available = _available_metrics(mapping, schemas)
    for measurement, sources in of_collectors(mapping, schemas).measurements.items():
        lost = [name for name in lost_at(mapping, schemas, measurement) if name not in available]
        for loss in losses(knowledge, lost):
            if not loss.named and loss.cause.title in needed:
                needed[loss.cause.title] += [_line(mapping, source) for source in sources]
    rows: dict[str, list[str]] = {}
    for title, lines in sorted(needed.items()):
        rows.setdefault(" and ".join(dict.fromkeys(lines)) or "several of these", []).append(title)
    return tuple((line, "; ".join(titles)) for line, titles in sorted(rows.items()))


def _line(mapping: TelegrafMapping, source: MeasurementSource) -> str:
    """The configuration to add for a source, in short."""
    same = [one.advice for one in mapping.sources if one.input == source.input and one.advice]
    head = (source.advice or (same or [""])[0]).partition("\n")[0].partition("  #")[0]
    if head in ("[[inputs.exec]]", "[[inputs.execd]]"):
        return f"{head} {source.input}"
    return head if head.startswith(("[[", "virsh")) else source.input


def causes_at(
    mapping: TelegrafMapping, schemas: Schemas, written: Sequence[MeasurementSource], knowledge: Knowledge
) -> int:
    """How many causes can be named at a host that writes some sources."""
    available = {name for source in written for name in (*source.makes(schemas), *source.labels)}
    wanted = {name for source in mapping.sources for name in (*source.metrics, *source.labels)}
    blind = sum(not loss.named for loss in losses(knowledge, wanted - available))
    return sum(bool(cause.kind) for cause in knowledge.causes.values()) - blind


def _available_metrics(mapping: TelegrafMapping, schemas: Schemas) -> set[str]:
    return {name for source in mapping.sources for name in source.makes(schemas)}


def whole_cost(mapping: TelegrafMapping, schemas: Schemas, knowledge: Knowledge) -> tuple[int, tuple[str, ...]]:
    """How many causes can be named, and the titles of those that cannot."""
    metrics = _available_metrics(mapping, schemas)
    names = dict.fromkeys(
        name for measurement in mapping.measurements for name in lost_at(mapping, schemas, measurement)
    )
    lost = [name for name in names if name not in metrics]
    blind = tuple(loss.cause.title for loss in losses(knowledge, lost) if not loss.named)
    return sum(bool(cause.kind) for cause in knowledge.causes.values()) - len(blind), blind


def telegraf_conf(
    mapping: TelegrafMapping, has: Callable[[Need], bool], program: str, output: Output | None = None
) -> str:
    """A telegraf.conf for a host: what it lacks a program or a kernel feature for is commented out.

    ``program`` is the path of brownout on the host. One input that cannot start ends Telegraf with all others.
    """
    sources = [source for source in mapping.sources if source.advice and source.collector == TELEGRAF]
    blocks = dict.fromkeys((source.advice, source.needs_there) for source in sources)
    parts, rest = [HEAD, (output or Output()).lines()], []
    for advice, need in blocks:
        block = advice.replace(BROWNOUT, program)
        if not block.startswith("[[inputs."):
            rest += [f"# {line}" for line in block.splitlines()]
        elif need is None or has(need):
            parts.append(f"{block}\n")
        else:
            lines = "\n".join(f"# {line}" for line in block.splitlines())
            parts.append(f"# This host lacks {need.said}.\n{lines}\n")
    return "\n".join([*parts, *rest, ""])


def host_has(need: Need) -> bool:
    """Whether this host has a program or path."""
    try:
        return bool(need.program and which(need.program)) or bool(need.path and Path(need.path).exists())
    except PermissionError:
        return True  # it is there, but not for this user to see
