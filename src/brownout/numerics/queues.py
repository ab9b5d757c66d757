"""Queues in closed form."""

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

__all__ = ["erlang_c", "mathis_kbs", "response_ratio"]

Array = npt.NDArray[np.float64]
MSS_BYTES = 1460
SATURATED = 0.995
"""Beyond this use an open queue has no finite answer; a closed system with impatient users stays below it."""


def erlang_c(servers: int, use: Array) -> Array:
    """Probability that an arrival waits in M/M/c at a use below 1 (Erlang's C formula)."""
    load = np.asarray(use, float) * servers
    # C = P(N = c) / (P(N = c) + (1 - use) P(N < c)) with N ~ Poisson(load), which does not overflow.
    at, below = poisson.pmf(servers, load), poisson.cdf(servers - 1, load)
    waits: Array = at / (at + (1 - np.asarray(use)) * below)
    return waits


def response_ratio(servers: int, use: Array) -> Array:
    """Mean response time over service time of M/M/c; use is clipped below saturation."""
    use = np.clip(use, 1e-6, SATURATED)
    ratio: Array = 1 + erlang_c(servers, use) / (servers * (1 - use))
    return ratio


def mathis_kbs(rtt_ms: Array, loss: Array) -> Array:
    """Upper bound of a TCP stream's KiB/s under random loss: MSS / (RTT sqrt(p)) (Mathis et al. 1997)."""
    bound: Array = MSS_BYTES / 1024 / (np.maximum(rtt_ms, 0.1) / 1000 * np.sqrt(np.maximum(loss, 1e-7)))
    return bound
