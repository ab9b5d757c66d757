"""``python -m lab.moves OUT [card]``: the plan's moves of a disk, or of a network card, as printed, on a real guest.

One line of JSON for each command: what was done, whether the action's own check then finds it done, and where the guest
is by its running and its lasting description. ``ssh`` to the host is a shell on this machine; nothing else is changed.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Action, Risk
from brownout.planning.commands import Site, completed
from brownout.planning.headroom import Headroom
from brownout.planning.platform_operations import Platform
from brownout.planning.remedies import Remedies
from lab.__main__ import apart
from lab.guests import Guest, Libvirt
from lab.programs import Programs, ask

GUEST, IMAGE, BRIDGES = "vm1", "vm1.raw", ("br0", "br1")
WITHIN = "within"
"""Says that the namespaces are there already."""
SSH = """#!/bin/sh
for last; do :; done
exec sh -c "$last"
"""


def main() -> None:
    """Run within namespaces; whatever happens, stop what was started."""
    if sys.argv[-1] != WITHIN:
        apart("lab.moves", *sys.argv[1:], WITHIN)
    out = Path(sys.argv[1])
    old, new = out / "old", out / "new store"
    for folder in (old, new):
        folder.mkdir(parents=True)
    (out / "ssh").write_text(SSH)
    (out / "ssh").chmod(0o755)
    os.environ["PATH"] = f"{out}:{os.environ['PATH']}"
    programs = Programs(out / "logs")
    libvirt = Libvirt(programs, old, "127.0.0.1")
    try:
        libvirt.start(out)
        for bridge in BRIDGES:
            ask("ip", "link", "add", bridge, "type", "bridge")
        libvirt.boot(Guest(name=GUEST, bridge=BRIDGES[0]), 1)
        disk = {"guest": GUEST, "guest_disk": "vda", "old_image": str(old / IMAGE), "new_image": str(new / IMAGE)}
        card = {"new_bridge": BRIDGES[1]}
        remedy, chosen = ("move-card", card) if "card" in sys.argv else ("move-image", disk)
        for line in moved(action_of(remedy, chosen)):
            sys.stdout.write(json.dumps(line) + "\n")
    finally:
        libvirt.stop()
        programs.stop_all()


def moved(action: Action) -> Iterator[Mapping[str, object]]:
    """Do it, and undo it."""
    for command in (action.command, action.rollback):
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - as typed
        yield {
            "command": command,
            "code": done.returncode,
            "said": done.stderr.strip(),
            "checked": checked(action),
            "running": places(),
            "lasting": places("--inactive"),
        }


def action_of(remedy: str, chosen: Mapping[str, str]) -> Action:
    """An action of the plan with its commands, as the report shows it."""
    remedies = Remedies.load()
    labels = {"bridge": BRIDGES[0]}
    topology = Topology.of([Entity(id="kvm1", kind="host"), Entity(id=GUEST, kind="vm", parent="kvm1", labels=labels)])
    site = Site(
        platform=Platform.LIBVIRT,
        operations=remedies.operations,
        topology=topology,
        headroom=Headroom.of(topology, ()),
        planned={(GUEST, remedy): chosen},
    )
    chosen_action = Action(about="plan", cause=remedy, entity=GUEST, title="", command="", confirm="", verify="",
                           risk=Risk.LIVE, rollback="", effect=None, remedy=remedy)  # fmt: skip
    return completed([chosen_action], site, remedies)[0]


def checked(action: Action) -> str:
    """What the first task of the action's play finds: "done" or "needed"."""
    read = json.loads(re.findall(r"cmd: !unsafe (.*)", action.ansible)[0])
    return ask("bash", "-c", read).strip()


def places(*options: str) -> list[str]:
    """The image and the bridge of the guest."""
    images, cards = ask("virsh", "domblklist", GUEST, *options), ask("virsh", "domiflist", GUEST, *options)
    return [*re.findall(r"vda +(.*)", images), *re.findall(r"bridge +(\S+)", cards)]


if __name__ == "__main__":
    main()
