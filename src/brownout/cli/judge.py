"""``brownout evaluate``: judge one part on a dataset folder."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from brownout.cli.app import DatasetArgument, Out, evaluate
from brownout.cli.talk import progress_bars

__all__ = ["detect", "diagnose", "forecast"]


@evaluate.command()
def forecast(  # noqa: PLR0913 - the protocol has this many knobs
    dataset: DatasetArgument,
    *,
    out: Out,
    horizon: Annotated[int, typer.Option(min=1, help="Steps to predict.")] = 48,
    stride: Annotated[int, typer.Option(min=1, help="Steps between origins.")] = 48,
    test_share: Annotated[float, typer.Option(min=0.01, max=0.9, help="Last share of the time axis, judged.")] = 0.2,
    season: Annotated[int | None, typer.Option(min=1, help="Steps of a season; default: a day.")] = None,
    model: Annotated[
        str | None, typer.Option(help="A stored model (folder or MLflow URI) instead of training.")
    ] = None,
) -> None:
    """Train on what lies before the test share, predict it, write predictions.parquet and scores.json."""
    from brownout.telemetry.dataset import Dataset
    from brownout.usecases.evaluate_forecast import ForecastEvaluation, evaluate_forecast
    from brownout.usecases.models import model_folder

    options = ForecastEvaluation(
        horizon=horizon,
        stride=stride,
        test_share=test_share,
        season=season,
        model=None if model is None else model_folder(model, out),
    )
    with progress_bars() as progress:
        _show(evaluate_forecast(Dataset.open(dataset), out, options, progress))


@evaluate.command()
def detect(dataset: DatasetArgument, *, out: Out) -> None:
    """Score every sample before it is learned, write scores.parquet and scores.json."""
    from brownout.telemetry.dataset import Dataset
    from brownout.usecases.evaluate_detect import evaluate_detect

    with progress_bars() as progress:
        _show(evaluate_detect(Dataset.open(dataset), out, progress))


@evaluate.command()
def diagnose(
    dataset: DatasetArgument,
    *,
    out: Out,
    delay: Annotated[float, typer.Option(min=0, help="Pretend that detection came so many seconds later.")] = 0.0,
) -> None:
    """Rank causes of the labelled incidents, write ranking.parquet and scores.json."""
    from brownout.telemetry.dataset import Dataset
    from brownout.usecases.evaluate_diagnose import evaluate_diagnose

    with progress_bars() as progress:
        _show(evaluate_diagnose(Dataset.open(dataset), out, delay, progress))


def _show(scores: Mapping[str, object]) -> None:
    typer.echo(json.dumps(scores, indent=1, default=str))
