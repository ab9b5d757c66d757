"""Network of a host: net, netstat, nstat and conntrack."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from brownout.adapters.agent.gathered import Sample, read, read_or_none

__all__ = ["conntrack", "net", "netstat", "nstat"]

TCP = {
    "01": "established", "02": "syn_sent", "03": "syn_recv", "04": "fin_wait1", "05": "fin_wait2", "06": "time_wait",
    "07": "close", "08": "close_wait", "09": "last_ack", "0A": "listen", "0B": "closing",
}  # fmt: skip
"""States of /proc/net/tcp: include/net/tcp_states.h."""
COUNTERS = {
    "bytes_recv": 0, "packets_recv": 1, "err_in": 2, "drop_in": 3,
    "bytes_sent": 8, "packets_sent": 9, "err_out": 10, "drop_out": 11,
}  # fmt: skip
"""Places in a line of /proc/net/dev."""
LOOPBACK, UP = 0x8, 0x1
STREAM, DATAGRAM = "0001", "0002"
"""Kinds of unix sockets in /proc/net/unix."""


def net(root: Path) -> Iterator[Sample]:
    """Counters of each interface that is up, loopback left out; a speed of -1 Mbit/s is unknown."""
    for text in read(root / "proc/net/dev").splitlines()[2:]:
        name, _, rest = text.strip().rpartition(":")
        figures = rest.split()
        own = root / "sys/class/net" / name
        flags = int((read_or_none(own / "flags") or "0x1").strip(), 16)
        if len(figures) > 11 and flags & UP and not flags & LOOPBACK and name != "lo":
            counters = {field: int(figures[column]) for field, column in COUNTERS.items()}
            yield Sample("net", {**counters, "speed": _speed(own)}, {"interface": name})


def netstat(root: Path) -> Iterator[Sample]:
    """Sockets by state; streams between processes of the host have none."""
    states: Counter[str] = Counter()
    for name in ("tcp", "tcp6"):
        rows = (text.split(None, 4) for text in (read_or_none(root / "proc/net" / name) or "").splitlines()[1:])
        states.update(TCP.get(words[3], "none") for words in rows if len(words) > 3)
    datagrams = sum(len((read_or_none(root / "proc/net" / name) or "").splitlines()[1:]) for name in ("udp", "udp6"))
    unix = (text.split(None, 5) for text in (read_or_none(root / "proc/net/unix") or "").splitlines()[1:])
    kinds = Counter(words[4] for words in unix if len(words) > 4)
    states["none"] += kinds[STREAM]
    fields = {f"tcp_{name}": states[name] for name in (*TCP.values(), "none")}
    yield Sample("netstat", {**fields, "udp_socket": datagrams + kinds[DATAGRAM]})


def nstat(root: Path) -> Iterator[Sample]:
    """Counters of the protocols, zeros among them: as Telegraf's ``dump_zeros = true``."""
    for name in ("netstat", "snmp"):
        fields: dict[str, int] = {}
        lines = read(root / "proc/net" / name).splitlines()
        for names, values in pairwise(lines):
            protocol = names.partition(":")[0]
            if values.startswith(f"{protocol}: ") and names.split()[1:2] and not names.split()[1].lstrip("-").isdigit():
                pairs = zip(names.split()[1:], values.split()[1:], strict=False)
                fields |= {protocol + field: int(value) for field, value in pairs}
        yield Sample("nstat", fields, {"name": name})
    if text := read_or_none(root / "proc/net/snmp6"):
        pairs6 = (words.split() for words in text.splitlines())
        yield Sample("nstat", {pair[0]: int(pair[1]) for pair in pairs6 if len(pair) == 2}, {"name": "snmp6"})


def conntrack(root: Path) -> Iterator[Sample]:
    """How full the table of connections is; nothing where the kernel tracks none."""
    folder = root / "proc/sys/net/netfilter"
    texts = {name: read_or_none(folder / f"nf_conntrack_{name}") for name in ("count", "max")}
    if all(texts.values()):
        yield Sample("conntrack", {f"ip_conntrack_{name}": float(text or 0) for name, text in texts.items()})


def _speed(interface: Path) -> int:
    text = (read_or_none(interface / "speed") or "").strip()
    return int(text) if text.lstrip("-").isdigit() else -1
