"""Labels from libvirt's domain XML."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from brownout.cli import app
from brownout.diagnosis.domain_xml import LABELS, read_domain
from brownout.diagnosis.knowledge import Knowledge
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
        "disk_cache": "writethrough", "disk_format": "qcow2", "backing_depth": "2", "iothreads": "2", "io_cap": "yes",
        "nic_model": "e1000", "hugepages": "false", "emulator_pinned": "housekeeping", "hyperv_on": "false",
        "os": "windows", "input_tablet_bus": "none", "usb_controller": "piix3-uhci", "balloon_period": "10",
    }  # fmt: skip


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
