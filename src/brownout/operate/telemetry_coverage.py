"""Coverage of a database: what the mapping can make of what is there, and which causes go without the rest."""

from collections.abc import Iterator, Mapping
from functools import cache

from brownout.diagnosis.knowledge.cause_coverage import losses
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.ingest.mapping import MeasurementSource, TelegrafMapping
from brownout.ingest.raw import MeasurementSchema

__all__ = ["cost_of", "lost_at", "telegraf_conf", "whole_cost"]

Schemas = Mapping[str, MeasurementSchema]

HEAD = """# telegraf.conf of a hypervisor, with all that brownout can use; what else is to be done stands at its end.
[agent]
  interval = "10s"
  round_interval = true

[[outputs.influxdb]]
  urls = ["http://influxdb:8086"]
  database = "telegraf"
"""


def lost_at(mapping: TelegrafMapping, schemas: Schemas, measurement: str) -> tuple[str, ...]:
    """Metrics and labels that a measurement should bring and does not."""
    sources = mapping.measurements.get(measurement, ())
    return tuple(name for source in sources for name in _lost(source, schemas))


def _lost(source: MeasurementSource, schemas: Schemas) -> Iterator[str]:
    own = schemas.get(source.measurement)
    for metric, expression in source.metrics.items():
        fields = {source.fields.get(name, name) for name in expression.fields}
        others = all(name in schemas and column in schemas[name].fields for name, column in expression.foreign)
        if own is None or fields - set(own.fields) or not others:
            yield metric
    # Which labels a guest has is up to its configuration: one without video has no video model.
    if source.labels and (own is None or not set(source.labels) & set(own.tags)):
        yield from source.labels


def cost_of(lost: tuple[str, ...]) -> str:
    """What a person would say about the causes that need what is lost; "" where none does."""
    found = list(losses(_knowledge(), lost))
    parts = []
    for named, words in ((False, "cannot be named"), (True, "told less surely")):
        causes = [
            loss.cause.title
            + (f" (may be taken for: {', '.join(other.title for other in loss.taken_for)})" if loss.taken_for else "")
            for loss in found
            if loss.named is named
        ]
        parts += [f"{words}: {'; '.join(causes)}"] if causes else []
    return "; ".join(parts)


def whole_cost(mapping: TelegrafMapping, schemas: Schemas) -> tuple[int, tuple[str, ...]]:
    """How many causes can be named, and the titles of those that cannot."""
    lost = [name for measurement in mapping.measurements for name in lost_at(mapping, schemas, measurement)]
    blind = tuple(loss.cause.title for loss in losses(_knowledge(), lost) if not loss.named)
    return sum(bool(cause.kind) for cause in _knowledge().causes.values()) - len(blind), blind


def telegraf_conf(mapping: TelegrafMapping) -> str:
    """A complete telegraf.conf: the advice of all sources, what is not configuration as comments."""
    blocks = dict.fromkeys(source.advice for source in mapping.sources if source.advice)
    inputs = [block for block in blocks if block.startswith("[[inputs.")]
    rest = [f"# {line}" for block in blocks if block not in inputs for line in block.splitlines()]
    return "\n".join([HEAD, *(f"{block}\n" for block in inputs), *rest, ""])


@cache
def _knowledge() -> Knowledge:
    return Knowledge.load()
