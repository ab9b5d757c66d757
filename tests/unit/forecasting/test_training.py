"""Training: parts side by side learn what the whole would, and a warm start is short."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from panels import waves

from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.ports import no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network import training
from brownout.forecasting.network.lstm import LstmForecaster
from brownout.forecasting.network.scaling import Scale
from brownout.forecasting.network.series_block import block_of
from brownout.forecasting.network.training import importance_of, train

TINY = LstmSettings(context=96, horizon=24, hidden=16, steps=40, batch=32)


def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the batches that a training draws."""
    batches: list[int] = []
    draw = training.draw

    def counted(*given: object) -> object:
        batches.append(1)
        return draw(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "draw", counted)
    return batches


def test_a_batch_smaller_than_its_parts_is_learned_from() -> None:
    network = train(block_of([waves()]), replace(TINY, batch=1, steps=3), no_progress)
    assert all(parameter.isfinite().all() for parameter in network.parameters())


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    block = block_of([waves()])
    two = train(block, replace(TINY, steps=10), no_progress)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    one = train(block, replace(TINY, steps=10), no_progress)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_warm_start_takes_a_quarter_of_the_steps_and_is_no_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    champion = LstmForecaster(replace(TINY, steps=120)).fit([waves()])
    batches = taken(monkeypatch)
    again = LstmForecaster(replace(TINY, steps=120)).fit([waves(seed=1)], champion=champion)
    assert len(batches) <= 30 + 1
    panel, steps = waves(seed=2), np.arange(1, 25)
    errors = []
    for forecaster in (again, LstmForecaster(replace(TINY, steps=30)).fit([waves(seed=1)])):
        made = forecaster.predict(ForecastRequest(panel, [400], 24))
        actual = panel.values[:, 400 + steps].transpose(0, 2, 1).reshape(-1, 24)
        errors.append(float(np.abs(made.values[..., 4] - actual).mean()))
    assert errors[0] < errors[1]


def test_a_warm_start_stops_when_nothing_gets_better(monkeypatch: pytest.MonkeyPatch) -> None:
    champion = LstmForecaster(TINY).fit([waves()])
    monkeypatch.setattr(training, "CHECK_EVERY", 1)
    batches = taken(monkeypatch)
    frozen = replace(TINY, steps=400, learning_rate=1e-12, weight_decay=0.0)
    LstmForecaster(frozen).fit([waves()], champion=champion)
    assert len(batches) < 30


def test_a_champion_of_another_shape_is_left_alone() -> None:
    champion = LstmForecaster(replace(TINY, hidden=8, steps=1)).fit([waves()])
    fresh, started = (
        LstmForecaster(replace(TINY, steps=4)).fit([waves()], champion=given) for given in (None, champion)
    )
    for a, b in zip(fresh.network_.parameters(), started.network_.parameters(), strict=True):  # type: ignore[union-attr]
        assert torch.equal(a, b)


def test_lively_windows_count_more_and_flat_series_hardly() -> None:
    block = replace(block_of([waves()]), error=torch.tensor([1.0, 1.0, 0.0, torch.nan] * 2))
    scale = Scale(torch.zeros(4, 1), torch.tensor([[1.0], [4.0], [1.0], [1.0]]))
    found = importance_of(block, torch.arange(4), scale)
    assert found.mean() == pytest.approx(1)
    assert found[1] / found[0] == pytest.approx(2)
    assert found[2] < 0.2 * found[0]
    assert found[3] < 0.2 * found[0]
