"""What the network is told of the past, against plain loops."""

import numpy as np
import torch
from panels import METRICS, waves

from brownout.domain.entities import Entity
from brownout.domain.forecasts import QUANTILES
from brownout.domain.panel import Panel
from brownout.forecasting.baselines.naive import seasonal_scale
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.profiles import DAYS, HOURS, day_slots, empirical, hour_slots
from brownout.forecasting.network.series_block import SIBLING_METRICS, block_of
from brownout.forecasting.network.windows import ANCHORS, CHANNELS, windows


def test_empirical_quantiles_are_those_of_numpy_with_gaps_left_out() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 31)).astype(np.float32)
    values[1, ::2] = np.nan
    values[2, 1:] = np.nan
    values[3] = np.nan
    found = empirical(torch.from_numpy(values)).numpy()
    expected = np.stack([np.nanquantile(row, QUANTILES) if np.isfinite(row).any() else row[:9] for row in values])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_day_profile_reads_the_same_time_of_seven_days_and_its_neighbours() -> None:
    ahead, season = torch.arange(1, 61), torch.tensor([48, 24])
    found = day_slots(ahead, season)
    assert found.shape == (2, 60, 3 * DAYS)
    for row, day in enumerate(season.tolist()):
        for step in (1, 23, 24, 25, 60):
            days = -(-step // day)
            expected = [step - (days + k) * day + d for k in range(DAYS) for d in (-1, 0, 1)]
            assert found[row, step - 1].tolist() == expected


def test_an_hour_profile_reads_the_same_minute_of_the_last_day_never_the_future() -> None:
    ahead, beat = torch.arange(1, 49), torch.tensor([12, 1])
    found = hour_slots(ahead, beat)
    assert found.shape == (2, 48, HOURS)
    assert found.max() <= 0
    assert ((found[0] - ahead[:, None]) % 12 == 0).all()
    assert found[0, 0].tolist() == [1 - 12 * k for k in range(1, HOURS + 1)]
    assert found[1, 5].tolist() == [-k for k in range(HOURS)]


def test_a_job_at_the_same_minute_of_every_hour_is_an_anchor() -> None:
    values = np.zeros((1, 12 * 24 * 3, 1), np.float32)
    values[0, 7::12, 0] = 80
    panel = Panel(values, np.datetime64("2026-03-02", "ms"), 300, (Entity(id="a"),), METRICS[:1])
    made = windows(
        block_of([panel]), torch.tensor([0]), torch.tensor([700]), LstmSettings(context=96, horizon=24, patch=12)
    )
    spike = torch.arange(701, 725) % 12 == 7
    anchors = made.scale.revert(made.anchors[0, :, ANCHORS - 1])[0]
    assert torch.equal(anchors > 40, spike[:, None].expand(-1, 9))


def test_mates_are_the_other_metrics_of_the_entity_by_family() -> None:
    panel = waves()
    panel.values[1, :, 0] = np.nan  # vm1 has no cpu, so its rows move up
    block = block_of([panel, waves(kind="host")])
    names = [f"{family.value}{nth}" for family, nth in SIBLING_METRICS]
    cpu, memory = names.index("cpu0"), names.index("memory0")
    assert block.siblings[:3, [cpu, memory]].tolist() == [[0, 1], [0, 1], [-1, 2]]
    assert block.siblings[7:9, [cpu, memory]].tolist() == [[7, 8], [7, 8]]
    assert (block.siblings[:, names.index("cpu1")] == -1).all()


def test_another_metric_of_the_entity_is_read_and_another_entity_is_not() -> None:
    settings = LstmSettings(context=96, horizon=24)
    rows, origins = torch.tensor([0]), torch.tensor([400])
    plain, mate, stranger = waves(), waves(), waves()
    mate.values[0, 380:400, 1] = 99
    stranger.values[1, 380:400] = 99
    first, second, third = (windows(block_of([p]), rows, origins, settings).slots for p in (plain, mate, stranger))
    assert not torch.equal(first, second)
    assert torch.equal(first, third)


def test_the_error_of_seasonal_naive_is_that_of_the_scale_of_mase() -> None:
    panel = waves()
    panel.values[2, 100:150, 1] = np.nan
    found = block_of([panel]).error.numpy()
    np.testing.assert_allclose(found, seasonal_scale(panel, 48, end=10_000).reshape(-1), rtol=1e-5)


def test_a_series_is_not_its_own_mate() -> None:
    """Training adds drifts to a window: beside a copy without it, each would be seen through."""
    names = [f"{family.value}{nth}" for family, nth in SIBLING_METRICS]
    made = windows(
        block_of([waves()]), torch.tensor([2]), torch.tensor([400]), LstmSettings(context=96, horizon=24, patch=12)
    )
    siblings = made.slots.view(1, -1, CHANNELS)[..., -len(SIBLING_METRICS) :]
    assert (siblings[..., names.index("cpu0")] == 0).all()
    assert siblings[..., names.index("memory0")].abs().sum() > 0


def test_a_batch_of_other_origins_and_intervals_reads_what_each_row_alone_does() -> None:
    """Mates are read once for an origin and an hour's profile once for an hour: neither may go to another row."""
    settings = LstmSettings(context=96, horizon=24, patch=12)
    block = block_of([waves(), waves(interval_s=600, days=4, seed=1), waves(seed=2)])
    rows, origins = torch.tensor([0, 1, 1, 9, 17, 16, 0]), torch.tensor([300, 300, 421, 410, 300, 421, 421])
    whole = windows(block, rows, origins, settings)
    for row in range(len(rows)):
        alone = windows(block, rows[row : row + 1], origins[row : row + 1], settings)
        assert torch.equal(whole.slots[row], alone.slots[0])
        assert torch.equal(whole.anchors[row], alone.anchors[0])
    values, beat = block.values[block.offset[9] :], 6
    places = torch.tensor([[410 + step - (-(-step // beat) + k) * beat for k in range(HOURS)] for step in range(1, 25)])
    expected = empirical(whole.scale.apply(values[places].expand(len(rows), -1, -1)))[3]
    assert torch.allclose(whole.anchors[3, :, ANCHORS - 1], expected)
