"""Plays of actions in a real Ansible: nothing in check mode, once where it is needed, nothing the second time."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Action, Risk
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Series
from brownout.planning.commands import Site, completed
from brownout.planning.headroom import Headroom
from brownout.planning.platform_operations import Platform
from brownout.planning.remedies import Remedies

ANSIBLE = os.environ.get("BROWNOUT_ANSIBLE") or shutil.which("ansible-playbook") or ""
pytestmark = pytest.mark.skipif(not ANSIBLE, reason="no Ansible: pip install ansible-core, or set BROWNOUT_ANSIBLE")
GUEST = "web {{ 1 + 1 }}"
"""A name that would be a template."""
VIRSH = """#!/bin/sh
echo "$@" >> {folder}/log
case "$*" in
  *list*) if [ -e {folder}/moved ]; then echo '{guest}'; fi ;;
  *migrate*) touch {folder}/moved ;;
esac
"""


@pytest.fixture
def play(tmp_path: Path) -> Path:
    """The play that moves a guest, and a virsh that remembers it."""
    labels = {"cores": "16", "memory_gib": "64", "vcpus": "4"}
    topology = Topology.of(
        [Entity(id="h1", kind="host", labels=labels), Entity(id="h2", kind="host", labels=labels),
         Entity(id=GUEST, kind="vm", parent="h1", labels=labels | {"memory_gib": "4"})]
    )  # fmt: skip
    busy = {("h2", "host_cpu_busy_pct"): 10.0, ("h2", "host_memory_available_pct"): 80.0, (GUEST, "vm_cpu_pct"): 5.0}
    levels = [Level(series=Series(*key), now=value, usual=value, busy=value) for key, value in busy.items()]
    remedies = Remedies.load()
    site = Site(
        platform=Platform.LIBVIRT,
        operations=remedies.operations,
        topology=topology,
        headroom=Headroom.of(topology, levels),
    )
    move = Action(about="d", cause="CONT-04", entity="h1", title="", command="", confirm="", verify="",
                  risk=Risk.LIVE, rollback="", effect=None, remedy="CONT-04")  # fmt: skip
    (tmp_path / "play.yml").write_text(completed([move], site, remedies)[0].ansible)
    (tmp_path / "virsh").write_text(VIRSH.format(folder=tmp_path, guest=GUEST))
    (tmp_path / "virsh").chmod(0o755)
    return tmp_path / "play.yml"


def played(play: Path, *options: str) -> dict[str, int]:
    """The recap of a run."""
    environment = {
        "PATH": f"{play.parent}:/usr/bin:/bin",
        "HOME": str(play.parent),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }
    done = subprocess.run([ANSIBLE, *options, play], env=environment, capture_output=True, text=True, check=True)
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", done.stdout)}


def test_a_move_is_made_once_and_never_in_check_mode(play: Path) -> None:
    moved = play.parent / "moved"
    assert (played(play, "--check")["changed"], moved.exists()) == (0, False)
    assert (played(play)["changed"], moved.exists()) == (1, True)
    assert played(play)["changed"] == 0
    assert f"migrate --live --persistent {GUEST} qemu+ssh://h2/system" in (play.parent / "log").read_text()
