"""Coverage of a database: what the mapping can make of what is there, and which causes go without the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from shutil import which

from brownout.diagnosis.knowledge.cause_coverage import losses
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.ingest.mapping import MeasurementSource, Need, TelegrafMapping
from brownout.ingest.raw import MeasurementSchema

__all__ = [
    "collectors",
    "host_has",
    "lost_at",
    "missing_evidence",
    "of_collectors",
    "telegraf_conf",
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

[[outputs.influxdb]]  # InfluxDB 1.x
  urls = ["http://influxdb:8086"]
  database = "telegraf"

# [[outputs.influxdb_v2]]  # InfluxDB 2.x, instead
#   urls = ["http://influxdb:8086"]
#   token = "$INFLUX_TOKEN"
#   organization = "ORGANISATION"
#   bucket = "telegraf"

# [[outputs.influxdb_v3]]  # InfluxDB 3.x, instead; before Telegraf 1.38 take influxdb_v2 with organization = ""
#   urls = ["http://influxdb:8181"]
#   token = "$INFLUX_TOKEN"
#   database = "telegraf"
"""


def lost_at(mapping: TelegrafMapping, schemas: Schemas, measurement: str) -> tuple[str, ...]:
    """Metrics and labels that a measurement should bring and does not."""
    sources = mapping.measurements.get(measurement, ())
    return tuple(name for source in sources for name in _lost(source, schemas))


def _lost(source: MeasurementSource, schemas: Schemas) -> Iterator[str]:
    own = schemas.get(source.measurement)
    metrics = source.makes(schemas)
    yield from (metric for metric in source.metrics if metric not in metrics)
    # Which labels a guest has is up to its configuration: one without video has no video model.
    if source.labels and (own is None or not set(source.labels) & set(own.tags)):
        yield from source.labels


def collectors(mapping: TelegrafMapping, schemas: Schemas) -> tuple[str, ...]:
    """What writes to a database, as a person calls it."""
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


def missing_evidence(mapping: TelegrafMapping, schemas: Schemas, knowledge: Knowledge) -> tuple[tuple[str, str], ...]:
    """Causes that cannot be named, each with the measurements that would tell of them."""
    needed: dict[str, list[str]] = {title: [] for title in whole_cost(mapping, schemas, knowledge)[1]}
    metrics = _made(mapping, schemas)
    for measurement in of_collectors(mapping, schemas).measurements:
        lost = [name for name in lost_at(mapping, schemas, measurement) if name not in metrics]
        for loss in losses(knowledge, lost):
            if not loss.named and loss.cause.title in needed:
                needed[loss.cause.title].append(measurement)
    return tuple((title, ", ".join(names) or "several inputs") for title, names in sorted(needed.items()))


def _made(mapping: TelegrafMapping, schemas: Schemas) -> set[str]:
    return {name for source in mapping.sources for name in source.makes(schemas)}


def whole_cost(mapping: TelegrafMapping, schemas: Schemas, knowledge: Knowledge) -> tuple[int, tuple[str, ...]]:
    """How many causes can be named, and the titles of those that cannot."""
    metrics = _made(mapping, schemas)
    names = dict.fromkeys(
        name for measurement in mapping.measurements for name in lost_at(mapping, schemas, measurement)
    )
    lost = [name for name in names if name not in metrics]
    blind = tuple(loss.cause.title for loss in losses(knowledge, lost) if not loss.named)
    return sum(bool(cause.kind) for cause in knowledge.causes.values()) - len(blind), blind


def telegraf_conf(mapping: TelegrafMapping, has: Callable[[Need], bool], program: str) -> str:
    """A telegraf.conf for a host: what it lacks a program or a kernel feature for is commented out.

    ``program`` is the path of brownout on the host. One input that cannot start ends Telegraf with all others.
    """
    sources = [source for source in mapping.sources if source.advice and source.collector == TELEGRAF]
    blocks = dict.fromkeys((source.advice, source.needs_there) for source in sources)
    parts, rest = [HEAD], []
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
    return bool(need.program and which(need.program)) or bool(need.path and Path(need.path).exists())
