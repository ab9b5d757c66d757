"""Clocks of hosts: what a collector writes while its host's clock is ahead, and when it has been set back.

The samples of the host and of its guests are stamped that much later: a gap, then values of earlier. Once the clock is
right again, new samples replace those that already stand at their times, as a database does with points of one time. A
counter's rate is its growth over the time between two stamps: too low across the gap, too high where the clock was set.
Of a long fleet that is simulated stretch by stretch, a span over the edge of two is stamped as two spans.
"""

import numpy as np
import numpy.typing as npt

from brownout.simulation.physics.load import Array

__all__ = ["RATES", "stamped"]

RATES = frozenset({
    "host_swap_kbs", "host_majfault_per_s",
    "disk_queue", "disk_read_kbs", "disk_write_kbs", "net_rx_kbs", "net_tx_kbs", "net_util_pct", "net_drop_per_s",
    "vm_cpu_pct", "vm_ready_pct", "vm_swap_kbs", "vm_majfault_per_s", "vm_disk_iops", "vm_disk_kbs",
    "vm_net_rx_kbs", "vm_net_tx_kbs",
})  # fmt: skip
"""Metrics that are the growth of a counter over time, beside those that ``measurements.toml`` calls rates.

Ratios of two counters do not care how long it took.
"""


def stamped(values: Array, ahead: npt.NDArray[np.int64], rates: npt.NDArray[np.bool_]) -> Array:
    """Values ``[entity, time, metric]`` as they are stamped by clocks that are ``ahead [entity, time]`` slots."""
    shifted = values.copy()
    for row in np.flatnonzero((ahead > 0).any(axis=1)).tolist():
        edges = np.flatnonzero(np.diff(np.concatenate(([0], ahead[row], [0]))))
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            _shift(shifted[row], values[row], (first, last), int(ahead[row, first]), rates)
    return shifted


def _shift(shifted: Array, values: Array, span: tuple[int, int], ahead: int, rates: npt.NDArray[np.bool_]) -> None:
    """Stamp the span of an entity ``[time, metric]`` later; what is stamped after its end is replaced anyway."""
    first, last = span
    begin = min(first + ahead, last)
    shifted[first:last] = np.nan
    shifted[begin:last] = values[first : first + last - begin]
    if begin < last:
        shifted[begin, rates] = values[first, rates] / (ahead + 1)
    if last < len(shifted):
        # The sample stamped before it is as old as the clock was ahead, or lies before the gap.
        since = last - ahead if begin < last else first
        shifted[last, rates] = values[since : last + 1, rates].sum(axis=0) / (1 if begin < last else last - first + 1)
