"""``brownout evaluate``: judge one part on a dataset folder."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brownout.cli.app import TIMES, Config, DatasetArgument, KnowledgeFolder, Out, evaluate, moment
from brownout.cli.talk import progress_bars

if TYPE_CHECKING:
    from brownout.domain.ports import SampleStore
    from brownout.settings import Settings
    from brownout.store.dataset import Dataset

__all__ = ["EpisodesFrom", "detect", "diagnose", "forecast", "night", "warnings"]


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
    knowledge: KnowledgeFolder = None,
) -> None:
    """Train on what lies before the test share, predict it, write predictions.parquet and scores.json."""
    from brownout.bootstrap import model_folder
    from brownout.evaluate.evaluate_forecast import ForecastEvaluation, evaluate_forecast
    from brownout.settings import load_settings

    options = ForecastEvaluation(
        horizon=horizon,
        stride=stride,
        test_share=test_share,
        season=season,
        model=None if model is None else model_folder(model, out, load_settings()),
    )
    with progress_bars() as progress:
        _show(evaluate_forecast(_dataset(dataset, knowledge), out, options, progress))


@evaluate.command()
def detect(dataset: DatasetArgument, *, out: Out, knowledge: KnowledgeFolder = None) -> None:
    """Score every sample before it is learned, write scores.parquet and scores.json."""
    from brownout.evaluate.evaluate_detect import evaluate_detect

    with progress_bars() as progress:
        _show(evaluate_detect(_dataset(dataset, knowledge), out, progress, site=knowledge))


@evaluate.command()
def diagnose(
    dataset: DatasetArgument,
    *,
    out: Out,
    delay: Annotated[float, typer.Option(min=0, help="Pretend that detection came so many seconds later.")] = 0.0,
    episodes: Annotated[
        EpisodesFrom, typer.Option(help="Spans to diagnose: as labelled, or found by our own detection.")
    ] = EpisodesFrom.LABELLED,
    knowledge: KnowledgeFolder = None,
) -> None:
    """Rank causes of the labelled incidents, write ranking.parquet and scores.json."""
    from brownout.diagnosis.knowledge.knowledge_base import Knowledge
    from brownout.evaluate.evaluate_diagnose import evaluate_diagnose
    from brownout.evaluate.evaluate_own import evaluate_own
    from brownout.settings import Settings

    labelled = _dataset(dataset, knowledge)
    with progress_bars() as progress:
        if episodes is EpisodesFrom.OWN:
            _show(evaluate_own(labelled, out, delay, progress, settings=Settings(knowledge=knowledge)))
        else:
            _show(evaluate_diagnose(labelled, out, delay, progress, knowledge=Knowledge.load(knowledge)))


NightsOption = Annotated[int | None, typer.Option(min=1, help="Nights, a day apart; default: the last 7.")]
First = Annotated[
    datetime | None,
    typer.Option(
        help="Time of the first night (UTC); default: so that the last one ends the data.",
        formats=TIMES,
        metavar="TIME",
    ),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Optimiser steps of each training, in place of those of the settings.")
]
Fleet = Annotated[Path, typer.Argument(help="Dataset folder, or a history.", exists=True, file_okay=False)]


@evaluate.command()
def night(  # noqa: PLR0913 - the protocol has this many knobs
    fleet: Fleet,
    *,
    out: Out,
    nights: NightsOption = None,
    first: First = None,
    train_steps: Steps = None,
    config: Config = None,
) -> None:
    """Replay nights as they ship; write told, episodes and warnings (.parquet) and scores.json."""
    from brownout.evaluate.evaluate_night import evaluate_night

    store, settings = _replayed(fleet, config, train_steps)
    with progress_bars() as progress:
        _show(evaluate_night(store, out, settings=settings, nights=nights, first=moment(first), progress=progress))


@evaluate.command()
def warnings(  # noqa: PLR0913 - the protocol has this many knobs
    fleet: Fleet,
    *,
    out: Out,
    nights: NightsOption = None,
    first: First = None,
    every: Annotated[float, typer.Option(min=0.1, help="Hours from one origin to the next.")] = 6.0,
    train_steps: Steps = None,
    config: Config = None,
) -> None:
    """Warn from rolling origins, beside predict_linear, Holt-Winters and naive peers; write warnings, peers, scores."""
    from brownout.evaluate.evaluate_warnings import evaluate_warnings

    store, settings = _replayed(fleet, config, train_steps)
    with progress_bars() as progress:
        _show(
            evaluate_warnings(
                store, out, settings=settings, nights=nights, first=moment(first), every_h=every, progress=progress
            )
        )


def _replayed(fleet: Path, config: Path | None, train_steps: int | None) -> tuple["SampleStore", "Settings"]:
    """The samples and the settings of a replay; a folder with a history.json is a history."""
    from brownout.settings import load_settings
    from brownout.store.history import History

    settings = load_settings(config)
    if train_steps is not None:
        shorter = settings.forecast.model_copy(update={"train_steps": train_steps})
        settings = settings.model_copy(update={"forecast": shorter})
    for folder in (fleet, fleet / "history"):
        if (folder / "history.json").exists():
            return History.open(folder), settings
    return _dataset(fleet, settings.knowledge), settings


def _dataset(folder: Path, site: Path | None) -> "Dataset":
    """A dataset folder, with the metrics that a site has added."""
    from brownout.domain.metrics import Catalogue
    from brownout.store.dataset import Dataset

    return Dataset.open(folder, catalogue=Catalogue.load(site))


def _show(scores: Mapping[str, object]) -> None:
    from brownout.store.plain_json import json_text

    typer.echo(json_text(scores))
