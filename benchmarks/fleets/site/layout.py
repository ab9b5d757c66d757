"""What a fleet is made of: sites, hosts with their media and links, guests with their roles."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fleets.site.streams import Streams

__all__ = ["MEDIA", "Guest", "Host", "Layout", "lay_out"]


@dataclass(frozen=True, kw_only=True)
class Medium:
    """A kind of storage: service time of one request, requests served at once, throughput, delay when saturated."""

    service_ms: float
    servers: int
    mib_s: float
    saturated_ms: float
    flush_ms: float
    device: str


MEDIA = {
    "nvme": Medium(service_ms=0.09, servers=32, mib_s=1800, saturated_ms=9, flush_ms=0.5, device="nvme0n1"),
    "ssd": Medium(service_ms=0.3, servers=8, mib_s=480, saturated_ms=30, flush_ms=1.8, device="sda"),
    "hdd": Medium(service_ms=6.5, servers=6, mib_s=380, saturated_ms=140, flush_ms=11, device="md0"),
}
"""Service times as in the tables of device figures; an hdd is an array of six spindles."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A hypervisor; ``speed`` is how fast its cores are beside the fleet's mean."""

    name: str
    site: str
    cores: int
    ram_gib: float
    speed: float
    medium: str
    link_mbits: int
    rtt_ms: float
    ttl: int
    fill_pct: float

    @property
    def disk(self) -> str:
        """Id of its disk."""
        return f"{self.name}/{MEDIA[self.medium].device}"

    @property
    def path(self) -> str:
        """Id of the file system that holds the images."""
        return f"{self.name}:/var/lib/libvirt/images"

    @property
    def interface(self) -> str:
        """Id of its uplink."""
        return f"{self.name}/bond0"

    @property
    def link(self) -> str:
        """Id of the path from the probe to it."""
        return f"probe-{self.site}>{self.name}"


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A virtual machine; ``labels`` is its configuration, ``first`` and ``last`` the share of time that it exists."""

    name: str
    role: str
    host: int
    vcpus: int
    mem_gib: float
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def console(self) -> str:
        """Id of its console."""
        return f"{self.name}/console"


ROLES = {"desk": 0.38, "web": 0.2, "db": 0.14, "ci": 0.1, "batch": 0.08, "idle": 0.1}
"""Share of the guests of each role."""
CROWDED = {"desk": 0.36, "web": 0.5, "db": 0.48, "ci": 0.43, "batch": 0.95, "idle": 0.05}
"""Share of its vCPUs that a guest of a role takes when it is busiest: what hosts are sized by."""


@dataclass(frozen=True)
class Layout:
    """Hosts and guests, and figures of all guests as arrays ``[guest]``."""

    hosts: tuple[Host, ...]
    guests: tuple[Guest, ...]

    @cached_property
    def vcpus(self) -> npt.NDArray[np.float32]:
        """Virtual CPUs of each guest."""
        return np.array([guest.vcpus for guest in self.guests], np.float32)

    @cached_property
    def mem_gib(self) -> npt.NDArray[np.float32]:
        """Memory of each guest."""
        return np.array([guest.mem_gib for guest in self.guests], np.float32)

    @cached_property
    def home(self) -> npt.NDArray[np.int64]:
        """The host that each guest begins on."""
        return np.array([guest.host for guest in self.guests], np.int64)

    @cached_property
    def roles(self) -> npt.NDArray[np.str_]:
        """The role of each guest."""
        return np.array([guest.role for guest in self.guests])

    def host_column(self, name: str) -> npt.NDArray[np.float32]:
        """A figure of all hosts ``[host, 1]``, ready to be broadcast over time."""
        return np.array([[getattr(host, name)] for host in self.hosts], np.float32)


def lay_out(streams: Streams, hosts: int, vms: int) -> Layout:
    """Hosts of unlike size and guests of unlike role, about as many on each host."""
    rng = streams.of("layout")
    roles = rng.choice(list(ROLES), vms, p=list(ROLES.values()))
    homes = np.arange(vms) % hosts
    rng.shuffle(homes)
    guests = tuple(
        _guest(rng, number, str(role), int(home)) for number, (role, home) in enumerate(zip(roles, homes, strict=True))
    )
    return Layout(tuple(_host(rng, number, hosts, guests) for number in range(hosts)), guests)


def _guest(rng: np.random.Generator, number: int, role: str, home: int) -> Guest:
    vcpus = int(rng.choice([2, 4, 8], p=[0.3, 0.5, 0.2]))
    return Guest(
        name=f"{role}-{number:03d}",
        role=role,
        host=home,
        vcpus=vcpus,
        mem_gib=float(vcpus * rng.choice([2, 4])),
        labels={
            "vcpus": str(vcpus),
            "disk_bus": "virtio",
            "iothreads": "1",
            "video_model": "virtio",
            "graphics_type": "vnc",
            "os": "windows" if role == "desk" and rng.random() < 0.4 else "linux",
            "domain_type": "kvm",
        },
    )


def _host(rng: np.random.Generator, number: int, hosts: int, guests: tuple[Guest, ...]) -> Host:
    own = [guest for guest in guests if guest.host == number]
    peak, memory = sum(g.vcpus * CROWDED[g.role] for g in own), sum(g.mem_gib for g in own)
    far = hosts >= 4 and number >= hosts - hosts // 3
    cores = max(12, 4 * round(peak / rng.uniform(0.42, 0.56) / 4))
    medium = str(rng.choice(list(MEDIA), p=[0.45, 0.35, 0.2]))
    return Host(
        name=f"kvm{number + 1:02d}",
        site="west" if far else "main",
        cores=cores,
        ram_gib=float(8 * round((memory * 0.84 + 6) / rng.uniform(0.58, 0.7) / 8 + 1)),
        speed=float(rng.uniform(0.92, 1.08)),
        medium=medium,
        link_mbits=int(rng.choice([1000, 10_000], p=[0.4, 0.6])),
        rtt_ms=float(rng.uniform(5, 14) if far else rng.uniform(0.3, 0.9)),
        ttl=58 if far else 63,
        fill_pct=float(rng.uniform(38, 72)),
    )
