"""Dashboards for Grafana: as it cannot be had as a package, its published types and the Flux compiler judge them."""

import json
import re
from pathlib import Path
from typing import Any

import grafana
import node
import pytest
import yaml
from influx import Influx

from brownout.ingest.mapping import TelegrafMapping

GENERATIONS = ("influxdb1", "influxdb2")
OPTIONS = "./node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen"
PRELUDE = f"""
import type {{ Dashboard, Panel, TableOptions }} from "@grafana/schema";
import type {{ GraphFieldConfig, TableFieldOptions }} from "@grafana/schema";
import type {{ Options }} from "{OPTIONS}";
type Json<T> = T extends string ? `${{T}}` : T extends number | boolean | null | undefined ? T
  : T extends Array<infer U> ? Array<Json<U>> : T extends object ? {{ [K in keyof T]: Json<T[K]> }} : T;
"""
V = 'v = {defaultBucket: "b", timeRangeStart: -1d, timeRangeStop: now(), windowPeriod: 10m}\n'
compiled = pytest.mark.skipif(not node.found(), reason=node.HOW_TO_GET_IT)


def test_the_dashboards_are_what_the_script_writes() -> None:
    for path, text in grafana.builder().built().items():
        assert path.read_text() == text, f"{path.name}: run python examples/grafana/build.py"


def typescript() -> str:
    kinds = {"timeseries": ("Options", "GraphFieldConfig"), "table": ("TableOptions", "TableFieldOptions")}
    parts = [PRELUDE]

    def declare(kind: str, value: object) -> None:
        parts.append(f"const c{len(parts)}: Json<{kind}> = {json.dumps(value)};")

    for board in (board for generation in GENERATIONS for board in grafana.boards(generation)):
        declare("Dashboard", board)
        for panel in board["panels"]:
            options, custom = kinds[panel["type"]]
            declare("Panel", panel)
            declare(options, panel["options"])
            declare(f"Partial<{custom}>", panel["fieldConfig"]["defaults"].get("custom", {}))
            for override in panel["fieldConfig"]["overrides"]:
                properties = {found["id"]: found["value"] for found in override["properties"]}
                own = {key.removeprefix("custom."): value for key, value in properties.items() if "custom." in key}
                declare(f"Partial<{custom}>", own)
    return "\n".join(parts)


@compiled
def test_the_dashboards_have_the_types_that_grafana_publishes(tmp_path: Path) -> None:
    source = typescript()
    assert node.complaints(source, tmp_path) == ""
    (tmp_path / "node_modules").unlink()
    assert "lineWith" in node.complaints(source.replace('"lineWidth": 1', '"lineWith": 1'), tmp_path)


@compiled
def test_the_real_compiler_accepts_every_flux_query() -> None:
    found = list(grafana.targets("influxdb2"))
    queries = [V + grafana.filled(target["query"], {"guest": 'a"b', "host": "k1"}) for _, target in found]
    refused = [name for (name, _), answer in zip(found, node.check_flux(queries), strict=True) if not answer.valid]
    assert refused == []
    variables = [v["query"] for board in grafana.boards("influxdb2") for v in board["templating"]["list"][1:]]
    assert len(variables) == 2
    for query in variables:
        head, call = query.split("\n")
        assert node.check_flux([f"{head}\n{V}{call}"])[0].valid, query


@pytest.mark.parametrize("generation", GENERATIONS)
def test_measured_lines_name_measurements_that_the_mapping_knows(generation: str) -> None:
    known = {source.measurement for source in TelegrafMapping.load().sources}
    used = {
        name
        for _, target in grafana.targets(generation)
        for name in re.findall(r'(?:FROM|_measurement ==) "(\w+)"', target["query"])
        if not name.startswith("brownout_")
    }
    assert used
    assert used <= known


def test_dashboards_and_sources_are_provisioned_by_the_names_they_use() -> None:
    folder = grafana.EXAMPLES / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "brownout.yaml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    secrets = [value for source in sources["datasources"] for value in source["secureJsonData"].values()]
    assert all(value.startswith("$BROWNOUT_INFLUXDB_") for value in secrets)
    for generation in GENERATIONS:
        for board in grafana.boards(generation):
            assert board["templating"]["list"][0]["current"]["value"] in uids
    providers = yaml.safe_load((folder / "dashboards" / "brownout.yaml").read_text())["providers"]
    assert [provider["type"] for provider in providers] == ["file"]
    everything = [board["uid"] for generation in GENERATIONS for board in grafana.boards(generation)]
    assert len(set(everything)) == len(everything)


def rules(generation: str) -> list[dict[str, Any]]:
    path = grafana.EXAMPLES / "provisioning" / "alerting" / f"{generation}.yaml"
    (group,) = yaml.safe_load(path.read_text())["groups"]
    return list(group["rules"])


@pytest.mark.parametrize("generation", GENERATIONS)
def test_alert_rules_ask_the_provisioned_source_for_what_is_written_back(generation: str) -> None:
    names = [rule["title"] for rule in rules(generation)]
    assert names == ["brownout incident", "brownout forecast breach", "brownout has written nothing for a day"]
    for rule in rules(generation):
        query, *expressions = rule["data"]
        assert query["datasourceUid"] == f"brownout-{generation}"
        assert [part["model"]["type"] for part in expressions] == ["reduce", "threshold"]
        assert rule["condition"] == expressions[-1]["refId"]
        assert re.findall(r"brownout_(?:cause|breach|anomaly)", query["model"]["query"])


@compiled
def test_the_real_compiler_accepts_the_queries_of_alert_rules() -> None:
    queries = [V + rule["data"][0]["model"]["query"] for rule in rules("influxdb2")]
    assert [answer.valid for answer in node.check_flux(queries)] == [True, True, True]


def test_a_real_server_answers_the_queries_of_alert_rules(influx: Influx) -> None:
    database = influx.database("alert_rules")
    lines = [
        "brownout_cause,entity=k1,rank=1 open=1i 1773619200000",
        "brownout_cause,entity=k1,rank=2 open=1i 1773619200000",
        "brownout_cause,entity=k2,rank=1 open=0i 1773619200000",
        "brownout_anomaly,entity=k1 score=0.5 1773619200000",
        "brownout_breach,entity=k1,metric=host_cpu_busy_pct alert_probability=0.7,probability=0.7 1773619200000",
        "brownout_breach,entity=k2,metric=host_cpu_busy_pct alert_probability=0,probability=0.9 1773619200000",
    ]
    assert database.write(iter(["\n".join(lines)])) is not None
    open_now, breaches, written = (
        influx.ask(
            rule["data"][0]["model"]["query"]
            .replace("$timeFilter", "time > 1773619100000ms")
            .replace('FROM "', 'FROM "alert_rules".."')
        )
        for rule in rules("influxdb1")
    )
    series = open_now["results"][0]["series"]  # type: ignore[index]
    assert {s["tags"]["entity"]: s["values"][0][1] for s in series} == {"k1": 1, "k2": 0}
    chances = breaches["results"][0]["series"]  # type: ignore[index]
    assert {s["tags"]["entity"]: s["values"][0][1] for s in chances} == {"k1": 0.7, "k2": 0}
    assert written["results"][0]["series"][0]["values"][0][1] == 1  # type: ignore[index]
