"""``brownout evaluate``: judge one part on a dataset folder."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from brownout.cli.app import DatasetArgument, Out, evaluate
from brownout.cli.talk import progress_bars

__all__ = ["EpisodesFrom", "detect", "diagnose", "forecast"]


class EpisodesFrom(StrEnum):
    """Where the spans that are diagnosed come from."""

    LABELLED = "labelled"
    OWN = "own"


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
    from brownout.bootstrap import model_folder
    from brownout.evaluate.evaluate_forecast import ForecastEvaluation, evaluate_forecast
    from brownout.settings import load_settings
    from brownout.store.dataset import Dataset

    options = ForecastEvaluation(
        horizon=horizon,
        stride=stride,
        test_share=test_share,
        season=season,
        model=None if model is None else model_folder(model, out, load_settings()),
    )
    with progress_bars() as progress:
        _show(evaluate_forecast(Dataset.open(dataset), out, options, progress))


@evaluate.command()
def detect(dataset: DatasetArgument, *, out: Out) -> None:
    """Score every sample before it is learned, write scores.parquet and scores.json."""
    from brownout.evaluate.evaluate_detect import evaluate_detect
    from brownout.store.dataset import Dataset

    with progress_bars() as progress:
        _show(evaluate_detect(Dataset.open(dataset), out, progress))


@evaluate.command()
def diagnose(
    dataset: DatasetArgument,
    *,
    out: Out,
    delay: Annotated[float, typer.Option(min=0, help="Pretend that detection came so many seconds later.")] = 0.0,
    episodes: Annotated[
        EpisodesFrom, typer.Option(help="Spans to diagnose: as labelled, or found by our own detection.")
    ] = EpisodesFrom.LABELLED,
) -> None:
    """Rank causes of the labelled incidents, write ranking.parquet and scores.json."""
    from brownout.evaluate.evaluate_diagnose import evaluate_diagnose
    from brownout.evaluate.evaluate_own import evaluate_own
    from brownout.store.dataset import Dataset

    with progress_bars() as progress:
        if episodes is EpisodesFrom.OWN:
            _show(evaluate_own(Dataset.open(dataset), out, delay, progress))
        else:
            _show(evaluate_diagnose(Dataset.open(dataset), out, delay, progress))


def _show(scores: Mapping[str, object]) -> None:
    from brownout.store.plain_json import json_text

    typer.echo(json_text(scores))
