"""Probing: where consoles come from, where points go, and the run between them."""

import asyncio
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from brownout.adapters.console_sources import command_source, proxmox_source
from brownout.adapters.hypervisor.console_targets import libvirt_source
from brownout.adapters.hypervisor.virsh import Virsh
from brownout.adapters.influx.connect import connect
from brownout.domain.errors import BrownoutError, SettingsError
from brownout.probe.baseline import Baseline
from brownout.probe.consoles import Consoles, Source, file_source
from brownout.probe.execd import Signals
from brownout.probe.outbox import Outbox
from brownout.probe.points import Point, line
from brownout.probe.probe_settings import ProbeSettings
from brownout.probe.run import Run
from brownout.probe.target import Target, parse_target
from brownout.settings import load_settings

__all__ = ["PASSWORD", "Destination", "ProbeRequest", "probe_consoles"]

PASSWORD = "BROWNOUT_VNC_PASSWORD"  # noqa: S105 - the name of a variable
LIBVIRT = ("qemu:", "qemu+", "test:", "xen:")
FILES_BESIDE = 64
"""File descriptors for everything that is no connection."""

Complain = Callable[[BrownoutError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """Where consoles come from, as the command line says it, and what opens them."""

    targets: tuple[str, ...] = ()
    command: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where points go: the InfluxDB of ``config``, a ``baseline``, else standard output, for Telegraf with ``execd``."""

    config: Path | None = None
    execd: str | None = None
    baseline: Baseline | None = None


def probe_consoles(settings: ProbeSettings, request: ProbeRequest, to: Destination, complain: Complain) -> None:
    """Run until the rounds are over, standard input ends (``execd``), or a signal ends it."""
    if not request.targets and not request.command:
        raise SettingsError("Nothing is named that could be probed.", remedy="Give vnc://HOST:PORT, a file or a URI.")
    name = socket.gethostname()
    settings = replace(
        settings,
        host=settings.host or name,
        vantage=settings.vantage or name,
        password=_password(request.password_file),
        concurrency=_concurrency(settings.concurrency),
        seed=int.from_bytes(os.urandom(4)),
    )
    fixed, sources = _consoles(request)
    outbox = Outbox(_writer(to), complain)
    deliver = _deliver(to, outbox)
    consoles = Consoles(fixed, sources, complain)
    trust = ssl.create_default_context(cafile=str(request.ca_file) if request.ca_file else None)
    run = Run(settings=settings, consoles=consoles, deliver=deliver, complain=complain, trust=trust)
    try:
        asyncio.run(_until_told(run, to.execd, outbox))
    finally:
        outbox.close()


async def _until_told(run: Run, execd: str | None, outbox: Outbox) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if execd is not None:
        signals = Signals(sys.stdin.buffer, stop)
        run = replace(run, begin=signals.next if execd == "STDIN" else None)
    watch = asyncio.create_task(_reader_gone(outbox, stop))
    try:
        await run.until(stop)
    finally:
        watch.cancel()


async def _reader_gone(outbox: Outbox, stop: asyncio.Event) -> None:
    while not outbox.broken.is_set():
        await asyncio.sleep(0.5)
    stop.set()


def _consoles(request: ProbeRequest) -> tuple[list[Target], list[Source]]:
    """Targets by hand, and sources that are asked again."""
    fixed: list[Target] = []
    sources: list[Source] = []
    for text in request.targets:
        if text.startswith(LIBVIRT):
            sources.append(libvirt_source(Virsh(text)))
        elif text.startswith("proxmox:"):
            sources.append(proxmox_source(text, request.ca_file))
        elif "://" not in text:
            sources.append(file_source(Path(text)))
        else:
            fixed.append(parse_target(text))
    if request.command:
        sources.append(command_source(request.command))
    return fixed, sources


def _password(path: Path | None) -> str:
    if path is None:
        return os.environ.get(PASSWORD, "")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The password file {path} cannot be read: {error}."
        raise SettingsError(msg, remedy="Create it, readable by this user only.") from None


def _concurrency(wanted: int) -> int:
    """As many connections as files may be open, after raising that as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + FILES_BESIDE:
        soft = min(hard, wanted + FILES_BESIDE) if hard != resource.RLIM_INFINITY else wanted + FILES_BESIDE
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - FILES_BESIDE))


def _deliver(to: Destination, outbox: Outbox) -> Callable[[list[Point]], None]:
    if to.baseline is not None:
        return to.baseline.add
    nanoseconds = to.config is None
    return lambda points: outbox.put([line(point, nanoseconds=nanoseconds) for point in points])


def _writer(to: Destination) -> Callable[[Sequence[str]], None]:
    """Writes a batch: to the database, or to standard output with one flush."""
    if to.config is None:
        return _print
    settings = load_settings(to.config)
    if settings.influxdb is None:
        raise SettingsError("The settings name no InfluxDB.", remedy="Add [influxdb] with its url; see examples/.")
    database = connect(settings.influxdb)
    return lambda lines: _ignore(database.write(["\n".join(lines) + "\n"]))


def _ignore(_: int) -> None:
    """The number of lines written is known already."""


def _print(lines: Sequence[str]) -> None:
    sys.stdout.buffer.write("".join(f"{text}\n" for text in lines).encode())
    sys.stdout.buffer.flush()
