"""The baseline of a console: its mean latency over half an hour, and whether that is good enough to compare with."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from brownout.probe.points import Point

__all__ = ["LIMIT_MS", "Baseline", "Verdict", "latency_of"]

LIMIT_MS = 150.0
"""Mean below which a baseline is accepted: crisp response (Tolia, Andersen, Satyanarayanan, Computer 39(3), 2006)."""
ENOUGH = 0.8
"""Share of probes that must have succeeded: 48 of 60."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One console's baseline.

    ``stage`` is what the mean is of: ``update`` (request to first update), or ``open`` (connect to negotiated) where no
    session may be opened, as with SPICE.
    """

    console: str
    stage: str
    mean_ms: float | None
    probes: int
    succeeded: int
    limit_ms: float = LIMIT_MS

    @property
    def accepted(self) -> bool:
        """Whether enough probes succeeded and their mean is below the limit."""
        enough = self.succeeded >= ENOUGH * self.probes
        return enough and self.mean_ms is not None and self.mean_ms < self.limit_ms


class Baseline:
    """Collects points and judges them at the end."""

    def __init__(self) -> None:
        self._points: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))

    def add(self, points: Iterable[Point]) -> None:
        """Points of one connection."""
        for point in points:
            self._points[point.tags["domain_name"]][point.mode].append(point)

    def verdicts(self) -> list[Verdict]:
        """One for each console, in the order of their names."""
        return [self._verdict(name) for name in sorted(self._points)]

    def _verdict(self, console: str) -> Verdict:
        modes = self._points[console]
        stage = "update" if modes["update"] else "open"
        values = [
            value for point in modes["update" if modes["update"] else "handshake"] if (value := latency_of(point))
        ]
        return Verdict(
            console=console,
            stage=stage,
            mean_ms=statistics.fmean(values) if values else None,
            probes=len(modes["handshake"]),
            succeeded=len(values),
        )


def latency_of(point: Point) -> float | None:
    """Milliseconds of a success."""
    if point.result != "success":
        return None
    names = (
        ("update_latency_ms",) if point.mode == "update" else ("tcp_connect_ms", "auth_ms", "banner_ms", "negotiate_ms")
    )
    return sum(float(point.fields.get(name, 0.0)) for name in names)
