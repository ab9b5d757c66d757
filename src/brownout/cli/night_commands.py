"""How a command runs a night: alone in its output folder, with Prefect where that can be had."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import typer

from brownout.cli.talk import complain, progress_bars, say
from brownout.domain.errors import OrchestrationError
from brownout.settings import load_settings
from brownout.store.leftovers import remove_leftovers
from brownout.store.night_lock import night_lock

__all__ = ["alone_in", "run_night"]


@contextmanager
def alone_in(out: Path, command: str) -> Iterator[None]:
    """Hold an output folder for a command and clear away what killed runs left; LockedError names the holder."""
    with night_lock(out, command=f"brownout {command}", now=np.datetime64("now")):
        left = remove_leftovers(out)
        if left:
            say(f"removed or finished what a killed run had left: {', '.join(str(path) for path in left)}")
        yield


def run_night(out: Path, config: Path | None, dataset: Path | None) -> Path:
    """Run a night as a Prefect flow, and without Prefect where that is away: then the command ends with exit code 1."""
    from brownout_pipelines.runtime import prefect_environment, run_with_prefect_or_without

    problems: list[OrchestrationError] = []
    with prefect_environment(state=out / "prefect") as runtime:
        report = run_with_prefect_or_without(
            runtime,
            flow=lambda: _as_flow(out, config, dataset),
            plain=lambda: _plainly(out, config, dataset),
            tell=problems.append,
        )
    for problem in problems:
        complain(problem)
        say(f"the night ran without Prefect: {report}")
        raise typer.Exit(1)
    return report


def _as_flow(out: Path, config: Path | None, dataset: Path | None) -> Path:
    from brownout_pipelines.nightly import nightly

    return Path(nightly(out=out, config=config, dataset=dataset))


def _plainly(out: Path, config: Path | None, dataset: Path | None) -> Path:
    from brownout.nightly.run import bring, train_models, watch_fleet
    from brownout.nightly.workspace import Workspace

    settings = load_settings(config, **({} if dataset is None else {"dataset": dataset}))
    workspace = Workspace(out)
    with progress_bars() as progress:
        bring(settings, workspace, progress)
        train_models(settings, workspace, progress)
        return watch_fleet(settings, workspace, progress)
