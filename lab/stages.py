"""``python -m lab.stages DATASET``: milliseconds of each stage of a console, quiet and under each fault."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["STAGES", "at_home", "stage_table"]

STAGES = {
    "connect": ("handshake", "tcp_connect_ms"),
    "main loop": ("handshake", "mainloop_ms"),
    "update": ("update", "update_latency_ms"),
}
"""Stages, with the mode of the probe and the column that have them; SPICE's link needs a key made each time."""
BEGINNING = pd.Timedelta(seconds=2)
SETTLED = pd.Timedelta(seconds=10)
"""How long after a fault a console is neither quiet nor under it."""
OF_ALL = ("host busy", "noisy neighbours", "disk busy", "long path", "jitter", "loss", "narrow path", "backup")
"""Faults that befall every guest; others are looked at in their own guest only."""


def stage_table(folder: Path) -> pd.DataFrame:
    """Rows ``fault`` ("quiet" first), ``protocol`` and ``stage``: number of probes, median and 95th percentile."""
    probes = pd.read_csv(folder / "console_probe.csv")
    at = pd.to_datetime(probes["time_ms"], unit="ms", utc=True)
    waits = probes[["banner_ms", "negotiate_ms"]].min(axis=1) - probes["tcp_connect_ms"]
    probes["mainloop_ms"] = waits.clip(lower=0)
    probes["fault"] = "quiet"
    for row in pd.read_csv(folder / "injections.csv").fillna("").to_dict("records"):
        start, end = pd.Timestamp(row["start"]), pd.Timestamp(row["end"])
        probes.loc[at.between(start - BEGINNING, end + SETTLED), "fault"] = ""
        own = at.between(start + BEGINNING, end) & at_home(probes, row["fault"], row["guest"])
        probes.loc[own, "fault"] = row["fault"]
    rows = [
        {"fault": fault, "protocol": protocol, "stage": stage, **_figures(part[part["mode"] == mode], column)}
        for (fault, protocol), part in probes[probes["fault"] != ""].groupby(["fault", "protocol"])
        for stage, (mode, column) in STAGES.items()
        if part.loc[part["mode"] == mode, column].notna().any()
    ]
    table = pd.DataFrame(rows)
    return table.sort_values("fault", kind="stable", key=lambda names: names.where(names != "quiet", ""))


def _figures(part: pd.DataFrame, column: str) -> dict[str, float]:
    p50, p95 = np.percentile(part[column].dropna(), [50, 95])
    failed = 100 * float((part["result"] != "success").mean())
    return {"probes": len(part), "failed_pct": failed, "p50": p50, "p95": p95}


def at_home(probes: pd.DataFrame, fault: str, guest: str) -> "pd.Series[bool]":
    """Which probes are of guests that a fault befalls."""
    return (probes["guest"] == guest) | (fault in OF_ALL)


if __name__ == "__main__":
    print(stage_table(Path(sys.argv[1])).round(1).to_string(index=False))
