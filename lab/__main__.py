"""``python -m lab``: set the lab up in namespaces of its own, run a schedule of faults, write what was measured."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

NEEDED = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "influxd": "influxdb",
    "libvirtd": "libvirt-daemon-system libvirt-daemon-driver-qemu",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "stress-ng": "stress-ng",
}
"""Programs, and the Debian packages that have them."""


def missing() -> str:
    """What is lacking for a run, and how to get it; empty where nothing is."""
    if os.geteuid() != 0:
        return "The lab needs root: it makes namespaces, control groups and network devices of its own."
    gone = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if gone:
        return f"The lab needs more programs: apt-get install --no-install-recommends {' '.join(gone)}"
    return "" if Path("/dev/net/tun").exists() else "The lab needs /dev/net/tun: modprobe tun."


def main() -> None:
    """Become ``unshare``: whatever ends this process, the kernel ends everything that was started below it."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Folder for the data set and the logs; made new.")
    parser.add_argument("--minutes", type=float, default=4.5, help="Length of the schedule.")
    parser.add_argument("--seed", type=int, default=1, help="Same seed, same schedule.")
    options = parser.parse_args()
    if problem := missing():
        sys.exit(problem)
    options.out.mkdir(parents=True, exist_ok=True)
    apart("lab.inside", str(options.out.resolve()), str(options.minutes), str(options.seed))


def apart(module: str, *arguments: str) -> NoReturn:
    """Become a module in namespaces of processes, mounts and network of its own."""
    root = Path(__file__).parents[1]
    paths = [str(root), str(root / "src"), str(root / "pipelines"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": ":".join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
    # With the first process in there the kernel ends the rest.
    own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    first = ["sh", "-c", '"$@"; exit $?', "sh"]  # a first process must also bury those that lose their parents
    command = [*own, *first, sys.executable, "-m", module, *arguments]
    os.execvpe("unshare", command, environment)  # noqa: S606, S607 - a program of the system, no shell


if __name__ == "__main__":
    main()
