"""A run of the lab, within its namespaces: guests, measurements and faults, from the first to the data set."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from lab.faults import NOISY, Injection, schedule
from lab.guests import Guest, Libvirt
from lab.link import NAMESPACE, THERE, Link
from lab.programs import Programs, ask, wait_for
from lab.record import URL, Truth, create, post, write_folder

GUESTS = (
    Guest(name="vm1", port=5901),
    Guest(name="vm2", port=5902),
    Guest(name="vm3", protocol="spice", port=5903),
    Guest(name=f"{NOISY}1", port=5904, busy=True),
    Guest(name=f"{NOISY}2", port=5905, busy=True),
    Guest(name=f"{NOISY}3", port=5906, busy=True),
)
ROUND_S = 2.0
BROWNOUT = (sys.executable, "-c", "from brownout.cli import main; main()")
INFLUXD = """reporting-disabled = true
bind-address = "127.0.0.1:8088"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[http]
bind-address = "127.0.0.1:8086"
log-enabled = false
[monitor]
store-enabled = false
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """What faults act on."""

    libvirt: Libvirt
    link: Link
    programs: Programs


def main() -> None:
    """Run the schedule; whatever happens, stop what was started."""
    out, minutes, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("The lab was stopped."))
    store = out / "store"
    store.mkdir(parents=True, exist_ok=True)
    programs = Programs(out / "logs")
    bench = Bench(Libvirt(programs, store, THERE), Link(seed), programs)
    try:
        bench.libvirt.start(out)
        bench.link.start()
        for number, guest in enumerate(GUESTS, 1):
            bench.libvirt.boot(guest, number)
            if guest.busy:
                ask("virsh", "suspend", guest.name)
        start_measuring(bench, out)
        began = time.time()
        seen = [guest.name for guest in GUESTS if not guest.busy]
        truths = play(bench, schedule(60 * minutes, seed, seen), began)
        time.sleep(max(0.0, began + 60 * minutes - time.time()))
        write_folder(out / "dataset", truths, began, time.time(), seed=seed)
    finally:
        bench.libvirt.stop()
        programs.stop_all()


def start_measuring(bench: Bench, out: Path) -> None:
    """An InfluxDB, and what writes to it: the agent, the probe from where users sit, and echoes of the path."""
    (out / "influxd.conf").write_text(INFLUXD.format(folder=out / "influx"))
    bench.programs.start("influxd", "influxd", "-config", str(out / "influxd.conf"))
    wait_for(_answers, "influxd")
    create()
    settings = out / "agent.toml"
    settings.write_text(f'[influxdb]\nurl = "{URL}"\ndatabase = "lab"\n')
    within = ("ip", "netns", "exec", NAMESPACE)
    bench.programs.start(
        "agent", *BROWNOUT, "agent", "--config", str(settings), "--host", "kvm1", "--interval", f"{ROUND_S:g}"
    )
    targets = [f"{guest.protocol}://{THERE}:{guest.port}" for guest in GUESTS if not guest.busy]
    consoles = out / "consoles"
    named = zip(targets, GUESTS, strict=False)
    consoles.write_text("".join(f"{target} domain_name={g.name} hypervisor=kvm1\n" for target, g in named))
    probe = bench.programs.start(
        "probe", *within, *BROWNOUT, "probe", str(consoles), "--interval", f"{ROUND_S:g}", "--every-round",
        pipe=True,
    )  # fmt: skip
    echo = bench.programs.start("echo", *within, sys.executable, "-m", "lab.echo", THERE, pipe=True)
    for stream in (probe, echo):
        threading.Thread(target=_forward, args=(stream, _as_host), daemon=True).start()


def play(bench: Bench, planned: Sequence[Injection], began: float) -> list[Truth]:
    """Inject each fault at its time; returns when each was really there."""
    truths = []
    for one in planned:
        time.sleep(max(0.0, began + one.start_s - time.time()))
        start = time.time()
        _tell(f"{start - began:7.1f} s  {one.kind.name} at {one.guest}")
        try:
            one.kind.begin(bench, one.guest)
            time.sleep(max(0.0, began + one.end_s - time.time()))
        finally:
            if one.kind.end is not None:
                one.kind.end(bench, one.guest)
        truths.append(Truth(injection=one, start=start, end=time.time()))
    return truths


def _forward(stream: IO[bytes], change: Callable[[str], str]) -> None:
    """Lines of a program into the database, as they come."""
    for text in stream:
        post([change(text.decode().rstrip("\n"))])


def _as_host(text: str) -> str:
    """The path's address as the hypervisor's name, as a site's settings would say it."""
    return text.replace(f"url={THERE}", "url=kvm1")


def _answers() -> bool:
    try:
        return httpx.get(f"{URL}/ping").status_code == 204
    except httpx.HTTPError:
        return False


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
