"""The printed telegraf.conf, held against what Telegraf 1.39.3 did with an earlier one.

It ended at once on a host without smartmontools, cpufreq or rasdaemon, and complained of others at every interval.
"""

import tomllib

import pytest

from brownout.bootstrap import telegraf_output
from brownout.ingest.mapping import Need, TelegrafMapping
from brownout.operate.telemetry_coverage import Output, host_has, telegraf_conf
from brownout.settings import Settings

MAPPING = TelegrafMapping.load()
PROGRAM = "/opt/brownout/bin/brownout"
TELEGRAF = {source.input for source in MAPPING.sources if source.collector == "telegraf"}
OWN = {"console probe", "brownout facts", "an agent in the guest"}
ENDING = {"smart", "linux_cpu", "ras"}
"""What ends the whole agent where the host has not what it needs."""
COMPLAINING = {"mdstat", "chrony", "bond", "conntrack", "kernel", "libvirt", "ping", "execd"}
"""What logs an error at every interval there."""


def printed(*, rich: bool) -> str:
    return telegraf_conf(MAPPING, lambda _need: rich, PROGRAM)


def test_a_host_that_has_all_gets_every_input() -> None:
    conf = tomllib.loads(printed(rich=True))
    assert set(conf["inputs"]) == TELEGRAF - OWN | {"exec", "execd"}
    assert set(conf["outputs"]) == {"influxdb"}


def test_a_poor_host_gets_only_what_starts() -> None:
    text = printed(rich=False)
    assert set(tomllib.loads(text)["inputs"]) == (TELEGRAF - OWN | {"exec", "execd"}) - ENDING - COMPLAINING
    assert "# This host lacks smartmontools: apt install smartmontools.\n# [[inputs.smart]]" in text
    bare = "\n".join(line.removeprefix("# ") for line in text.splitlines() if not line.startswith("# This"))
    assert all(f"[[inputs.{name}]]" in bare for name in ENDING | COMPLAINING)


@pytest.mark.parametrize("name", sorted(ENDING | COMPLAINING))
def test_each_of_these_has_a_condition(name: str) -> None:
    """Asked one by one: only what the condition names appears when it is met."""
    conditions = {
        source.needs_there
        for source in MAPPING.sources
        if source.advice.startswith(f"[[inputs.{name}]]") and source.collector == "telegraf"
    }
    assert None not in conditions
    (need,) = conditions
    conf = tomllib.loads(telegraf_conf(MAPPING, lambda asked: asked == need, PROGRAM))
    assert name in conf["inputs"]


@pytest.mark.parametrize(
    ("plugin", "key", "expected"),
    [
        ("nstat", "dump_zeros", True),  # a host that never sent anything again
        ("procstat", "properties", ["cpu", "memory", "mmap"]),  # memory_swap
        ("exec", "commands", [[PROGRAM, "facts"]]),  # an absolute path, an array of words since 1.39
        ("exec", "data_format", "influx"),
        ("libvirt", "domains", []),
        ("kernel", "collect", ["psi"]),
        ("cpu", "percpu", True),
    ],
)
def test_what_an_input_needs_to_tell_all(plugin: str, key: str, expected: object) -> None:
    (own,) = tomllib.loads(printed(rich=True))["inputs"][plugin]
    assert own[key] == expected


def test_no_setting_that_telegraf_no_longer_knows() -> None:
    assert "ignore_protocol_stats" not in printed(rich=True)


@pytest.mark.parametrize(
    ("settings", "plugin", "expected"),
    [
        ({"version": 1, "database": "t"}, "influxdb", {"urls": ["http://db:1"], "database": "t"}),
        (
            {"version": 2, "org": "o", "bucket": "b"},
            "influxdb_v2",
            {"urls": ["http://db:1"], "token": "$INFLUX_TOKEN", "organization": "o", "bucket": "b"},
        ),
        (
            {"version": 3, "database": 'a "b"'},
            "influxdb_v3",
            {"urls": ["http://db:1"], "token": "$INFLUX_TOKEN", "database": 'a "b"'},
        ),
    ],
)
def test_a_site_gets_the_output_of_its_server(settings: dict[str, object], plugin: str, expected: object) -> None:
    output = telegraf_output(Settings(influxdb={"url": "http://db:1", **settings}))  # type: ignore[arg-type]
    conf = tomllib.loads(telegraf_conf(MAPPING, lambda _need: False, PROGRAM, output))
    assert conf["outputs"] == {plugin: [expected]}


def test_without_settings_all_outputs_are_shown_and_one_is_on() -> None:
    text = telegraf_conf(MAPPING, lambda _need: False, PROGRAM, Output())
    assert set(tomllib.loads(text)["outputs"]) == {"influxdb"}
    assert "# [[outputs.influxdb_v2]]" in text
    assert "# [[outputs.influxdb_v3]]" in text


def test_what_a_host_has() -> None:
    assert host_has(Need(said="a shell", program="sh"))
    assert host_has(Need(said="processes", path="/proc/self"))
    assert not host_has(Need(said="nothing", program="no-such-program", path="/no/such/path"))
