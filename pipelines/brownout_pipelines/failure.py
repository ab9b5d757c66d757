"""Told of a failure: what a trigger of the server starts when another run of brownout failed or crashed."""

from pathlib import Path

from prefect import flow

from brownout.bootstrap import clock, open_alerting
from brownout.nightly.effects.alerting.failure_notice import tell_failure
from brownout.nightly.effects.side_effects import SideEffects
from brownout.settings import load_settings

__all__ = ["failure"]


@flow(name="brownout-failure")
def failure(config: Path | None = None, run: str = "", said: str = "") -> tuple[str, ...]:
    """Tell the people of ``[alerts]`` that a run failed and what it said; returns what did not work.

    Raises RuntimeError, so that the server shows it, where somebody should have been told and nobody was.
    """
    alerting, effects = open_alerting(load_settings(config).alerts), SideEffects()
    alerted = tell_failure(alerting, run, said, clock(), effects)
    if effects.exit_code and not alerted:
        raise RuntimeError("; ".join(effects.lines()))
    return effects.lines()
