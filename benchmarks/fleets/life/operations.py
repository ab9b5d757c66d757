"""What operators and collectors do to a fleet: reboots, migrations, maintenance, renamed and new guests, gaps."""

from dataclasses import dataclass, field

import numpy as np

from fleets.life.events import Event
from fleets.physics.world import Stay
from fleets.site.clock import Axis
from fleets.site.layout import Layout
from fleets.site.levers import Levers
from fleets.site.streams import Streams

__all__ = ["Operations", "Scene", "Wrong", "operate", "restart_guest"]


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Samples of a host that carry a time too late by some seconds: its clock was wrong."""

    host: int
    when: slice
    late_s: int


@dataclass
class Operations:
    """Events so far, and what they mean for places, starts, names and samples."""

    events: list[Event] = field(default_factory=list)
    moves: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # guest: (slot, host) in order
    host_starts: list[tuple[int, int]] = field(default_factory=list)
    vm_starts: list[tuple[int, int]] = field(default_factory=list)
    absent: list[tuple[str, int, slice]] = field(default_factory=list)  # kind (host, vm, console), row, slots
    renamed: dict[int, tuple[int, str]] = field(default_factory=dict)  # guest: slot, new name
    wrong: list[Wrong] = field(default_factory=list)

    def stays(self, layout: Layout, slots: int) -> list[Stay]:
        """Where each guest is, over all slots."""
        found = []
        for guest, home in enumerate(layout.home):
            at = [(0, int(home)), *self.moves.get(guest, [])]
            for (slot, host), (until, _) in zip(at, [*at[1:], (slots, -1)], strict=True):
                found.append((guest, host, slice(slot, until)))
        return found

    def host_at(self, layout: Layout, guest: int, slot: int) -> int:
        """The host that a guest is on."""
        before = [host for start, host in self.moves.get(guest, []) if start <= slot]
        return before[-1] if before else int(layout.home[guest])


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What faults meet: the fleet, its time, and what is done to it."""

    layout: Layout
    axis: Axis
    done: Operations

    def guests_at(self, host: int, slot: int) -> list[int]:
        """Guests that are on a host."""
        guests = range(len(self.layout.guests))
        return [guest for guest in guests if self.done.host_at(self.layout, guest, slot) == host]


def operate(layout: Layout, axis: Axis, streams: Streams, levers: Levers) -> Operations:
    """Draw and carry out the operations of a fleet; they are about as frequent as at a calm site."""
    done, rng = Operations(), streams.of("operations")
    days, hosts, guests = axis.seen * axis.interval_s / 86_400, len(layout.hosts), len(layout.guests)
    for _ in range(rng.poisson(guests * days / 110)):
        _reboot_guest(layout, axis, rng, levers, done)
    for _ in range(rng.poisson(hosts * days / 55)):
        _maintain(layout, axis, rng, levers, done)
    if hosts > 1:
        for _ in range(rng.poisson(guests * days / 160)):
            _migrate(layout, axis, rng, levers, done)
    for _ in range(rng.poisson(hosts * days / 45)):
        _lose(layout, axis, rng, done)
    for _ in range(rng.poisson(days / 9)):
        _lose_probe(layout, axis, rng, done)
    if rng.random() < 0.6:
        _set_clock(layout, axis, rng, done)
    _come_and_go(layout, axis, rng, levers, done)
    return done


def _slot(axis: Axis, rng: np.random.Generator, share: float = 0.05) -> int:
    return int(rng.integers(int(share * axis.seen), axis.seen - axis.span(7200)))


def _free(done: Operations, entity: str, start: int, end: int, room: int) -> bool:
    return all(e.entity != entity or e.end + room < start or e.start > end + room for e in done.events)


def _reboot_guest(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers, done: Operations) -> None:
    guest, start = int(rng.integers(len(layout.guests))), _slot(axis, rng)
    restart_guest(layout, axis, levers, done, (guest, start))


def restart_guest(layout: Layout, axis: Axis, levers: Levers, done: Operations, place: tuple[int, int]) -> None:
    """A guest is off for two minutes, then reads its system."""
    guest, start = place
    up = start + axis.span(120)
    levers.add("vm.down", guest, slice(start, up), 1)
    levers.add("vm.iops", guest, slice(up, up + axis.span(180)), 130)
    levers.add("vm.read_kbs", guest, slice(up, up + axis.span(180)), 4000)
    done.vm_starts.append((guest, up))
    done.absent.append(("vm", guest, slice(start, up)))
    name = layout.guests[guest].name
    done.events.append(Event(kind="guest-reboot", entity=name, start=start, end=up + axis.span(180)))


def _maintain(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers, done: Operations) -> None:
    """A host is restarted with its guests; announced as maintenance, or not."""
    announced = bool(rng.random() < 0.6)
    host, start = int(rng.integers(len(layout.hosts))), _slot(axis, rng)
    name, length = layout.hosts[host].name, axis.span(rng.uniform(540, 1500))
    window = (
        (start - axis.span(900), start + length + axis.span(rng.uniform(1800, 7200)))
        if announced
        else (start, start + length)
    )
    if not _free(done, name, *window, axis.span(21_600)):
        return
    down = slice(start, start + length)
    done.absent.append(("host", host, down))
    done.host_starts.append((host, start + length))
    for guest in range(len(layout.guests)):
        if done.host_at(layout, guest, start) == host:
            up = start + length + int(rng.integers(0, axis.span(240)))
            levers.add("vm.down", guest, slice(start, up), 1)
            levers.add("vm.iops", guest, slice(up, up + axis.span(240)), 110)
            levers.add("vm.read_kbs", guest, slice(up, up + axis.span(240)), 3000)
            done.vm_starts.append((guest, up))
            done.absent.append(("vm", guest, slice(start, up)))
    if announced:
        levers.add("host.maintenance", host, slice(*window), 1)
        done.events.append(Event(kind="maintenance", entity=name, start=window[0], end=window[1]))
    done.events.append(Event(kind="host-reboot", entity=name, start=start, end=start + length + axis.span(900)))


def _migrate(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers, done: Operations) -> None:
    guest, start = int(rng.integers(len(layout.guests))), _slot(axis, rng)
    moves = done.moves.setdefault(guest, [])
    if moves and moves[-1][0] > start - axis.span(86_400):
        return
    source = done.host_at(layout, guest, start)
    target = int(rng.choice([host for host in range(len(layout.hosts)) if host != source]))
    length = axis.span(rng.uniform(90, 700))
    when = slice(start, start + length)
    gib = layout.guests[guest].mem_gib
    levers.add("vm.migrating", guest, when, 1)
    levers.add("vm.migration_throttle", guest, when, float(rng.choice([0, 0.2, 0.4])))
    rate = gib * 1024 * 1024 / (length * axis.interval_s)
    levers.add("host.tx_kbs", source, when, rate)
    levers.add("host.rx_kbs", target, when, rate)
    moves.append((start + length, target))
    done.vm_starts.append((guest, start + length))  # QEMU's process on the target is new
    names = (layout.hosts[source].name, layout.hosts[target].name)
    name = layout.guests[guest].name
    done.events.append(
        Event(kind="migration", entity=name, start=start, end=start + length, source=names[0], target=names[1])
    )


def _lose(layout: Layout, axis: Axis, rng: np.random.Generator, done: Operations) -> None:
    """The agent of a host is silent for a while: its own metrics and those of its guests are missing."""
    host, start = int(rng.integers(len(layout.hosts))), _slot(axis, rng)
    when = slice(start, start + axis.span(rng.uniform(600, 9000)))
    done.absent.append(("host", host, when))
    done.absent += [
        ("vm", guest, when) for guest in range(len(layout.guests)) if done.host_at(layout, guest, start) == host
    ]
    done.events.append(Event(kind="gap", entity=layout.hosts[host].name, start=start, end=when.stop))


def _lose_probe(layout: Layout, axis: Axis, rng: np.random.Generator, done: Operations) -> None:
    start = _slot(axis, rng)
    when = slice(start, start + axis.span(rng.uniform(900, 5400)))
    done.absent += [("console", guest, when) for guest in range(len(layout.guests))]
    done.events += [Event(kind="probe-outage", entity=host.name, start=start, end=when.stop) for host in layout.hosts]


def _set_clock(layout: Layout, axis: Axis, rng: np.random.Generator, done: Operations) -> None:
    """A host's clock runs ahead for a while and is set right: samples at wrong times, some twice, some missing."""
    host, start = int(rng.integers(len(layout.hosts))), _slot(axis, rng)
    late, length = int(rng.choice([900, 2400, 3600])), axis.span(rng.uniform(600, 2400))
    done.wrong.append(Wrong(host=host, when=slice(start, start + length), late_s=late))
    end = start + length + axis.span(late)
    done.events.append(Event(kind="clock-set", entity=layout.hosts[host].name, start=start, end=end))


def _come_and_go(layout: Layout, axis: Axis, rng: np.random.Generator, levers: Levers, done: Operations) -> None:
    """New, removed and renamed guests, each another one."""
    count = max(len(layout.guests) // 20, 1)
    chosen = rng.permutation(len(layout.guests))
    new, removed, renamed = chosen[:count], chosen[count : count + count // 2], chosen[2 * count : 3 * count]
    for guest in new:
        slot = int(rng.uniform(0.3, 0.9) * axis.seen)
        _off(done, levers, int(guest), slice(0, slot))
        done.vm_starts.append((int(guest), slot))
        done.events.append(Event(kind="new", entity=layout.guests[guest].name, start=slot, end=slot + axis.span(3600)))
    for guest in removed:
        slot = int(rng.uniform(0.4, 0.95) * axis.seen)
        _off(done, levers, int(guest), slice(slot, axis.slots))
        done.events.append(Event(kind="removed", entity=layout.guests[guest].name, start=slot, end=axis.slots))
    for guest in renamed:
        slot, old = int(rng.uniform(0.35, 0.9) * axis.seen), layout.guests[guest].name
        done.renamed[int(guest)] = (slot, f"{old}-r")
        end = slot + axis.span(3600)
        done.events.append(Event(kind="renamed", entity=old, start=slot, end=end, source=old, target=f"{old}-r"))


def _off(done: Operations, levers: Levers, guest: int, when: slice) -> None:
    levers.add("vm.down", guest, when, 1)
    done.absent += [("vm", guest, when), ("console", guest, when)]
