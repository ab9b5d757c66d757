"""Consoles of guests that libvirt knows, from the domain XML of those that run."""

import ipaddress
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from brownout.adapters.hypervisor.domain_xml import parse_domain
from brownout.adapters.hypervisor.virsh import Virsh
from brownout.domain.errors import BrownoutError
from brownout.probe.console_list import Source
from brownout.probe.target import Target

__all__ = ["domain_consoles", "libvirt_source"]

PROTOCOLS = frozenset({"vnc", "spice"})
LOOPBACK = "127.0.0.1"
"""Where graphics listen that say nothing of it."""


def libvirt_source(virsh: Virsh, uri: str, complain: Callable[[BrownoutError], None]) -> Source:
    """Consoles of all guests that run; one that cannot be reached from here is told once and left out."""
    warned: set[str] = set()

    def listed() -> list[Target]:
        host = urlsplit(uri).hostname or ""
        hypervisor = virsh.host_name()
        targets: list[Target] = []
        for xml in virsh.running():
            consoles = list(domain_consoles(xml, host, hypervisor))
            targets += consoles
            if not consoles:
                name = parse_domain(xml).findtext("name", "").strip()
                if name not in warned:
                    warned.add(name)
                    remedy = "Let its graphics listen on an address that is reachable, or probe on the hypervisor."
                    complain(BrownoutError(f"{name}: it has no console that can be reached from here.", remedy=remedy))
        return targets

    return listed


def domain_consoles(xml: str, host: str, hypervisor: str) -> Iterator[Target]:
    """Targets of a domain that runs; ``host`` is the hypervisor's address as seen from here, "" for this machine.

    Raises DataError for what is no domain XML.
    """
    root = parse_domain(xml)
    name = root.findtext("name", "").strip()
    for graphics in root.findall("devices/graphics"):
        protocol = graphics.get("type", "")
        if protocol not in PROTOCOLS:
            continue
        listens = graphics.findall("listen")
        path = graphics.get("socket") or next((e.get("socket") for e in listens if e.get("socket")), None)
        port, secure = _number(graphics.get("port")), _number(graphics.get("tlsPort"))
        address = graphics.get("listen") or next((e.get("address", "") for e in listens if e.get("address")), LOOPBACK)
        reachable = _reachable(address, host)
        if path and not host:
            yield Target(
                protocol=protocol, transport="unix", host=path, port=0, domain_name=name, hypervisor=hypervisor
            )
        elif reachable and (port or secure):
            yield Target(
                protocol=protocol,
                transport="tcp" if port else "tls",
                host=reachable,
                port=port or secure,
                domain_name=name,
                hypervisor=hypervisor,
            )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _reachable(address: str, host: str) -> str:
    """Where the console is as seen from here; "" where it listens on the loopback of another machine."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "" if host and address == "localhost" else address
    if parsed.is_unspecified:
        return host or ("127.0.0.1" if parsed.version == 4 else "::1")
    return "" if host and parsed.is_loopback else address
