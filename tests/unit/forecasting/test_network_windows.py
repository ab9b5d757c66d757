"""Windows against what they promise."""

import torch
from panels import waves

from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network.series_block import block_of
from brownout.forecasting.network.windows import windows


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
