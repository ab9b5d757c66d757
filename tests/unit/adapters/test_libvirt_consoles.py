import pytest

from brownout.adapters.hypervisor.libvirt_consoles import domain_consoles
from brownout.domain.errors import DataError


def domain(graphics: str) -> str:
    return f"<domain type='kvm'><name>vm01</name><devices>{graphics}</devices></domain>"


@pytest.mark.parametrize(
    ("graphics", "host", "expected"),
    [
        ("<graphics type='vnc' port='5901' listen='0.0.0.0'/>", "", ("vnc", "tcp", "127.0.0.1", 5901)),
        ("<graphics type='vnc' port='5901' listen='0.0.0.0'/>", "kvm1", ("vnc", "tcp", "kvm1", 5901)),
        ("<graphics type='vnc' port='5901' listen='10.1.2.3'/>", "kvm1", ("vnc", "tcp", "10.1.2.3", 5901)),
        ("<graphics type='vnc' port='5901'/>", "", ("vnc", "tcp", "127.0.0.1", 5901)),
        (
            "<graphics type='spice' port='5902' tlsPort='5903'><listen type='address' address='::'/></graphics>",
            "kvm1",
            ("spice", "tcp", "kvm1", 5902),
        ),
        ("<graphics type='spice' port='-1' tlsPort='5903' listen='0'/>", "", ("spice", "tls", "0", 5903)),
        (
            "<graphics type='vnc'><listen type='socket' socket='/run/vm01.sock'/></graphics>",
            "",
            ("vnc", "unix", "/run/vm01.sock", 0),
        ),
    ],
)
def test_where_a_console_listens(graphics: str, host: str, expected: tuple[str, str, str, int]) -> None:
    (target,) = domain_consoles(domain(graphics), host, "kvm1.example")
    assert (target.protocol, target.transport, target.host, target.port) == expected
    assert (target.domain_name, target.hypervisor) == ("vm01", "kvm1.example")


@pytest.mark.parametrize(
    ("graphics", "host"),
    [
        ("<graphics type='vnc' port='5901' listen='127.0.0.1'/>", "kvm1"),
        ("<graphics type='vnc' port='5901'/>", "kvm1"),
        ("<graphics type='vnc'><listen type='socket' socket='/run/x'/></graphics>", "kvm1"),
        ("<graphics type='vnc' port='-1' listen='0.0.0.0'/>", ""),
        ("<graphics type='sdl'/>", ""),
        ("", ""),
    ],
)
def test_what_cannot_be_reached_is_left_out(graphics: str, host: str) -> None:
    assert list(domain_consoles(domain(graphics), host, "kvm1")) == []


def test_what_is_no_domain_is_an_error() -> None:
    with pytest.raises(DataError):
        list(domain_consoles("<network/>", "", "kvm1"))
