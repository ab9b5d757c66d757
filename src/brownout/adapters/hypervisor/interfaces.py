"""Network interfaces of a host as its kernel tells them: which carry the host, which are guests' and overlays'."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Interface", "interfaces"]

LOOPBACK = "772"
"""ARPHRD_LOOPBACK of linux/if_arp.h."""
OVERLAYS = frozenset(
    {"vxlan", "geneve", "gre", "gretap", "ip6gre", "erspan", "macvlan", "macvtap", "ipvlan", "wireguard"}
)
CARRIERS = frozenset({"physical", "bond", "team", "vlan"})


@dataclass(frozen=True, slots=True)
class Interface:
    """What an interface is, and whether it is the host's own; None where the kernel does not say.

    ``bridge`` is the bridge that it is in, and ``speed_mbits`` its speed; "" for none, or where nothing says.
    """

    kind: str
    own: bool | None
    bridge: str = ""
    speed_mbits: str = ""


def interfaces(root: Path = Path("/")) -> Mapping[str, Interface]:
    """All interfaces below a root, which is / but in tests, by name.

    A bridge is the host's own where a card, a bond or a VLAN is in it: one of guests alone is theirs.
    """
    folders = {path.name: path for path in sorted(root.glob("sys/class/net/*")) if (path / "type").exists()}
    kinds = {name: _kind(folder) for name, folder in folders.items()}
    return {
        name: Interface(kind, _own(folder, kind, kinds), _bridge(folder), _speed(folder))
        for name, kind in kinds.items()
        for folder in [folders[name]]
    }


def _kind(folder: Path) -> str:  # noqa: PLR0911 - one way out for each kind
    if _text(folder / "type") == LOOPBACK:
        return "loopback"
    if (folder / "bonding").exists():
        return "bond"
    if (folder / "bridge").exists():
        return "bridge"
    if (folder / "tun_flags").exists():
        return "tap"
    declared = dict(line.partition("=")[::2] for line in _text(folder / "uevent").splitlines()).get("DEVTYPE", "")
    if declared in OVERLAYS:
        return declared
    if declared == "vlan":
        return "vlan"
    if (folder / "device").exists():
        return "physical"
    lower = list(folder.glob("lower_*"))
    if _text(folder / "iflink") not in ("", _text(folder / "ifindex")) and not lower:
        return "veth"
    return declared or "virtual"


def _own(folder: Path, kind: str, kinds: Mapping[str, str]) -> bool | None:
    if kind == "virtual":
        return None  # Open vSwitch's ports and teams look alike
    if kind == "bridge":
        return any(kinds.get(port.name) in CARRIERS for port in folder.glob("brif/*"))
    if kind == "vlan":
        below = [kinds.get(link.name.removeprefix("lower_"), "") for link in folder.glob("lower_*")]
        return not below or any(one in CARRIERS or one == "bridge" for one in below)
    return kind in CARRIERS


def _bridge(folder: Path) -> str:
    """The bridge of a port; a member of a bond is none itself."""
    return (folder / "master").resolve().name if (folder / "brport").exists() else ""


def _speed(folder: Path) -> str:
    """Mbit/s of the card; "" where the kernel says -1 or nothing."""
    speed = _text(folder / "speed")
    return speed if speed.isdecimal() and int(speed) else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
