"""Model choice: which forecaster predicts which metric in which quarter of the horizon, by held-out windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from brownout.domain.forecasts import Skill
from brownout.domain.panel import Float
from brownout.forecasting.selection.calibration import BANDS, Calibration, bands_of, calibrate
from brownout.forecasting.selection.held_out import HeldOut
from brownout.numerics.arrays import Marks
from brownout.numerics.losses import path_losses, skill_ratio

__all__ = ["Choice", "calibration_of", "choose", "chosen_values"]

BASE = "seasonal-naive"
"""Denominator of every ratio, and the choice where no window could be scored."""

PRIOR = 6.0
"""Horizons of held-out windows that weigh as much as the network's own quantiles, as in rolling calibration."""
Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """Names of the chosen forecasters by metric, one for each band of the horizon, and their skill."""

    makers: Mapping[str, tuple[str, ...]]
    skills: tuple[Skill, ...]


def calibration_of(tables: Sequence[HeldOut], horizon: int) -> Calibration:
    """Factors from the windows that calibrate, drawn towards 1 by how few of them do not overlap."""
    if not tables:
        return Calibration(horizon, {})
    parts = [
        (table.metrics[table.calibrates], table.lstm.values[table.calibrates], table.actual[table.calibrates])
        for table in tables
    ]
    metrics, values, actual = (np.concatenate(column) for column in zip(*parts, strict=True))
    horizons = max(_independent_horizons(table) for table in tables)
    return calibrate(metrics, values, actual).tempered(horizons / (horizons + PRIOR), normal_tail=True)


def _independent_horizons(table: HeldOut) -> float:
    """How many horizons the calibrating origins of a table span: windows that overlap are no independent evidence."""
    origins = np.unique(table.lstm.origins[table.calibrates])
    if not len(origins):
        return 0.0
    span = float((origins[-1] - origins[0]) / np.timedelta64(table.lstm.interval_s, "s"))
    return min(1 + span / table.lstm.horizon, len(origins))


def choose(tables: Sequence[HeldOut], calibration: Calibration) -> Choice:
    """The forecasters of least CRPS by metric and band, on the windows that did not calibrate."""
    if not tables:
        return Choice({}, ())
    names = ("lstm", *tables[0].rivals)
    losses = np.concatenate([_losses(table, calibration) for table in tables], axis=2)
    metrics = np.concatenate([table.metrics[~table.calibrates] for table in tables])
    scale = np.concatenate([table.scale[~table.calibrates] for table in tables])
    makers, by_metric = {}, {}
    for metric in np.unique(metrics):
        kept = metrics == metric
        makers[str(metric)], by_metric[str(metric)] = _best(names, losses[:, :, kept], scale[kept])
    inside = np.concatenate([_inside(table, calibration, makers) for table in tables])
    skills = [_named(skill, metric, inside[metrics == metric].sum(0)) for metric, skill in by_metric.items()]
    return Choice(makers, (_overall(skills), *skills))


def chosen_values(table: HeldOut, calibration: Calibration, makers: Mapping[str, tuple[str, ...]]) -> Float:
    """Quantiles of all rows: of those that choose by their metric's forecasters, of the others by the LSTM."""
    values = calibration.apply(table.lstm)
    choosing = np.flatnonzero(~table.calibrates)
    by_step = _makers_of(table, makers)
    for name, rival in table.rivals.items():
        values[choosing] = np.where((by_step == name)[..., None], rival.values, values[choosing])
    return values


def _makers_of(table: HeldOut, makers: Mapping[str, tuple[str, ...]]) -> npt.NDArray[np.str_]:
    """Name of the forecaster of each step of the rows that choose: ``[row, step]``."""
    steps = table.actual.shape[1]
    by_band = np.array([makers[metric] for metric in table.metrics[~table.calibrates]]).reshape(-1, BANDS)
    by_step: npt.NDArray[np.str_] = by_band[:, bands_of(steps, steps)]
    return by_step


def _losses(table: HeldOut, calibration: Calibration) -> Table:
    """``[candidate, band, row, loss]``: absolute, quantile, inside, count."""
    rows = ~table.calibrates
    candidates = [calibration.apply(table.lstm)[rows], *(rival.values for rival in table.rivals.values())]
    actual = table.actual[rows]
    bands = bands_of(actual.shape[1], actual.shape[1])
    return np.stack(
        [np.stack([_columns(values, actual, bands == band) for band in range(BANDS)]) for values in candidates]
    )


def _columns(values: Float, actual: Float, steps: Marks) -> Table:
    loss = path_losses(values[:, steps], actual[:, steps])
    return np.stack([loss.absolute, loss.quantile, loss.inside, loss.count], axis=1)


def _inside(table: HeldOut, calibration: Calibration, makers: Mapping[str, tuple[str, ...]]) -> Table:
    """Values of each row within the 50 % and 90 % interval of what was chosen, and all: ``[row, 3]``.

    Forecasters without outer quantiles have no 90 % interval: NaN.
    """
    rows = ~table.calibrates
    values, actual = chosen_values(table, calibration, makers)[rows], table.actual[rows]
    by_step = _makers_of(table, makers)
    outer = np.full((*actual.shape, 2), np.nan, np.float32)
    for name, bounds in {"lstm": calibration.outer(table.lstm)[rows], **table.outer}.items():
        outer = np.where((by_step == name)[..., None], bounds, outer)
    lower, upper = (values[..., [low, low + 1]].mean(axis=-1) for low in (1, 6))
    half = (actual >= lower) & (actual <= upper)
    most = np.where(np.isfinite(outer[..., 0]), (actual >= outer[..., 0]) & (actual <= outer[..., 1]), np.nan)
    return np.stack([half.sum(1), most.sum(1), np.isfinite(actual).sum(1)], axis=1).astype(np.float64)


def _best(names: Sequence[str], losses: Table, scale: Table) -> tuple[tuple[str, ...], Skill]:
    """Forecasters of the bands and their skill together; ``losses [candidate, band, row, loss]`` of a metric."""
    base = names.index(BASE)
    ratios = np.array(
        [
            [
                skill_ratio(of_band[:, 1], naive[:, 1], of_band[:, 3], scale)
                for of_band, naive in zip(candidate, losses[base], strict=True)
            ]
            for candidate in losses
        ]
    )
    best = np.where(np.isfinite(ratios).any(axis=0), np.nan_to_num(ratios, nan=np.inf).argmin(axis=0), base)
    chosen = losses[best, np.arange(losses.shape[1])].sum(axis=0)
    naive, lstm = losses[base].sum(axis=0), losses[0].sum(axis=0)
    makers = tuple(names[candidate] for candidate in best)
    skill = Skill(
        metric="",
        maker="+".join(dict.fromkeys(makers)),
        windows=int((chosen[:, 3] > 0).sum()),
        mase=skill_ratio(chosen[:, 0], naive[:, 0], naive[:, 3], scale),
        crps=skill_ratio(chosen[:, 1], naive[:, 1], naive[:, 3], scale),
        coverage=float(chosen[:, 2].sum() / max(chosen[:, 3].sum(), 1)),
        note=_note(
            [names[candidate] for candidate in best],
            skill_ratio(lstm[:, 1], naive[:, 1], naive[:, 3], scale),
            ratios[0],
        ),
        quarters=tuple((name, tuple(row)) for name, row in zip(names, ratios.tolist(), strict=True)),
    )
    return makers, skill


def _note(chosen: Sequence[str], lstm: float, by_band: Table) -> str:
    """Where the LSTM is not used, alone or with the forecasts of load, and what its CRPS was there."""
    lost = [band for band, name in enumerate(chosen) if not name.startswith("lstm")]
    if not lost:
        return "" if set(chosen) == {"lstm"} else f"without the forecasts of load the LSTM had a CRPS of {lstm:.2f}"
    if len(lost) == len(chosen):
        return f"the LSTM had a CRPS of {lstm:.2f} × seasonal-naive, so it is not used"
    quarters = ", ".join(f"{by_band[band]:.2f} in quarter {band + 1}" for band in lost)
    return f"the LSTM had a CRPS of {quarters} of the horizon, so it is not used there"


def _named(skill: Skill, metric: str, shares: Table) -> Skill:
    """With the metric's name, and the coverage of the other intervals where they are known."""
    half, most = (float(shares[k] / shares[2]) if shares[2] > 0 else float("nan") for k in (0, 1))
    return replace(skill, metric=metric, coverage_50=half, coverage_90=most)


def _overall(skills: Sequence[Skill]) -> Skill:
    """Geometric means of the ratios over metrics, mean coverage weighted by windows."""
    used = [s for s in skills if np.isfinite(s.mase) and np.isfinite(s.crps) and min(s.mase, s.crps) > 0]
    windows = np.array([s.windows for s in skills])
    return Skill(
        metric="",
        maker="selected",
        windows=int(windows.sum()),
        mase=float(np.exp(np.mean(np.log([s.mase for s in used])))) if used else float("nan"),
        crps=float(np.exp(np.mean(np.log([s.crps for s in used])))) if used else float("nan"),
        coverage=_mean([s.coverage for s in skills], windows),
        coverage_50=_mean([s.coverage_50 for s in skills], windows),
        coverage_90=_mean([s.coverage_90 for s in skills], windows),
    )


def _mean(shares: Sequence[float], weights: npt.NDArray[np.int64]) -> float:
    known = np.isfinite(shares)
    if not known.any():
        return float("nan")
    return float(np.average(np.array(shares)[known], weights=np.maximum(weights[known], 1)))
