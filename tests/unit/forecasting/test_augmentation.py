"""Ramps and windows against what they promise."""

import torch
from panels import waves

from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.augmentation import Ramps, draw_ramps
from brownout.forecasting.network.series_block import block_of
from brownout.forecasting.network.windows import windows


def test_a_ramp_begins_at_its_onset_and_stays_in_range() -> None:
    ramps = Ramps(torch.tensor([-2]), torch.tensor([3.0]), torch.tensor([0.0]), torch.tensor([60.0]))
    steps = torch.tensor([-4, -2, -1, 0, 1, 5])
    values = torch.full((1, 6), 50.0)
    assert ramps.added_to(values, steps).tolist() == [[50, 50, 53, 56, 59, 60]]


def test_no_slope_leaves_values_as_they_are_even_out_of_range() -> None:
    ramps = Ramps(torch.tensor([-2]), torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([1.0]))
    assert ramps.added_to(torch.tensor([[7.0]]), torch.tensor([3])).tolist() == [[7.0]]


def test_about_the_stated_share_of_windows_gets_a_ramp() -> None:
    block = block_of([waves()])
    rows = torch.zeros(4000, dtype=torch.int64)
    ramps = draw_ramps(block, rows, torch.ones(4000), torch.Generator().manual_seed(0), share=0.05)
    share = float((ramps.slope != 0).float().mean())
    assert abs(share - 0.05) < 0.02
    assert (ramps.onset < 0).all()
    assert abs(float((ramps.slope > 0).float().sum() / (ramps.slope != 0).float().sum()) - 0.5) < 0.1


def test_windows_read_nothing_after_the_origin() -> None:
    panel, changed = waves(), waves()
    changed.values[:, 401:] = 1
    settings = LstmSettings(context=96, horizon=24)
    rows, origins = torch.arange(8), torch.full((8,), 400)
    one, two = (windows(block_of([p]), rows, origins, settings) for p in (panel, changed))
    assert torch.equal(one.slots, two.slots)
    assert torch.equal(one.anchors, two.anchors)
    assert torch.equal(one.statics, two.statics)


def test_the_scale_goes_there_and_back() -> None:
    settings = LstmSettings(context=96, horizon=24)
    scale = windows(block_of([waves()]), torch.arange(8), torch.full((8,), 400), settings).scale
    values = torch.linspace(0, 100, 24).expand(8, 24)
    assert torch.allclose(scale.revert(scale.apply(values)[..., None])[..., 0], values, atol=1e-2)
