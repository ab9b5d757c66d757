"""What a host agent costs beside 50 guests: the share of a core, its children's time among it, at the default interval.

Guests are stand-ins: a ``virsh`` that prints what libvirt prints, and idle processes under QEMU's name. libvirtd's
own time is not in it: that is one ``domstats --nowait`` a round.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from brownout.adapters.agent.host_agent import host_agent
from brownout.adapters.hypervisor.kernel import Kernel
from brownout.adapters.hypervisor.virsh import Virsh

RECORDED = Path(__file__).parents[2] / "tests/data/agent/domstats.txt"
XML = """<domain type='kvm' id='9'><name>{name}</name><uuid>{name}</uuid><vcpu>2</vcpu><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><target dev='vda' bus='virtio'/></disk>
<interface type='bridge'><model type='virtio'/></interface><graphics type='vnc' listen='127.0.0.1'/></devices></domain>
"""
VIRSH = """#!/bin/sh
case "$*" in
  "list --uuid") cat {folder}/list;;
  domstats*) cat {folder}/domstats;;
  *dumpxml*) sed s/MARK/${{1##*echo }}/ {folder}/xml;;
  *domjobinfo*) sed s/MARK/${{1##*echo }}/ {folder}/jobs;;
esac
"""


def main() -> None:
    """Print the share of a core as JSON; exit code 1 where it is over 1 %."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--guests", type=int, default=50)
    options.add_argument("--rounds", type=int, default=60)
    options.add_argument("--interval", type=float, default=10.0, help="Seconds between two rounds that the cost is of.")
    chosen = options.parse_args()
    names = [f"guest-{number:02d}" for number in range(chosen.guests)]
    stand_ins = [
        subprocess.Popen(
            ["qemu-system-x86_64", "-c", "import time; time.sleep(3600)", f"guest={name}"], executable=sys.executable
        )
        for name in names
    ]
    try:
        with tempfile.TemporaryDirectory() as folder:
            share = measure(Path(folder), names, chosen.rounds, chosen.interval)
    finally:
        for process in stand_ins:
            process.kill()
            process.wait()
    print(json.dumps({"guests": chosen.guests, "rounds": chosen.rounds, "percent_of_a_core": round(share, 3)}))
    sys.exit(share >= 1)


def measure(folder: Path, names: list[str], rounds: int, interval: float) -> float:
    """Per cent of a core: processor time of all rounds over the time that they stand for."""
    one = RECORDED.read_text().split("\n\n")[0]
    (folder / "domstats").write_text("\n".join(one.replace("'vm1'", f"'{name}'") + "\n" for name in names))
    (folder / "list").write_text("\n".join(names) + "\n\n")
    (folder / "xml").write_text("".join(f"{XML.format(name=name)}\nMARK\n" for name in names))
    jobs = ["Job type:         None\n\nMARK\n"] * len(names) + ["No current block job for vda\n\nMARK\n"] * len(names)
    (folder / "jobs").write_text("".join(jobs))
    program = folder / "virsh"
    program.write_text(VIRSH.format(folder=folder))
    program.chmod(0o755)
    complaints: list[object] = []
    agent = host_agent(
        host="kvm1",
        kernel=Kernel(),
        virsh=Virsh(program=str(program)),
        announcement=folder / "none",
        complain=complaints.append,
    )
    agent.begin(0.0)
    before = spent()
    lines = 0
    for number in range(rounds):
        lines += len(agent.round(interval * (1 + number), time.time_ns()))
    assert not complaints, complaints
    assert lines > rounds * 8 * len(names)
    return 100 * (spent() - before) / (rounds * interval)


def spent() -> float:
    """Processor seconds of this process and of its children that ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


if __name__ == "__main__":
    main()
