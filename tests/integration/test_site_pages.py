"""The pages about Proxmox and OpenStack, followed as they stand: their settings and commands on a real InfluxDB 1.x."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import invoke
from influx import PASSWORD, Influx

from brownout.bootstrap import clock
from brownout.ingest.mapping import TelegrafMapping
from brownout.store.history import History

DOCS = Path(__file__).parents[2] / "docs"
MINUTES = 120
URL = "http://influx.example.org:8086"
WEB = ",object=qemu,vmid=100,nodename=pve1,host=web01"
PROXMOX = (
    (f"system{WEB}", "cpu=0.25,uptime={n},netin={n},netout={n}"),
    (f"blockstat{WEB},instance=scsi0", "rd_operations={n},wr_operations=5,rd_total_time_ns={n},wr_total_time_ns=5"),
    (f"ballooninfo{WEB}", "actual=4,max_mem=8"),
    ("system,object=lxc,vmid=200,nodename=pve1,host=dns", "cpu=0.1,uptime={n}"),
    ("system,object=nodes,host=pve1", "uptime={n}"),
    ("cpustat,object=nodes,host=pve1", "cpu=0.3,cpus=16,wait=0.01,avg1=4"),
    ("memory,object=nodes,host=pve1", "memtotal=100,memfree=60"),
    ("nics,object=nodes,host=pve1,instance=eno1", "receive={n},transmit={n}"),
    ("system,host=pve1", "load1=4,n_cpus=16i"),
    ("cpu,host=pve1,cpu=cpu-total", "usage_idle=70,usage_iowait=1"),
    ("procstat,host=pve1,cgroup=qemu.slice/100.scope,process_name=kvm", "cpu_usage=25,memory_rss={n}i"),
)
INSTANCE = ",host=compute1,domain_name=instance-0000002a"
OPENSTACK = (
    ("cpu,host=compute1,cpu=cpu-total", "usage_idle=70,usage_iowait=1"),
    (f"libvirt_state{INSTANCE}", "state=1i"),
    (f"libvirt_vcpu{INSTANCE},vcpu_id=0", "state=1i,delay={n}i"),
    (f"vm_config{INSTANCE},uuid=0f9c7a2e-1d5b-4b7e-9f2a-3c4d5e6f7a8b,display_name=shop,project=retail,flavour=m1",
     "known=1i"),
    ("net,host=compute1,interface=eno1", "bytes_recv={n}i,bytes_sent={n}i"),
    ("net,host=compute1,interface=qvo02f3c9a1-7b", "bytes_recv={n}i,bytes_sent={n}i"),
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A page of the docs, and settings as it shows them, for the server of the tests."""

    text: str
    folder: Path

    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)

    def commands(self, name: str) -> list[list[str]]:
        lines = "\n".join(self.blocks("shell")).splitlines()
        return [line.split("#")[0].split()[1:] for line in lines if line.startswith(f"brownout {name}")]


def follow(influx: Influx, folder: Path, name: str, points: Sequence[tuple[str, str]]) -> Page:
    """The page, its settings in a folder, and a database with what it has had gathered."""
    page = Page((DOCS / f"{name}.md").read_text(), folder)
    (settings,) = [block for block in page.blocks("toml") if "[influxdb]" in block]
    assert URL in settings
    settings = settings.replace(URL, influx.url).replace('"telegraf"', f'"{name}"').replace('"brownout"', '"admin"')
    (folder / "brownout.toml").write_text(settings)
    influx.database(name).write(["\n".join(lines(points)) + "\n"])
    return page


def lines(points: Sequence[tuple[str, str]]) -> Iterator[str]:
    now = int(clock().astype(np.int64)) // 60_000
    for minute in range(MINUTES):
        for series, fields in points:
            yield f"{series} {fields.replace('{n}', str(1000 + 60_000 * minute))} {(now - MINUTES + minute) * 60_000}"


@pytest.mark.parametrize(
    ("name", "points", "speaks", "guest", "host"),
    [
        ("proxmox", PROXMOX, "Proxmox' metric server", "web01", "pve1"),
        ("openstack", OPENSTACK, "Telegraf", "shop", "compute1"),
    ],
)
def test_a_site_that_follows_its_page_sees_its_guests(  # noqa: PLR0913, PLR0917 - a table
    influx: Influx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, points: Sequence[tuple[str, str]], speaks: str, guest: str, host: str,
) -> None:  # fmt: skip
    page = follow(influx, tmp_path, name, points)
    monkeypatch.setenv("BROWNOUT_INFLUXDB_PASSWORD", PASSWORD)
    monkeypatch.chdir(tmp_path)
    configuration, examined = page.commands("doctor")
    assert "[[inputs.cpu]]" in invoke(*configuration[: configuration.index(">")]).stdout
    said = invoke(*examined).stdout
    assert speaks in said
    assert host in said
    (night,) = page.commands("nightly")
    invoke("sync", *night[1:])
    found = History.open(tmp_path / night[-1] / "history").topology
    assert found[guest].parent == host
    assert {entity.id for entity in found if entity.kind == "host"} == {host}
    assert {entity.id for entity in found if entity.kind == "interface"} == {f"{host}/eno1"}


@pytest.mark.parametrize("name", ["proxmox", "openstack"])
def test_what_a_page_tells_telegraf_is_what_brownout_reads(name: str, tmp_path: Path) -> None:
    """Each input of a page stands in the advice of a source, and each address in it."""
    advice = "\n".join(source.advice for source in TelegrafMapping.load().sources)
    page = Page((DOCS / f"{name}.md").read_text(), tmp_path)
    inputs = [block for block in page.blocks("toml") if "[[inputs." in block]
    assert inputs
    for block in inputs:
        for plugin, settings in tomllib.loads(block)["inputs"].items():
            assert f"[[inputs.{plugin}]]" in advice
            for one in settings:
                assert all(url in advice for url in one.get("urls", ()))
                assert one.get("cgroup", "") in advice
