"""Entities of a fleet: their ids, kinds, parents and static columns, and which row of which metrics is theirs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fleets.site.layout import Layout

__all__ = ["Column", "columns_of", "kind_of", "rows_of"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One entity: ``row`` is its place in the metrics of its kind, ``owner`` (kind, row) who writes its samples."""

    entity: str
    kind: str
    parent: str
    site: str
    row: int
    owner: tuple[str, int]
    labels: Mapping[str, str] = field(default_factory=dict)


def kind_of(metric: str) -> str:
    """The kind of entity that a metric is of."""
    if metric == "disk_used_pct":
        return "path"
    prefix = metric.partition("_")[0]
    return {"net": "interface"}.get(prefix, prefix)


def columns_of(layout: Layout, places: Mapping[int, int] | None = None) -> Iterator[Column]:
    """All entities; ``places`` gives the host that each guest is on now, where it is not its first one."""
    for row, host in enumerate(layout.hosts):
        own = ("host", row)
        labels = {"cores": str(host.cores), "ram_gib": f"{host.ram_gib:.0f}"}
        yield Column(entity=host.name, kind="host", parent="", site=host.site, row=row, owner=own, labels=labels)
        parts = (
            ("disk", host.disk, {"medium": host.medium}),
            ("path", host.path, {}),
            ("interface", host.interface, {}),
        )
        for kind, name, more in parts:
            yield Column(entity=name, kind=kind, parent=host.name, site=host.site, row=row, owner=own, labels=more)
        yield Column(
            entity=host.link, kind="link", parent=host.name, site=host.site, row=row, owner=("probe", row),
            labels={"vantage": f"probe-{host.site}"},
        )  # fmt: skip
    for row, guest in enumerate(layout.guests):
        host = layout.hosts[(places or {}).get(row, guest.host)]
        yield Column(
            entity=guest.name, kind="vm", parent=host.name, site=host.site, row=row, owner=("vm", row),
            labels=guest.labels,
        )  # fmt: skip
        yield Column(
            entity=guest.console, kind="console", parent=guest.name, site=host.site, row=row, owner=("console", row)
        )


def rows_of(layout: Layout, host: int, guests: list[int]) -> dict[str, list[tuple[str, int]]]:
    """Entities of a host and of some guests by kind, each with its row."""
    own = layout.hosts[host]
    return {
        "host": [(own.name, host)],
        "disk": [(own.disk, host)],
        "path": [(own.path, host)],
        "interface": [(own.interface, host)],
        "link": [(own.link, host)],
        "vm": [(layout.guests[g].name, g) for g in guests],
        "console": [(layout.guests[g].console, g) for g in guests],
    }
