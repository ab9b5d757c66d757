"""How well consoles answered, from a panel: mean latency, how it felt, frame rate, failed attempts."""

import numpy as np

from brownout.domain.findings.experience import EXPERIENCE_METRICS, experience_of
from brownout.domain.findings.service_levels import BURN_WINDOWS_S, ConsoleHistory, ConsoleService
from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import median
from brownout.numerics.slots import days

__all__ = ["ANNOYING_MS", "CRISP_MS", "console_histories", "console_services"]

CRISP_MS, ANNOYING_MS = 150.0, 1000.0
"""An answer within 150 ms feels immediate, from 1 s on it annoys (Tolia, Andersen, Satyanarayanan, Computer, 2006)."""
FRAMES, FAILED, UPDATE = "console_fps", "console_failed_pct", "console_update_ms"


def console_services(panel: Panel, latency: str, end: np.datetime64) -> tuple[ConsoleService, ...]:
    """One for each entity of a panel whose console latency was measured in the day before ``end``."""
    if latency not in panel.metric_names:
        return ()
    day = panel.between(end - days(1), end)
    values, frames = _column(day, latency), _column(day, FRAMES)
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, values, 0).sum(axis=1, dtype=float) / count
    crisp = np.where(known, values < CRISP_MS, False).sum(axis=1) / count
    annoying = np.where(known, values >= ANNOYING_MS, False).sum(axis=1) / count
    rate = median(frames, axis=1)
    counted = set(np.flatnonzero(np.isfinite(_column(panel, FAILED)).any(axis=1)).tolist())
    felt = {name: _column(day, name) for name in EXPERIENCE_METRICS if name in panel.metric_names}
    felt[UPDATE] = values  # whatever a site's latency is called
    failed = [_failed(panel, end, seconds) for seconds in BURN_WINDOWS_S]
    return tuple(
        ConsoleService(
            console=panel.entity_ids[row],
            mean_ms=float(mean[row]),
            crisp=float(crisp[row]),
            annoying=float(annoying[row]),
            frames_per_s=float(rate[row]),
            failed=tuple(float(part[row]) for part in failed) if row in counted else (),
            experience=experience_of({name: column[row] for name, column in felt.items()}),
        )
        for row in np.flatnonzero(known.any(axis=1)).tolist()
    )


def console_histories(latency: Panel | None) -> tuple[ConsoleHistory, ...]:
    """Latency of each console on the slots of a panel that holds that one metric."""
    if latency is None:
        return ()
    return tuple(
        ConsoleHistory(console=name, start=latency.start, step_s=latency.interval_s, values=np.round(values, 1))
        for name, values in zip(latency.entity_ids, latency.values[..., 0], strict=True)
        if np.isfinite(values).any()
    )


def _column(panel: Panel, metric: str) -> Float:
    if metric not in panel.metric_names:
        return np.full(panel.values.shape[:2], np.nan, np.float32)
    return panel.values[..., panel.metric_names.index(metric)]


def _failed(panel: Panel, end: np.datetime64, seconds: int) -> Float:
    """Share of failed attempts by entity over the last seconds; NaN where none was made."""
    recent = panel.between(end - np.timedelta64(seconds, "s"), end)
    values = _column(recent, FAILED)
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1) / 100
    return np.where(known.any(axis=1), total, np.nan).astype(np.float32)
