"""Labels from libvirt's domain XML."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from brownout.adapters.hypervisor.domain_xml import LABELS, read_domain
from brownout.cli import app
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.errors import DataError

XML = """<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>desk, 01</name>
  <metadata>
    <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
      <libosinfo:os id="http://microsoft.com/win/10"/>
    </libosinfo:libosinfo>
  </metadata>
  <vcpu placement='static'>4</vcpu>
  <iothreads>2</iothreads>
  <cputune>
    <vcpupin vcpu='0' cpuset='2-3'/>
    <vcpupin vcpu='1' cpuset='4,^4,5'/>
    <emulatorpin cpuset='{emulator}'/>
  </cputune>
  <os><type arch='x86_64' machine='pc-q35-8.2'>hvm</type></os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <devices>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='writethrough'/>
      <source file='/a'/>
      <backingStore type='file'><format type='qcow2'/><source file='/b'/>
        <backingStore type='file'><format type='raw'/><source file='/c'/><backingStore/></backingStore>
      </backingStore>
      <target dev='hda' bus='ide'/>
      <iotune><total_iops_sec>500</total_iops_sec></iotune>
    </disk>
    <controller type='usb' index='0' model='piix3-uhci'/>
    <interface type='bridge'><model type='e1000'/></interface>
    <input type='keyboard' bus='ps2'/>
    <graphics type='spice' autoport='yes'><image compression='off'/></graphics>
    <video><model type='qxl' ram='65536' vram='65536' vgamem='8192' heads='1'/></video>
    <memballoon model='virtio'><stats period='10'/></memballoon>
  </devices>
</domain>"""


def test_everything_that_symptoms_look_at_is_read() -> None:
    name, labels = read_domain(XML.replace("{emulator}", "0,16"))
    assert name == "desk, 01"
    assert labels == {
        "domain_type": "kvm", "machine": "pc-q35-8.2", "cpu_mode": "qemu64", "vcpus": "4", "video_model": "qxl",
        "video_vgamem_kib": "8192", "graphics_type": "spice", "spice_image_compression": "off", "disk_bus": "ide",
        "disk_cache": "writethrough", "disk_format": "qcow2", "backing_depth": "2", "iothreads": "0", "io_cap": "yes",
        "memory_source": "anonymous", "vcpus_pinned": "yes", "vcpu_quota": "-1", "emulator_quota": "-1",
        "nic_queues": "1", "vhost": "no", "nic_model": "e1000",
        "hugepages": "false", "emulator_pinned": "housekeeping", "hyperv_on": "false",
        "os": "windows", "input_tablet_bus": "none", "usb_controller": "piix3-uhci", "balloon_period": "10",
        "disk_path": "/a", "disk_target": "hda",
    }  # fmt: skip


MODERN = """<domain type='kvm'>
  <name>web</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
  <memory unit='GiB'>8</memory><vcpu current='2'>8</vcpu><iothreads>4</iothreads>
  <memoryBacking><hugepages/><source type='memfd'/></memoryBacking>
  <numatune><memory mode='strict' nodeset='0'/></numatune>
  <cputune><quota>50000</quota><emulator_quota>20000</emulator_quota></cputune>
  <cpu mode='host-passthrough'/>
  <devices>
    <disk device='disk'><driver type='raw' cache='none' io='native' discard='unmap' iothread='2'/>
      <target bus='virtio'/></disk>
    <disk device='disk'><driver type='raw'><iothreads><iothread id='3'/><iothread id='2'/></iothreads></driver></disk>
    <interface><model type='virtio'/><driver name='vhost' queues='4'/></interface>
    <graphics type='spice' listen='::'><listen type='address' address='10.0.0.7'/><streaming mode='filter'/></graphics>
    <video><model type='virtio'/></video>
  </devices>
</domain>"""


def test_a_sound_guest_is_read_as_one() -> None:
    name, labels = read_domain(MODERN)
    assert name == "web"
    expected = {
        "uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0", "mem_kib": str(8 * 2**20), "vcpus": "2", "iothreads": "2",
        "hugepages": "true", "memory_source": "memfd", "numatune_mode": "strict", "vcpu_quota": "50000",
        "emulator_quota": "20000", "cpu_mode": "host-passthrough", "disk_io": "native", "disk_discard": "unmap",
        "nic_queues": "4", "vhost": "yes", "graphics_listen": "10.0.0.7", "spice_streaming": "filter",
        "spice_image_compression": "auto_glz", "video_model": "virtio", "vcpus_pinned": "no",
    }  # fmt: skip
    assert expected.items() <= labels.items()


@pytest.mark.parametrize(
    ("cpus", "pinned"), [("3", "vcpu"), ("5", "vcpu"), ("4", "housekeeping"), ("0-1", "housekeeping")]
)
def test_an_emulator_on_a_core_of_its_vcpus_is_seen(cpus: str, pinned: str) -> None:
    assert read_domain(XML.replace("{emulator}", cpus))[1]["emulator_pinned"] == pinned


def test_labels_of_guests_in_the_knowledge_come_from_somewhere() -> None:
    asked = {s.label: s.id for s in Knowledge.load().symptoms.values() if s.label}
    elsewhere = {"oversized", "virtio_win", "guest_gpu_driver", "vcpus_per_core", "governor", "scheduler", "medium"}
    assert set(asked) - elsewhere <= set(LABELS)


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ("<network><name>x</name></network>", "network"),
        ("<domain type='kvm'>", "cannot be read"),
        ("<!DOCTYPE d [<!ENTITY a 'aa'>]><domain><name>&a;</name></domain>", "DTD"),
        (XML.replace("{emulator}", "all"), "all"),
        (XML.replace("{emulator}", "0-99999999999"), "99999999999"),
        (XML.replace("{emulator}", "0\0"), "cannot be read"),
    ],
)
def test_what_is_no_domain_is_refused(xml: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_domain(xml)
    assert caught.value.remedy


def test_the_command_prints_columns_for_entities(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(XML.replace("{emulator}", "0"))
    result = CliRunner().invoke(app, ["labels", str(tmp_path / "a.xml")])
    header, row = result.stdout.splitlines()
    assert header.split(",")[:3] == ["entity", "domain_type", "machine"]
    assert row.startswith('"desk, 01",kvm,pc-q35-8.2,qemu64')


HOSTILE = ["", "0", "-1", "9" * 5000, "\u0663", "1-", "^", "../../etc", "' or 1=1", "a\u0301\u202e", "&#0;", "none"]
ODD = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20))


def test_numbers_longer_than_any_machine_has_are_none() -> None:
    endless = "9" * 5000
    _, labels = read_domain(MODERN.replace("<memory unit='GiB'>8", f"<memory unit='GiB'>{endless}"))
    assert "mem_kib" not in labels
    capped = XML.replace("{emulator}", "0").replace("<total_iops_sec>500", f"<total_iops_sec>{endless}")
    assert read_domain(capped)[1]["io_cap"] == "no"


@given(st.data())
def test_whatever_stands_in_the_xml_is_text_or_refused(data: st.DataObject) -> None:
    root = ET.fromstring(MODERN if data.draw(st.booleans()) else XML.replace("{emulator}", "0-3"))  # noqa: S314
    places = list(root.iter())
    for _ in range(data.draw(st.integers(1, 6))):
        place = places[data.draw(st.integers(0, len(places) - 1))]
        value = data.draw(ODD)
        if place.attrib and data.draw(st.booleans()):
            place.set(data.draw(st.sampled_from(sorted(place.attrib))), value)
        elif data.draw(st.booleans()):
            place.text = value
        else:
            place.clear()
    try:
        name, labels = read_domain(ET.tostring(root, encoding="unicode"))
    except DataError:
        return
    assert name == name.strip() != ""
    assert set(labels) <= set(LABELS)
    assert all(isinstance(value, str) and value for value in labels.values())


NOVA = """<domain type='kvm' id='7'>
  <name>instance-0000001a</name>
  <uuid>2f6d2a4c-6a0c-4b6b-9a54-6f0f8b9a1c11</uuid>
  {title}
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:package version="25.2.1"/>
      <nova:name>shop
        front</nova:name>
      <nova:creationTime>2026-03-02 10:00:00</nova:creationTime>
      <nova:flavor name="m1.small"><nova:memory>2048</nova:memory><nova:vcpus>1</nova:vcpus></nova:flavor>
      <nova:owner>
        <nova:user uuid="9b1d">alice</nova:user>
        <nova:project uuid="77aa">sales</nova:project>
      </nova:owner>
    </nova:instance>
  </metadata>
</domain>"""


def test_what_an_owner_of_openstack_calls_a_guest_is_read() -> None:
    """The form of nova/virt/libvirt/config.py, LibvirtConfigGuestMetaNovaInstance."""
    name, labels = read_domain(NOVA.format(title=""))
    assert name == "instance-0000001a"
    assert labels["uuid"].startswith("2f6d2a4c")
    assert {label: labels[label] for label in ("display_name", "project", "flavour")} == {
        "display_name": "shop front", "project": "sales", "flavour": "m1.small",
    }  # fmt: skip
    titled = NOVA.format(title="<title>Shop</title>")
    assert read_domain(titled)[1]["display_name"] == "shop front"
    assert read_domain(titled.replace("openstack.org", "example.org"))[1]["display_name"] == "Shop"
