"""Disks and network cards of guests that go to another store or uplink of their host, where one will be too full.

Only where facts say where the disk or the card is and how large it is, and where the target is the same to the guest: a
file system that holds images already, with room for the whole one, or a bridge that the site names as the same network.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import PurePosixPath

from brownout.domain.entities import Entity, EntityKind, Topology
from brownout.domain.findings.capacity_plan import Part, PartMove
from brownout.domain.findings.service_levels import Level
from brownout.domain.forecasts import Breach, Series

__all__ = ["Fullness", "disk_moves", "uplink_moves"]

FULL, BUSY_DISK, BUSY_LINK = "disk_used_pct", "disk_util_pct", "net_util_pct"
TRAFFIC = ("vm_net_rx_kbs", "vm_net_tx_kbs")
PROBABLE = 0.5
"""Chance to be too full from which something is moved."""
ROOM = 10.0
"""Points of percent that a target keeps below its limit, even with all of what comes."""
HEADROOM = 60.0
"""Percent busy below which the disk of a target stays: a copy, and then a guest more, are work."""
STEP = 10.0
"""Points of percent to which it is known how much of its size an image takes."""
KIB_A_MBIT = 1e6 / 8 / 1024
UNMEASURED = "how busy its disk is, is not measured"

Points = tuple[float, float]
"""Points of percent: at least, and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fullness:
    """How full stores and uplinks are, and which of them will be too full."""

    topology: Topology
    levels: Mapping[Series, Level]
    too_full: frozenset[Series]

    @classmethod
    def of(cls, topology: Topology, levels: Sequence[Level], breaches: Sequence[Breach]) -> "Fullness":
        """Build from the levels and the forecast breaches of a night."""
        sure = frozenset(b.series for b in breaches if b.exceeded or b.probability >= PROBABLE)
        return cls(topology=topology, levels={level.series: level for level in levels}, too_full=sure)

    def busy(self, entity: str, metric: str) -> float | None:
        """The level that a twentieth of the day was beyond; None where it was not measured."""
        level = self.levels.get(Series(entity, metric))
        return None if level is None else level.busy

    def limit(self, entity: str, metric: str) -> float:
        """The limit of a level."""
        level = self.levels.get(Series(entity, metric))
        return 100.0 if level is None or level.limit is None else level.limit

    def sources(self, metric: str, kind: str) -> list[Entity]:
        """Stores or uplinks that will be too full and were measured."""
        named = (self.topology[s.entity] for s in sorted(self.too_full) if s.metric == metric)
        return [entity for entity in named if entity.kind == kind and self.busy(entity.id, metric) is not None]

    def parts(self, host: str, kind: str) -> list[Entity]:
        """The guests, stores or interfaces of a host."""
        return [
            self.topology[name] for name in self.topology.children.get(host, ()) if self.topology[name].kind == kind
        ]

    def targets(self, source: Entity, metric: str) -> list[Entity]:
        """Others of its kind on its host that were measured and have not too much themselves."""
        others = (other for other in self.parts(source.parent, source.kind) if other.id != source.id)
        fine = (other for other in others if Series(other.id, metric) not in self.too_full)
        return [other for other in fine if self.busy(other.id, metric) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How one kind of part is moved: by which metric, what a guest takes of a place, and what the commands need.

    ``there`` are the levels of targets with what comes to them from any source.
    """

    part: Part
    metric: str
    share: Callable[[Entity, Entity, bool], Points | None]
    values: Callable[[Entity, Entity, Entity], Mapping[str, str]]
    caution: Callable[[Entity], str] = lambda _target: ""
    there: dict[str, Points] = field(default_factory=dict)


def disk_moves(full: Fullness, *, budget: int, fixed: Callable[[str], bool]) -> tuple[PartMove, ...]:
    """Disks that leave file systems which will be too full, the largest first, until those are not any more."""
    holds_images = {_path(store) for g in full.topology if (store := _store(full, g)) is not None}
    way = _Way(
        part=Part.DISK, metric=FULL, share=_image_share, values=_image_values, caution=lambda t: _unmeasured(full, t)
    )
    moves: list[PartMove] = []
    for source in full.sources(FULL, EntityKind.PATH):
        guests = [g for g in full.parts(source.parent, EntityKind.VM) if _store(full, g) == source and not fixed(g.id)]
        guests.sort(key=lambda g: (-(_number(g, "disk_gib") * _number(g, "disk_filled_pct")), g.id))
        targets = [t for t in full.targets(source, FULL) if _path(t) in holds_images and _is_idle(full, t)]
        moves += _relieved(full, way, source, guests, targets)[: budget - len(moves)]
    return tuple(moves)


def uplink_moves(
    full: Fullness, networks: Sequence[Collection[str]], *, budget: int, fixed: Callable[[str], bool]
) -> tuple[PartMove, ...]:
    """Network cards that leave uplinks which will be too full, for another bridge of the same network."""
    way = _Way(
        part=Part.UPLINK,
        metric=BUSY_LINK,
        share=lambda guest, uplink, _coming: _traffic_share(full, guest, uplink),
        values=lambda _guest, _source, target: {"new_bridge": target.labels["bridge"]},
    )
    moves: list[PartMove] = []
    for source in full.sources(BUSY_LINK, EntityKind.INTERFACE):
        bridge = source.labels.get("bridge", "")
        same = {name for group in networks if bridge in group for name in group} - {bridge}
        guests = [g for g in full.parts(source.parent, EntityKind.VM) if g.labels.get("bridge") == bridge != ""]
        guests = [g for g in guests if not fixed(g.id) and _traffic(full, g)[1] > 0]
        guests.sort(key=lambda g: (-_traffic(full, g)[1], g.id))
        targets = [t for t in full.targets(source, BUSY_LINK) if t.labels.get("bridge") in same]
        moves += _relieved(full, way, source, guests, targets)[: budget - len(moves)]
    return tuple(moves)


def _relieved(
    full: Fullness, way: _Way, source: Entity, guests: Sequence[Entity], targets: Sequence[Entity]
) -> list[PartMove]:
    """Moves off a source until the least that they take away brings it below its limit; they add up."""
    here, there = full.busy(source.id, way.metric) or 0.0, way.there
    low = high = here
    for target in targets:
        there.setdefault(target.id, (full.busy(target.id, way.metric) or 0.0,) * 2)
    moves: list[PartMove] = []
    for guest in guests:
        if moves and high < full.limit(source.id, way.metric):
            break
        leaves = way.share(guest, source, False)
        offers = [(target, way.share(guest, target, True)) for target in targets]
        after = {
            t.id: (there[t.id][0] + comes[0], there[t.id][1] + comes[1])
            for t, comes in offers
            if comes is not None and there[t.id][1] + comes[1] <= full.limit(t.id, way.metric) - ROOM
        }
        if leaves is None or not after:
            continue
        chosen = min(after, key=lambda name: (after[name][1], name))
        before, there[chosen] = there[chosen][1], after[chosen]
        low, high = max(low - leaves[1], 0.0), max(high - leaves[0], 0.0)
        target = full.topology[chosen]
        moves.append(
            PartMove(
                guest=guest.id,
                part=way.part,
                source=source.id,
                target=chosen,
                source_before=here,
                source_low=low,
                source_high=high,
                target_before=before,
                target_low=after[chosen][0],
                target_high=after[chosen][1],
                values=way.values(guest, source, target),
                caution=way.caution(target),
            )
        )
    return moves


def _store(full: Fullness, guest: Entity) -> Entity | None:
    """The file system that a guest's image lies on: the innermost of its host."""
    image = guest.labels.get("disk_path", "")
    if guest.kind != EntityKind.VM or not image:
        return None
    folders = {str(folder) for folder in PurePosixPath(image).parents}
    holding = [store for store in full.parts(guest.parent, EntityKind.PATH) if _path(store) in folders]
    return max(holding, key=lambda store: len(_path(store)), default=None)


def _path(store: Entity) -> str:
    return store.id.partition(":")[2]


def _image_share(guest: Entity, store: Entity, coming: bool) -> Points | None:  # noqa: FBT001 - as _Way has it
    """Percent of a store that an image takes, least and most; at the target it may grow to its full size."""
    size, image, filled = _number(store, "size_gib"), _number(guest, "disk_gib"), _number(guest, "disk_filled_pct")
    if not size or not image or not filled or "disk_target" not in guest.labels:
        return None
    least, most = image * (filled - STEP) / 100, image * (1 if coming else filled / 100)
    return 100 * least / size, 100 * most / size


def _image_values(guest: Entity, source: Entity, target: Entity) -> Mapping[str, str]:
    """What the commands need; folders become part of the name, as a store has an image of that name for each guest."""
    image = guest.labels["disk_path"]
    parts = PurePosixPath(image).relative_to(_path(source)).parts
    new = str(PurePosixPath(_path(target)) / "-".join(parts))
    return {"guest": guest.id, "guest_disk": guest.labels["disk_target"], "old_image": image, "new_image": new}


def _disk_below(full: Fullness, store: Entity) -> float | None:
    """How busy the disk below a store is; None where nothing says."""
    device = store.labels.get("device", "")
    return full.busy(f"{store.parent}/{device}", BUSY_DISK) if device else None


def _is_idle(full: Fullness, store: Entity) -> bool:
    busy = _disk_below(full, store)
    return busy is None or busy <= HEADROOM


def _unmeasured(full: Fullness, store: Entity) -> str:
    return UNMEASURED if _disk_below(full, store) is None else ""


def _traffic(full: Fullness, guest: Entity) -> Points:
    """KiB/s of a guest in its busier direction: usually, and when it is busy."""
    levels = [level for metric in TRAFFIC if (level := full.levels.get(Series(guest.id, metric))) is not None]
    return max((level.usual for level in levels), default=0.0), max((level.busy for level in levels), default=0.0)


def _traffic_share(full: Fullness, guest: Entity, uplink: Entity) -> Points | None:
    """Percent of an uplink's speed that a guest takes usually, and when it is busy."""
    speed = _number(uplink, "speed_mbits") * KIB_A_MBIT
    usual, busy = _traffic(full, guest)
    return (100 * usual / speed, 100 * busy / speed) if speed else None


def _number(entity: Entity, label: str) -> float:
    """A label that is a finite number above 0; else 0."""
    try:
        number = float(entity.labels.get(label, ""))
    except ValueError:
        return 0.0
    return number if isfinite(number) and number > 0 else 0.0
