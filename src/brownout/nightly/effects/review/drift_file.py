"""Drift that a night found, kept for the next one: it is a reason to train again."""

from dataclasses import dataclass
from pathlib import Path

from brownout.domain.encoding import Instant, encode
from brownout.domain.errors import DataError
from brownout.domain.findings.model_drift import Drift, DriftOf, ModelDrift
from brownout.domain.night import ModelRecord
from brownout.reporting.numbers import figure
from brownout.store.atomic import write_text
from brownout.store.plain_json import read_result

__all__ = ["KeptDrift", "drift_reason", "keep_drift", "read_drift"]

FEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDrift:
    """What the last night found; ``since`` is the end of the data of the first night in a row that found any."""

    drift: ModelDrift
    since: Instant | None


def read_drift(champion: Path) -> KeptDrift | None:
    """What the last night found; None where there was none, or its file is damaged."""
    path = _path(champion)
    if not path.is_file():
        return None
    try:
        return read_result(KeptDrift, path)
    except DataError:
        return None


def keep_drift(champion: Path, drift: ModelDrift | None) -> None:
    """Keep what a night found; a model of another training begins anew."""
    if drift is None:
        return
    known = read_drift(champion)
    since = None
    if drift.drifted:
        goes_on = known is not None and known.since is not None and known.drift.trained_to == drift.trained_to
        since = known.since if known is not None and goes_on else drift.end
    write_text(_path(champion), encode(KeptDrift(drift=drift, since=since)))


def drift_reason(champion: Path, in_use: ModelRecord | None, newest: ModelRecord | None) -> str:
    """Why drift asks for a training, in words; "" where it does not.

    One training answers a drift: where a newer model has seen data from after its beginning and was not taken, a person
    decides, and no night trains again for the same.
    """
    known = read_drift(champion)
    if known is None or known.since is None or in_use is None or newest is None:
        return ""
    if known.drift.trained_to != in_use.trained_to or newest.trained_to >= known.since:
        return ""
    drifts = "; ".join(_words(drift) for drift in known.drift.drifted[:FEW])
    more = len(known.drift.drifted) - FEW
    return f"what it learned from has drifted: {drifts}{f' and {more} more' if more > 0 else ''}"


def _words(drift: Drift) -> str:
    if drift.of is DriftOf.INPUT:
        who = f" of {drift.kind}" if drift.kind else ""
        return f"{drift.name}{who} (PSI {drift.psi:.2f}, median {figure(drift.before)} then, {figure(drift.now)} now)"
    what = "loss beside seasonal-naive" if drift.of is DriftOf.RESIDUAL else "share inside the 80 % interval"
    return f"{what} for {drift.name} ({figure(drift.before)} then, {figure(drift.now)} now)"


def _path(champion: Path) -> Path:
    return champion.with_name(f"{champion.name}-drift.json")
