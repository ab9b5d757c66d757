"""Write the Grafana dashboards beside this file: the same panels in InfluxQL (1.x) and in Flux (2.x).

Run ``python examples/grafana/build.py`` after a change. Grafana fills in time range, interval and variables.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
GENERATIONS = ("influxdb1", "influxdb2")
MIXED = {"type": "influxdb", "uid": "${source}"}
CHOSEN = {"guest": "domain_name", "host": "host"}
"""Variables of the dashboards, and the tag that each chooses."""
KINDS = {"domain_name": "vm", "host": "host"}
"""Other entities carry these tags too: a link that of the machine that probes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Telemetry beside a forecast: ``value`` is made of the fields with operators that both languages share."""

    measurement: str
    value: str
    fields: tuple[str, ...]
    where: Mapping[str, str] = field(default_factory=dict)
    split: str = ""
    """Tag that tells the lines of a panel apart."""
    rate: bool = False
    """The only field is a counter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A panel that lays the forecast of a metric over what was measured."""

    title: str
    metric: str
    unit: str
    measured: Measured | None = None
    split: str = ""

    @property
    def shown(self) -> Mapping[str, str]:
        """Fields and their names in the panel; where several lines share it bands would hide each other."""
        return {name: shown for name, shown in SHOWN.items() if not self.split or shown in {"forecast", "limit"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A table of what a night found, newest first."""

    title: str
    measurement: str
    tags: tuple[str, ...]
    fields: tuple[str, ...]
    where: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    """Show no more than so much of the past, e.g. 26h, whatever the dashboard's range."""


def plain(measurement: str, name: str, *, split: str = "") -> Measured:
    """One field as it is."""
    return Measured(measurement=measurement, value=f"{{{name}}}", fields=(name,), split=split)


CPU = Measured(
    measurement="cpu",
    value="100.0 - {usage_idle} - {usage_iowait}",
    fields=("usage_idle", "usage_iowait"),
    where={"cpu": "cpu-total"},
)
BALLOON = Measured(
    measurement="libvirt_balloon", value="100.0 * {usable} / {available}", fields=("usable", "available")
)
GUEST = (
    Band(
        title="Console: key to screen",
        metric="console_update_ms",
        unit="ms",
        measured=plain("console_probe", "update_latency_ms"),
    ),
    Band(
        title="Console: connecting",
        metric="console_connect_ms",
        unit="ms",
        measured=plain("console_probe", "tcp_connect_ms"),
    ),
    Band(
        title="Waiting for a CPU",
        metric="vm_ready_pct",
        unit="percent",
        measured=Measured(measurement="libvirt_vcpu", value="{delay} / 10000000.0", fields=("delay",), rate=True),
    ),
    Band(title="Memory usable", metric="vm_memory_usable_pct", unit="percent", measured=BALLOON),
    Band(title="CPU, forecast", metric="vm_cpu_pct", unit="percent"),
)
HOST = (
    Band(title="CPU busy", metric="host_cpu_busy_pct", unit="percent", measured=CPU),
    Band(
        title="Memory available",
        metric="host_memory_available_pct",
        unit="percent",
        measured=plain("mem", "available_percent"),
    ),
    Band(
        title="Disk latency",
        metric="disk_await_ms",
        unit="ms",
        split="name",
        measured=plain("diskio", "io_await", split="name"),
    ),
    Band(
        title="File systems used",
        metric="disk_used_pct",
        unit="percent",
        split="path",
        measured=plain("disk", "used_percent", split="path"),
    ),
)
BREACHES = Findings(
    title="Will cross a limit",
    measurement="brownout_breach",
    tags=("entity", "metric"),
    fields=("probability", "likely_ms", "earliest_ms", "limit"),
    since="26h",
)
CAUSES = Findings(
    title="Most probable causes",
    measurement="brownout_cause",
    tags=("entity",),
    fields=("title", "culprit", "probability", "open"),
    where={"rank": "1"},
)
EPISODES = Findings(
    title="Episodes",
    measurement="brownout_episode",
    tags=("entity",),
    fields=("severity", "moved", "end_ms", "open", "alarm", "reason"),
)

CONSOLES = Findings(
    title="Consoles: experience of the last day, and where its milliseconds go",
    measurement="brownout_console",
    tags=("entity",),
    fields=("score", "band", "task", "network_ms", "hypervisor_ms", "guest_ms", "encoder_ms"),
    since="26h",
)


class InfluxQl:
    """Targets for InfluxDB 1.x."""

    name = "influxdb1"

    def measured(self, measured: Measured, variable: str) -> dict[str, Any]:
        tags = f', "{measured.split}"' if measured.split else ""
        where = self._where(measured.where, variable)
        alias = f"$tag_{measured.split}" if measured.split else "measured"
        if measured.rate:
            (counter,) = measured.fields
            value = measured.value.format(**{counter: 'mean("rate")'})
            rate = f'non_negative_derivative("{counter}", 1s) AS "rate"'
            rates = f'SELECT {rate} FROM "{measured.measurement}" WHERE {where} GROUP BY *'
            return self._series(
                "A",
                f"SELECT {value} FROM ({rates}) WHERE $timeFilter GROUP BY time($__interval){tags} fill(none)",
                alias,
            )
        value = measured.value.format(**{name: f'mean("{name}")' for name in measured.fields})
        return self._series(
            "A",
            f'SELECT {value} FROM "{measured.measurement}" WHERE {where} GROUP BY time($__interval){tags} fill(none)',
            alias,
        )

    def band(self, band: Band, variable: str) -> dict[str, Any]:
        tags = f', "{band.split}"' if band.split else ""
        alias = f"$tag_{band.split} $col" if band.split else "$col"
        columns = ", ".join(f'mean("{name}") AS "{shown}"' for name, shown in band.shown.items())
        where = self._where({"metric": band.metric}, variable)
        return self._series(
            "B",
            f'SELECT {columns} FROM "brownout_forecast" WHERE {where} GROUP BY time($__interval){tags} fill(none)',
            alias,
        )

    def scores(self, variable: str) -> dict[str, Any]:
        by = "entity" if variable else "kind"
        where = self._where({}, variable)
        return self._series(
            "A",
            f'SELECT max("score") FROM "brownout_anomaly" WHERE {where} GROUP BY time($__interval), "{by}" fill(none)',
            f"$tag_{by}",
        )

    def table(self, findings: Findings) -> dict[str, Any]:
        columns = ", ".join(f'"{name}"' for name in (*findings.tags, *findings.fields))
        where = self._where(findings.where, "")
        query = f'SELECT {columns} FROM "{findings.measurement}" WHERE {where} ORDER BY time DESC LIMIT 100'
        return self._target("A", query) | {"resultFormat": "table"}

    def values(self, tag: str) -> str:
        return f'SHOW TAG VALUES FROM "brownout_forecast" WITH KEY = "{tag}" WHERE "kind" = \'{KINDS[tag]}\''

    def _where(self, where: Mapping[str, str], variable: str) -> str:
        conditions = [f"\"{tag}\" = '{value}'" for tag, value in where.items()]
        if variable:
            conditions.append(f'"{CHOSEN[variable]}" = ${{{variable}:singlequote}}')
        return " AND ".join([*conditions, "$timeFilter"])

    def _series(self, ref: str, query: str, alias: str) -> dict[str, Any]:
        return self._target(ref, query) | {"resultFormat": "time_series", "alias": alias}

    def _target(self, ref: str, query: str) -> dict[str, Any]:
        return {"refId": ref, "datasource": MIXED, "rawQuery": True, "query": query}


class Flux:
    """Targets for InfluxDB 2.x."""

    name = "influxdb2"

    def measured(self, measured: Measured, variable: str) -> dict[str, Any]:
        shown = measured.split or "measured"
        lines = self._from(measured.measurement, measured.fields, measured.where, variable)
        lines += ["derivative(unit: 1s, nonNegative: true)"] if measured.rate else []
        lines += ["toFloat()", f"group(columns: {_list(['_field', measured.split])})", WINDOW.format(fn="mean")]
        lines += ['pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")']
        value = measured.value.format(**{name: f"r.{name}" for name in measured.fields})
        split = f", {measured.split}: r.{measured.split}" if measured.split else ""
        column = "_value" if measured.split else shown
        lines += [f"map(fn: (r) => ({{_time: r._time{split}, {column}: {value}}}))"]
        return self._target("A", lines)

    def band(self, band: Band, variable: str) -> dict[str, Any]:
        lines = self._from("brownout_forecast", tuple(band.shown), {"metric": band.metric}, variable)
        lines += [f"group(columns: {_list(['_field', band.split])})", WINDOW.format(fn="mean")]
        names = ", ".join(f"{name}: {json.dumps(shown)}" for name, shown in band.shown.items() if name != shown)
        lines += [
            'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
            f"rename(columns: {{{names}}})",
        ]
        return self._target("B", lines)

    def scores(self, variable: str) -> dict[str, Any]:
        by = "entity" if variable else "kind"
        lines = self._from("brownout_anomaly", ("score",), {}, variable)
        lines += [
            f"group(columns: {_list([by])})",
            WINDOW.format(fn="max"),
            f"keep(columns: {_list(['_time', '_value', by])})",
        ]
        return self._target("A", lines)

    def table(self, findings: Findings) -> dict[str, Any]:
        columns = _list(["_time", *findings.tags, *findings.fields])
        lines = self._from(findings.measurement, findings.fields, findings.where, "")
        lines += ['pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")', "group()"]
        lines += ['sort(columns: ["_time"], desc: true)', "limit(n: 100)", f"keep(columns: {columns})"]
        return self._target("A", lines)

    def values(self, tag: str) -> str:
        return (
            'import "influxdata/influxdb/schema"\n'
            f'schema.tagValues(bucket: v.defaultBucket, tag: "{tag}", start: -7d, '
            f'predicate: (r) => r._measurement == "brownout_forecast" and r.kind == "{KINDS[tag]}")'
        )

    def _from(self, measurement: str, fields: Sequence[str], where: Mapping[str, str], variable: str) -> list[str]:
        conditions = [f'r._measurement == "{measurement}"', *(f'r.{tag} == "{value}"' for tag, value in where.items())]
        if variable:
            conditions.append(f"r.{CHOSEN[variable]} == ${{{variable}:doublequote}}")
        of_fields = " or ".join(f'r._field == "{name}"' for name in fields)
        return [
            "from(bucket: v.defaultBucket)",
            "range(start: v.timeRangeStart, stop: v.timeRangeStop)",
            f"filter(fn: (r) => {' and '.join(conditions)})",
            f"filter(fn: (r) => {of_fields})",
        ]

    def _target(self, ref: str, lines: Sequence[str]) -> dict[str, Any]:
        return {"refId": ref, "datasource": MIXED, "query": "\n  |> ".join(lines)}


SHOWN = {"yhat_lower": "lower", "yhat": "forecast", "yhat_upper": "upper", "limit": "limit"}
WINDOW = 'aggregateWindow(every: v.windowPeriod, fn: {fn}, createEmpty: false, timeSrc: "_start")'


def _list(names: Sequence[str]) -> str:
    return json.dumps([name for name in names if name])


def _override(name: str, **custom: object) -> dict[str, Any]:
    """Looks of the series whose name ends so: ``vda lower`` as well as ``lower``."""
    properties = [{"id": key if key == "color" else f"custom.{key}", "value": value} for key, value in custom.items()]
    return {"matcher": {"id": "byRegexp", "options": f"/{name}( |$|\\{{)/"}, "properties": properties}


LOOKS = [
    _override("lower", lineWidth=0, hideFrom={"legend": True, "tooltip": False, "viz": False}),
    _override(
        "upper",
        lineWidth=0,
        fillBelowTo="lower",
        fillOpacity=18,
        hideFrom={"legend": True, "tooltip": False, "viz": False},
    ),
    _override("forecast", lineStyle={"fill": "dash", "dash": [8, 6]}),
    _override("limit", lineStyle={"fill": "dash", "dash": [2, 4]}, color={"mode": "fixed", "fixedColor": "red"}),
]
OPTIONS = {
    "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
    "tooltip": {"mode": "multi", "sort": "none"},
}
LINES = {"drawStyle": "line", "lineWidth": 1, "showPoints": "never", "insertNulls": 5_400_000}
"""A gap longer than an hour and a half, three slots of a forecast, is shown as one."""


def graph(
    title: str, unit: str, targets: Sequence[dict[str, Any]], place: tuple[int, int, int], **more: object
) -> dict[str, Any]:
    """A panel of lines."""
    return _panel(title, "timeseries", targets, place) | {
        "fieldConfig": {"defaults": {"unit": unit, "custom": LINES}, "overrides": LOOKS},
        "options": OPTIONS,
        **more,
    }


def scores(language: InfluxQl | Flux, variable: str, place: tuple[int, int, int]) -> dict[str, Any]:
    """Highest anomaly scores; at 1.0 an alarm begins."""
    panel = graph("Anomaly score (alarm from 1.0)", "none", [language.scores(variable)], place)
    steps = [{"color": "transparent", "value": None}, {"color": "red", "value": 1}]
    panel["fieldConfig"]["defaults"] |= {"thresholds": {"mode": "absolute", "steps": steps}}
    panel["fieldConfig"]["defaults"]["custom"] = LINES | {"thresholdsStyle": {"mode": "line"}}
    return panel


def table(language: InfluxQl | Flux, findings: Findings, place: tuple[int, int, int]) -> dict[str, Any]:
    """A table of findings."""
    units = {
        "probability": "percentunit",
        "likely_ms": "dateTimeAsIso",
        "earliest_ms": "dateTimeAsIso",
        "end_ms": "dateTimeAsIso",
    }
    overrides = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
        for name, unit in units.items()
        if name in findings.fields
    ]
    panel = _panel(findings.title, "table", [language.table(findings)], place) | {
        "fieldConfig": {"defaults": {}, "overrides": overrides},
        "options": {"frameIndex": 0, "showHeader": True},
    }
    return panel | ({"timeFrom": findings.since} if findings.since else {})


def _panel(title: str, kind: str, targets: Sequence[dict[str, Any]], place: tuple[int, int, int]) -> dict[str, Any]:
    x, y, width = place
    return {
        "id": 1 + x + 24 * y,
        "title": title,
        "type": kind,
        "datasource": MIXED,
        "gridPos": {"h": 8, "w": width, "x": x, "y": y},
        "targets": list(targets),
    }


def bands(language: InfluxQl | Flux, variable: str, found: Sequence[Band]) -> list[dict[str, Any]]:
    """Two panels a row, the anomaly scores last."""
    panels = []
    for number, band in enumerate(found):
        targets = [language.measured(band.measured, variable)] if band.measured else []
        place = (12 * (number % 2), 8 * (number // 2), 12)
        panels.append(graph(band.title, band.unit, [*targets, language.band(band, variable)], place))
    return [*panels, scores(language, variable, (0, 8 * ((len(found) + 1) // 2), 24))]


def dashboard(
    language: InfluxQl | Flux, name: str, panels: Sequence[dict[str, Any]], variable: str = ""
) -> dict[str, Any]:
    """A dashboard with its variables."""
    current = {"text": "brownout", "value": f"brownout-{language.name}"}
    variables: list[dict[str, Any]] = [
        {"name": "source", "label": "Source", "type": "datasource", "query": "influxdb", "current": current}
    ]
    if variable:
        query = language.values(CHOSEN[variable])
        variables.append(
            {
                "name": variable,
                "label": variable.title(),
                "type": "query",
                "datasource": MIXED,
                "query": query,
                "refresh": 2,
                "sort": 1,
            }
        )
    return {
        "uid": f"brownout-{name}-{language.name}",
        "title": f"Brownout: {name}",
        "tags": ["brownout"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "time": {"from": "now-2d", "to": "now+1d"} if variable else {"from": "now-3d", "to": "now"},
        "refresh": "15m",
        "templating": {"list": variables},
        "annotations": {"list": []},
        "links": [],
        "panels": list(panels),
    }


def fleet(language: InfluxQl | Flux) -> list[dict[str, Any]]:
    """What the last night found."""
    return [
        table(language, BREACHES, (0, 0, 12)),
        table(language, CAUSES, (12, 0, 12)),
        scores(language, "", (0, 8, 12)),
        table(language, EPISODES, (12, 8, 12)),
        table(language, CONSOLES, (0, 16, 24)),
    ]


def built() -> dict[Path, str]:
    """All dashboards by the file that each belongs into."""
    files = {}
    for language in (InfluxQl(), Flux()):
        boards = {
            "fleet": dashboard(language, "fleet", fleet(language)),
            "guest": dashboard(language, "guest", bands(language, "guest", GUEST), "guest"),
            "host": dashboard(language, "host", bands(language, "host", HOST), "host"),
        }
        for name, board in boards.items():
            files[FOLDER / "dashboards" / language.name / f"{name}.json"] = json.dumps(board, indent=1) + "\n"
    return files


if __name__ == "__main__":
    for path, text in built().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
