"""Commands of an action: the operations of the site's platform with every value that is known filled in.

A value that is not known stands as a shell variable, and the action carries the command that finds it.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import Action, Effect, Find, Risk
from brownout.planning.ansible import playbook
from brownout.planning.entity_names import name_of
from brownout.planning.headroom import Headroom
from brownout.planning.platform_operations import PLACEHOLDER, Operation, Operations, Platform, expanded
from brownout.planning.remedies import Remedies, Remedy

__all__ = ["Site", "Values", "completed", "fill", "protocol_of"]

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What commands are made from: the platform, its operations, the topology, and the room that hosts have.

    ``planned`` has values that the night's plan has chosen, by entity and placeholder, for the remedies of the plan.
    """

    platform: Platform
    operations: Operations
    topology: Topology
    headroom: Headroom
    planned: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Values:
    """Values for the commands about one entity: planned ones first; an unknown value gets a command that finds it."""

    site: Site
    entity: str
    family: str
    planned: Mapping[str, str] = field(default_factory=dict)
    find_commands: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    cures: float = 1.0

    def of(self, name: str) -> str | None:
        """The value of a placeholder; None where it must be found."""
        return self.planned[name] if name in self.planned else self._known(name)

    def _known(self, name: str) -> str | None:
        """The value by topology, facts and headroom; None where none of them knows it."""
        topology, line = self.site.topology, (self.entity, *self.site.topology.ancestors(self.entity))
        guest = next((part for part in line if topology[part].kind == EntityKind.VM), "")
        if name in KNOWN:
            return KNOWN[name](self, guest)
        if name in ("guest", "target"):
            return self._move(guest, name)
        label = self.site.operations.unknowns[name].label
        value = topology[guest or self.entity].labels.get(label) or topology[self.entity].labels.get(label)
        if value:
            return value
        if name in ("server", "guest_server"):
            server = self._move(guest, "guest") if name == "guest_server" else guest
            return server if server and UUID.fullmatch(server) else None
        if name in ("iface", "path"):
            return self._part_of_host(name)
        return None

    def _move(self, guest: str, name: str) -> str | None:
        host = self.site.topology.root(self.entity)
        move = self.site.headroom.move_off(host, self.family, guest=guest)
        if move is None:
            return guest or self._only_guest(host) if name == "guest" else None
        self.reason, self.cures = move.reason, move.cures
        return move.guest if name == "guest" else move.target

    def _only_guest(self, host: str) -> str | None:
        guests = [n for n in self.site.topology.descendants(host) if self.site.topology[n].kind == EntityKind.VM]
        return guests[0] if len(guests) == 1 else None

    def _part_of_host(self, name: str) -> str | None:
        """The interface or folder that the entity is, or the only one of its host."""
        topology = self.site.topology
        kind = EntityKind.INTERFACE if name == "iface" else EntityKind.PATH
        own = (self.entity,) if topology[self.entity].kind == kind else topology.descendants(topology.root(self.entity))
        parts = [part for part in own if topology[part].kind == kind]
        if len(parts) != 1:
            return None
        return _device(parts[0]) if name == "iface" else parts[0].partition(":")[2] or None

    def find(self, name: str) -> None:
        """Remember that a value must be found, after what its command needs itself."""
        if name in self.find_commands:
            return
        unknown = self.site.operations.unknowns[name]
        command = unknown.command(self.site.platform)
        self.find_commands[name] = ""  # a value that needs itself is asked for once
        filled = fill(command, self)
        del self.find_commands[name]
        self.find_commands[name] = f'{name}=$({filled}); echo "${name}"'


def _name(values: Values, guest: str) -> str:
    return name_of(values.site.topology, guest or values.entity)


def _device(entity: str) -> str:
    """The name of a device on its host: what follows the host's name."""
    return entity.rpartition("/")[2]


def _protocol(values: Values, guest: str) -> str:
    return protocol_of(values.site.topology, guest or values.entity) or "vnc"


KNOWN: dict[str, Callable[[Values, str], str]] = {
    "entity": lambda values, _: values.entity,
    "vm": lambda values, guest: guest or values.entity,
    "host": lambda values, _: values.site.topology.root(values.entity),
    "device": lambda values, _: _device(values.entity),
    "login": _name,
    "name": _name,
    "protocol": _protocol,
}


def protocol_of(topology: Topology, entity: str) -> str:
    """``vnc`` or ``spice`` as the facts of a guest or its console say; empty where they do not."""
    line = (entity, *topology.ancestors(entity), *topology.descendants(entity))
    known = (topology[n].labels.get(k) for n in line for k in ("graphics_type", "protocol"))
    return next((value.lower() for value in known if value and value.lower() in ("vnc", "spice")), "")


def completed(actions: Sequence[Action], site: Site, remedies: Remedies) -> tuple[Action, ...]:
    """Actions with their commands, in their order: an earlier one chooses its guest and target first."""
    return tuple(_completed(action, site, remedies) for action in actions)


def _completed(action: Action, site: Site, remedies: Remedies) -> Action:
    remedy = remedies.table.get(action.remedy)
    if remedy is None:
        return action
    if remedy.protocol and remedy.protocol != protocol_of(site.topology, action.entity):
        remedy = remedies.table[remedy.otherwise]
    planned = site.planned.get((action.entity, action.remedy), {})
    values = Values(site, action.entity, remedies.family(action.cause), planned)
    operation = _operation(remedy, site)
    command, rollback = fill(operation.do, values), fill(operation.undo, values)
    confirm = "; ".join(fill(part, values) for part in _parts(remedy.confirm, site))
    # What is only needed to confirm is found first, then what the command needs.
    finds = tuple(
        Find(name=name, meaning=site.operations.unknowns[name].meaning, command=find)
        for name, find in values.find_commands.items()
    )
    read, wanted = fill(operation.check, values), _pattern(operation.done, values)
    reason = "; ".join(filter(None, (action.reason, values.reason)))
    risk = (
        Risk[operation.risk.upper()] if operation.risk else remedy.risk if operation.do or operation.note else Risk.NONE
    )
    done = replace(
        action,
        title=remedy.title,
        command=command,
        confirm=confirm,
        rollback=rollback,
        by_hand=operation.note or remedy.by_hand,
        finds=finds,
        risk=risk,
        reason=reason,
        effect=_by_part(action.effect, values.cures),
        verify=remedy.verify,
        verify_title=remedy.verify_title,
    )
    return replace(done, ansible=playbook(done, read, wanted) if command and read and wanted else "")


def _by_part(effect: Effect | None, share: float) -> Effect | None:
    """An effect that is only so sure as the share of what is short that the action takes away."""
    if effect is None or share >= 1:
        return effect
    return replace(effect, high_ms=effect.now_ms - share * (effect.now_ms - effect.high_ms))


def _operation(remedy: Remedy, site: Site) -> Operation:
    """What a remedy does on the site's platform."""
    if remedy.command.startswith("@"):
        return site.operations.on(remedy.command[1:], site.platform)
    return Operation(do=remedy.command, undo=remedy.rollback, check=remedy.check, done=remedy.done)


def _parts(text: str, site: Site) -> list[str]:
    """The commands of a confirm text, its operations on the site's platform."""
    parts = [part.strip() for part in text.split(";")] if "@" in text else [text]
    return [site.operations.on(part[1:], site.platform).do if part.startswith("@") else part for part in parts]


def fill(text: str, values: Values) -> str:
    """A command with its placeholders filled in; hostile names stay one quoted word, in nested quotes too."""
    text = expanded(text)
    parts: list[str] = []
    position, quoted = 0, False
    for placeholder in PLACEHOLDER.finditer(text):
        before, name = text[position : placeholder.start()], placeholder[1]
        quoted ^= before.count("'") % 2 == 1
        value = values.of(name)
        if value is None:
            values.find(name)
            word = f"'\"${name}\"'" if quoted else f'"${name}"'
        elif value.startswith("-"):
            return f"# {shlex.quote(value)} would be read as an option: write this command by hand"
        else:
            # Inside '…' the word is quoted once for the remote shell, and that text once more for the local one.
            word = shlex.quote(value)
            word = word.replace("'", "'\"'\"'") if quoted else word
        parts += [before, word]
        position = placeholder.end()
    return "".join([*parts, text[position:]])


def _pattern(text: str, values: Values) -> str:
    """A pattern as one word of a shell; values in it stand for themselves, unknown ones are variables."""
    parts, position = [], 0
    for placeholder in PLACEHOLDER.finditer(text):
        value = values.of(placeholder[1])
        if value is None:
            values.find(placeholder[1])
        word = f'"${placeholder[1]}"' if value is None else shlex.quote(re.escape(value))
        parts += [_quoted(text[position : placeholder.start()]), word]
        position = placeholder.end()
    return "".join(["'(?m)'", *parts, _quoted(text[position:])]) if text else ""


def _quoted(text: str) -> str:
    return shlex.quote(text) if text else ""
