"""Commands of actions: nothing left to fill in, each platform its own, names stay words, and nothing forbidden."""

import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brownout.domain.entities import Entity, Topology
from brownout.domain.findings import Action, Effect, Risk
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Series
from brownout.planning.commands import Site, Values, completed, fill
from brownout.planning.headroom import Headroom
from brownout.planning.platform_operations import FORBIDDEN, Platform
from brownout.planning.remedies import Remedies

REMEDIES = Remedies.load()
ENTITIES = (
    Entity(id="h1", kind="host", labels={"cores": "16", "memory_gib": "64"}),
    Entity(id="h2", kind="host", labels={"cores": "16", "memory_gib": "64"}),
    Entity(id="v1", kind="vm", parent="h1", labels={"vcpus": "4", "memory_gib": "8", "graphics_type": "vnc"}),
    Entity(id="v1/console", kind="console", parent="v1"),
    Entity(id="h1/bond0", kind="interface", parent="h1"),
    Entity(id="h1/sda", kind="disk", parent="h1"),
)
NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1).filter(
    lambda name: name[0] != "-"
)


def level(entity: str, metric: str, busy: float) -> Level:
    return Level(series=Series(entity, metric), now=busy, usual=busy, busy=busy)


LEVELS = (
    level("h1", "host_cpu_busy_pct", 95),
    level("h1", "host_memory_available_pct", 5),
    level("h2", "host_cpu_busy_pct", 20),
    level("h2", "host_memory_available_pct", 60),
    level("v1", "vm_cpu_pct", 50),
)


def site(
    platform: Platform = Platform.LIBVIRT, entities: tuple[Entity, ...] = ENTITIES, levels: tuple[Level, ...] = LEVELS
) -> Site:
    topology = Topology.of(entities)
    headroom = Headroom.of(topology, levels)
    return Site(platform=platform, operations=REMEDIES.operations, topology=topology, headroom=headroom)


def action(remedy: str, entity: str) -> Action:
    return Action(
        about="d", cause=remedy, entity=entity, title="", command="", confirm="", verify="", risk=Risk.LIVE,
        rollback="", effect=None, remedy=remedy,
    )  # fmt: skip


def made(remedy: str, entity: str, platform: Platform = Platform.LIBVIRT, where: Site | None = None) -> Action:
    return completed([action(remedy, entity)], where or site(platform), REMEDIES)[0]


def parsed(text: str) -> Any:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
    return yaml.load(text, Loader)  # noqa: S506 - a safe loader with one more tag


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("remedy", sorted(REMEDIES.table))
def test_every_command_is_ready_to_run(remedy: str, platform: Platform) -> None:
    """On a bare fleet too: what is not known is a variable that a command before it fills."""
    bare = (Entity(id="h1", kind="host"), Entity(id="v1", kind="vm", parent="h1"))
    for where, entity in ((site(platform), "v1"), (site(platform), "h1"), (site(platform, bare, ()), "v1")):
        card = made(remedy, entity, where=where)
        known: set[str] = set()
        for find in card.finds:
            inner = find.command.removesuffix(f'; echo "${find.name}"')
            assert find.meaning
            assert variables(inner) <= known, find
            known.add(find.name)
        texts = [card.command, card.confirm, card.rollback]
        for text in (*texts, *(find.command for find in card.finds)):
            assert not re.search(r"\{\w+\}", text), text
            assert not re.search(
                r"(?<![\w-])(GUEST|TARGET|UNIT|IFACE|PREVIOUS|DEVICE|HIGHER|COUNT|MEMBER|TID|JOB)\b", text
            )
            assert not [pattern for pattern in FORBIDDEN if re.search(pattern, text)], text
        whole = "\n".join([*(find.command for find in card.finds), *texts])
        subprocess.run(["bash", "-n", "-c", whole], check=True, capture_output=True)
        assert set().union(*map(variables, texts)) <= known
        assert card.confirm
        assert card.confirm != card.command
        assert card.command or card.by_hand, "it says what to do"
        assert card.rollback or card.by_hand or not card.command, "where nothing undoes it, the card says so"
        assert card.risk is not Risk.NONE or not card.command


def variables(text: str) -> set[str]:
    """Shell variables that a command reads."""
    return set(re.findall(r'"\$(\w+)"', text)) - {"answer"}


@pytest.mark.parametrize("platform", Platform)
def test_ansible_fragments_are_plays_that_read_first(platform: Platform) -> None:
    fragments = [made(remedy, "v1", platform) for remedy in REMEDIES.table]
    written = [card for card in fragments if card.ansible]
    assert len(written) > 30
    for card in written:
        (play,) = parsed(card.ansible)
        read, do = play["tasks"]
        assert (read["changed_when"], read["check_mode"]) == (False, False)
        assert do["when"] == "'needed' in brownout_state.stdout"
        assert card.command in do["ansible.builtin.shell"]["cmd"]
        for task in (read, do):
            subprocess.run(["bash", "-n", "-c", task["ansible.builtin.shell"]["cmd"]], check=True, capture_output=True)


def test_names_in_an_ansible_fragment_are_no_templates() -> None:
    name = "{{ lookup('pipe', 'touch /tmp/owned') }}"
    hostile = (Entity(id=name, kind="host"),)
    card = made("keep-memory", name, where=site(entities=hostile, levels=()))
    strings = re.findall(r"(?m)(!unsafe )?(\".*\")$", card.ansible)
    assert [text for unsafe, text in strings if not unsafe and "lookup" in text] == []
    assert name in json.loads(strings[0][1])


def test_what_the_play_reads_decides_whether_it_does_anything(tmp_path: Path) -> None:
    """The pattern of an answer is matched as a line, and a name in it stands for itself."""
    card = made("CONT-04", "h1")
    read = parsed(card.ansible)[0]["tasks"][0]["ansible.builtin.shell"]["cmd"]
    for listed, says in (("other\nv1\n", "done"), ("other\n", "needed"), ("v10\n", "needed")):
        (tmp_path / "virsh").write_text(f"#!/bin/sh\nprintf '{listed}'\n")
        (tmp_path / "virsh").chmod(0o755)
        answer = subprocess.run(
            ["bash", "-c", read], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
        ).stdout
        assert answer.strip() == says


def test_a_guest_and_a_host_with_room_are_named() -> None:
    card = made("CONT-04", "h1")
    assert card.command == ("virsh -c qemu+ssh://h1/system migrate --live --persistent v1 qemu+ssh://h2/system")
    assert card.rollback.endswith("migrate --live --persistent v1 qemu+ssh://h1/system")
    assert "move v1 to h2; v1 takes 8 GiB and 2 CPUs when busy, and h2 has room for 28.8 GiB" in card.reason
    assert card.finds == ()


def test_a_move_that_frees_a_part_of_what_is_short_promises_less() -> None:
    """The host lacks 9.6 GiB of 64 to keep 15 % available, and the guest has 8."""
    full = level("h1", "host_memory_available_pct", 0.0)
    levels = tuple(full if one.series == full.series else one for one in LEVELS)
    promised = replace(
        action("CONT-04", "h1"), effect=Effect(metric="m", now_ms=160, low_ms=20, high_ms=40, consoles=6)
    )
    short, enough = (completed([promised], site(levels=chosen), REMEDIES)[0].effect for chosen in (levels, LEVELS))
    assert enough == promised.effect
    assert short
    assert (short.low_ms, short.high_ms) == (20, pytest.approx(160 - 120 * 8 / 9.6))


def test_each_platform_has_its_own_command() -> None:
    proxmox, openstack = (made("CONT-04", "h1", platform) for platform in (Platform.PROXMOX, Platform.OPENSTACK))
    assert proxmox.command == 'ssh h1 qm migrate "$guest_vmid" h2 --online'
    assert [find.name for find in proxmox.finds] == ["guest_vmid"]
    assert "openstack" in openstack.command
    assert "--live-migration --host h2" in openstack.command
    assert "virsh" not in proxmox.command + proxmox.confirm + openstack.command


def test_facts_that_are_known_are_not_asked_for() -> None:
    named = Entity(id="v1", kind="vm", parent="h1", labels={"vmid": "104", "vcpus": "4", "memory_gib": "8"})
    where = site(Platform.PROXMOX, (*ENTITIES[:2], named))
    assert made("VIRT-04", "v1", where=where).command == "ssh h1 'qm set 104 --cpulimit 0'"
    uuid = "0ea0b2fb-0dc8-4ef9-a5ea-3a9ba40d7f01"
    server = Entity(id=uuid, kind="vm", parent="h1")
    where = site(Platform.OPENSTACK, (*ENTITIES[:2], server))
    assert made("ART-03", uuid, where=where).command == f"openstack server unpause {uuid}"


@pytest.mark.parametrize(("protocol", "fits"), [("vnc", False), ("spice", True), ("", False)])
def test_remedies_fit_the_protocol_of_the_console(protocol: str, *, fits: bool) -> None:
    labels = {"graphics_type": protocol} if protocol else {}
    guest = Entity(id="v1", kind="vm", parent="h1", labels=labels)
    where = site(entities=(*ENTITIES[:2], guest))
    for remedy in ("HW-06", "VIRT-18", "SW-02", "NET-10"):
        card = made(remedy, "v1", where=where)
        text = f"{card.title} {card.command} {card.confirm} {card.rollback} {card.by_hand}"
        assert bool(re.search(r"(?i)spice|streaming\.mode|image\.compression", text)) is fits, card


def test_what_the_plan_chose_stands_in_the_commands_and_the_way_back() -> None:
    values = {"guest": "v1", "guest_disk": "vda", "old_image": "/a/v 1.qcow2", "new_image": "/b/v 1.qcow2"}
    card = {"new_bridge": "br1"}
    where = replace(site(), planned={("v1", "move-image"): values, ("v1", "move-card"): card})
    disk = made("move-image", "v1", where=where)
    start = "virsh -c qemu+ssh://h1/system blockcopy v1 vda --dest"
    assert disk.command == f"{start} '/b/v 1.qcow2' --transient-job --wait --pivot --bandwidth 100"
    assert disk.rollback == f"{start} '/a/v 1.qcow2' --reuse-external --transient-job --wait --pivot --bandwidth 100"
    assert disk.finds == ()
    assert disk.risk is Risk.MAINTENANCE
    proxmox = replace(where, platform=Platform.PROXMOX)
    assert "s/bridge=[^,]+/bridge=br1/" in made("move-card", "v1", where=proxmox).command
    way_back = made("move-card", "v1", where=where)
    assert way_back.rollback.endswith(
        'virt-xml --connect qemu+ssh://h1/system v1 --edit --network bridge="$bridge" --update'
    )
    assert [find.name for find in way_back.finds] == ["bridge"]


def test_a_restart_is_not_called_live() -> None:
    for name, remedy in REMEDIES.table.items():
        if re.search(r"systemctl restart|ss -K|makestep", remedy.command):
            assert remedy.risk is Risk.INTERRUPTS, name
        do = REMEDIES.operations.on(remedy.command[1:], Platform.LIBVIRT).do if remedy.command.startswith("@") else ""
        if "virt-xml" in do and "--update" not in do:  # that changes the running guest
            assert remedy.risk is Risk.RESTART, name


@given(NAMES)
def test_a_hostile_name_stays_one_word_of_the_command(name: str) -> None:
    filled = fill("virsh schedinfo {vm} --live", Values(site(entities=(Entity(id=name, kind="vm"),)), name, "cpu"))
    assert shlex.split(filled) == ["virsh", "schedinfo", name, "--live"]


@given(NAMES)
def test_a_hostile_name_stays_one_word_within_quotes(name: str) -> None:
    where = site(entities=(Entity(id=name),))
    filled = fill("ssh h 'tc show dev {device}; true' {host}", Values(where, name, "cpu"))
    outer = shlex.split(filled)
    assert outer[0:2] == ["ssh", "h"]
    assert outer[3:] == [name]
    device = name.rpartition("/")[2]
    if not device.startswith("-"):
        assert outer[2] == f"tc show dev {shlex.quote(device)}; true"


def test_a_real_shell_agrees(tmp_path: Path) -> None:
    name = f"x'; touch {tmp_path}/owned; echo '$(touch {tmp_path}/owned)`id`"
    values = Values(site(entities=(Entity(id=name, kind="vm"),)), name, "cpu")
    filled, nested = fill("printf %s {vm}", values), fill("sh -c 'printf %s {entity}'", values)
    for command in (filled, nested):
        assert subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout == name
    assert not (tmp_path / "owned").exists()


def test_a_name_that_looks_like_an_option_is_not_filled_in() -> None:
    name = "-oProxyCommand=evil"
    filled = fill("ssh {host} true", Values(site(entities=(Entity(id=name),)), name, "cpu"))
    assert filled.startswith("# ")
    assert shlex.split(filled, comments=True) == []


def test_placeholders_follow_the_topology() -> None:
    where = site()
    assert fill("{vm} on {host}", Values(where, "v1/console", "cpu")) == "v1 on h1"
    assert fill("{device} of {host}", Values(where, "h1/bond0", "cpu")) == "bond0 of h1"
    assert fill("{iface} of {host}", Values(where, "v1", "cpu")) == "bond0 of h1", "the only one of the host"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 32), st.floats(0, 100)), min_size=1, max_size=8),
    st.integers(1, 6),
)
def test_moves_never_fill_a_host_beyond_its_room(
    hosts: list[tuple[float, float]], guests: list[tuple[int, int, float]], asked: int
) -> None:
    names = [f"h{place}" for place in range(len(hosts))]
    entities = [Entity(id=name, kind="host", labels={"cores": "16", "memory_gib": "64"}) for name in names]
    levels = [level(n, "host_cpu_busy_pct", cpu) for n, (cpu, _) in zip(names, hosts, strict=True)]
    levels += [level(n, "host_memory_available_pct", free) for n, (_, free) in zip(names, hosts, strict=True)]
    for place, (host, size, busy) in enumerate(guests):
        labels = {"vcpus": "4", "memory_gib": str(size)}
        entities.append(Entity(id=f"v{place}", kind="vm", parent=names[host % len(names)], labels=labels))
        levels.append(level(f"v{place}", "vm_cpu_pct", busy))
    headroom = Headroom.of(Topology.of(entities), levels)
    for turn in range(asked):
        headroom.move_off(names[turn % len(names)], "memory" if turn % 2 else "cpu")
    cpu, free = (
        dict(zip(names, hosts, strict=True)),
        {name: 64 * f / 100 for name, (_, f) in zip(names, hosts, strict=True)},
    )
    for move in headroom.chosen:
        need = headroom.need(move.guest)
        assert need is not None
        assert move.source != move.target
        free[move.target] -= need.memory_gib
        assert free[move.target] >= 0.15 * 64 - 1e-6
        taken = sum(n.cpus for m in headroom.chosen if m.target == move.target and (n := headroom.need(m.guest)))
        assert 16 * cpu[move.target][0] / 100 + taken <= 16 * 0.8 + 1e-6
    assert len({move.guest for move in headroom.chosen}) == len(headroom.chosen)


def test_a_host_in_trouble_or_at_another_site_takes_nothing_in() -> None:
    topology = Topology.of(ENTITIES)
    assert Headroom.of(topology, LEVELS, avoid={"h2"}).move_off("h1", "memory") is None
    far = (ENTITIES[0], Entity(id="h2", kind="host", site="b", labels=ENTITIES[1].labels), *ENTITIES[2:])
    assert Headroom.of(Topology.of(far), LEVELS).move_off("h1", "memory") is None
