"""Builds the console probe and the host agent: as the command line and the settings say."""

import os
import shlex
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from brownout.domain.errors import BrownoutError, SettingsError

if TYPE_CHECKING:
    from brownout.adapters.agent.host_agent import HostAgent
    from brownout.probe.console_list import Source
    from brownout.probe.probe_run import Run
    from brownout.probe.probe_settings import ProbeSettings
    from brownout.probe.target import Target

__all__ = ["PASSWORD", "ProbeRequest", "influx_writer", "local_agent", "probe_run"]

PASSWORD = "BROWNOUT_VNC_PASSWORD"  # noqa: S105 - the name of a variable
LIBVIRT = ("qemu:", "qemu+", "test:", "xen:", "xen+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """Where consoles come from, as the command line says it, and what opens them."""

    targets: tuple[str, ...] = ()
    command: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None


def probe_run(settings: "ProbeSettings", request: ProbeRequest, complain: Callable[[BrownoutError], None]) -> "Run":
    """A run of the probe, ready to start."""
    from brownout.operate.probing import room_for
    from brownout.probe.console_list import Consoles
    from brownout.probe.probe_run import Run

    name = socket.gethostname()
    settings = replace(
        settings,
        host=settings.host or name,
        vantage=settings.vantage or name,
        password=_password(request.password_file),
        concurrency=room_for(settings.concurrency),
        seed=int.from_bytes(os.urandom(4), "big"),
    )
    trust = ssl.create_default_context()
    if request.ca_file is not None:
        trust.load_verify_locations(request.ca_file)
    fixed, sources = _consoles(request, complain)
    return Run(
        settings=settings,
        consoles=Consoles(fixed, sources, complain),
        complain=complain,
        trust=trust,
        deliver=lambda _: None,
    )


def local_agent(host: str, connect: str, announcement: Path, complain: Callable[[BrownoutError], None]) -> "HostAgent":
    """The agent of this hypervisor; ``connect`` is the URI of its libvirt, "" for virsh's own default."""
    from brownout.adapters.agent.host_agent import host_agent
    from brownout.adapters.hypervisor.kernel import Kernel
    from brownout.adapters.hypervisor.virsh import Virsh

    name = host or socket.gethostname()
    return host_agent(host=name, kernel=Kernel(), virsh=Virsh(connect), announcement=announcement, complain=complain)


def influx_writer(config: Path) -> Callable[[Sequence[str]], None]:
    """Writes lines, with times in milliseconds, to the InfluxDB of a settings file."""
    from brownout.adapters.influx.connect import connect
    from brownout.settings import load_settings

    settings = load_settings(config)
    if settings.influxdb is None:
        raise SettingsError("The settings name no InfluxDB.", remedy="Add [influxdb] with its url; see examples/.")
    database = connect(settings.influxdb)

    def write(lines: Sequence[str]) -> None:
        database.write(["\n".join(lines) + "\n"])

    return write


def _consoles(
    request: ProbeRequest, complain: Callable[[BrownoutError], None]
) -> tuple[list["Target"], list["Source"]]:
    """Targets by hand, and sources that are asked again."""
    from brownout.adapters.console_command import command_source
    from brownout.adapters.hypervisor.libvirt_consoles import libvirt_source
    from brownout.adapters.hypervisor.virsh import Virsh
    from brownout.adapters.proxmox import proxmox_source
    from brownout.probe.console_list import file_source
    from brownout.probe.target import parse_target

    fixed: list[Target] = []
    sources: list[Source] = []
    for text in request.targets:
        if text.startswith(LIBVIRT):
            sources.append(libvirt_source(Virsh(text), text, complain))
        elif text.startswith("proxmox:"):
            sources.append(proxmox_source(text, request.ca_file))
        elif "://" in text:
            fixed.append(parse_target(text))
        else:
            sources.append(file_source(Path(text)))
    if request.command:
        sources.append(command_source(shlex.split(request.command)))
    return fixed, sources


def _password(path: Path | None) -> str:
    if path is None:
        return os.environ.get(PASSWORD, "")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The password file {path} cannot be read: {error}."
        raise SettingsError(msg, remedy="Create it, readable by this user only.") from None
