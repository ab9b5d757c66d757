"""Each optional part of forecasting can be switched off by its name, and is then really off."""

from dataclasses import replace
from pathlib import Path

import pytest
from panels import waves

from brownout.domain.errors import SettingsError
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.outlook import Outlook
from brownout.forecasting.parts import ForecastParts, Part
from brownout.forecasting.selected_forecaster import SelectedForecaster

TINY = LstmSettings(context=48, horizon=12, hidden=8, steps=3, batch=16)


def test_a_name_that_is_no_part_is_refused_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match="seasonal-naive is no part") as caught:
        ForecastParts.without(["seasonal-naive", "outlook"])
    assert "weekly-naive" in caught.value.remedy


def test_without_its_optional_parts_a_forecaster_learns_none_of_them(tmp_path: Path) -> None:
    panel = waves(entities=6)
    panel = replace(panel, metrics=tuple(replace(metric, limit=50) for metric in panel.metrics))  # crossed every day
    whole = SelectedForecaster(TINY).fit([panel])
    assert whole.calibration_.factors
    assert whole.chances_.persistence
    assert whole.chances_.odds
    assert whole.cold_.shares
    assert whole.survival_.ends
    whole.save(tmp_path / "whole")
    assert SelectedForecaster.load(tmp_path / "whole").survival_ == whole.survival_
    bare = SelectedForecaster(TINY, parts=ForecastParts(frozenset(Part))).fit([panel])
    assert [rival.name for rival in bare.rivals] == ["seasonal-naive"]
    assert not any(
        (
            bare.calibration_.factors,
            bare.chances_.persistence,
            bare.chances_.odds,
            bare.cold_.shares,
            bare.survival_.ends,
        )
    )
    assert bare.lstm_ is not None
    assert bare.lstm_.settings == TINY
    bare.save(tmp_path)
    assert SelectedForecaster.load(tmp_path).parts == bare.parts


def test_an_outlook_that_is_switched_off_predicts_nothing_and_one_without_candidates_is_naive() -> None:
    panel = waves(days=40, interval_s=21_600)
    assert Outlook(20, ForecastParts.without(["outlook"])).fit([panel]).horizon_ == 0
    only = ForecastParts.without(["trend", "usual", "naive", "smoothing"])
    assert set(Outlook(20, only).fit([panel]).makers_.values()) == {"seasonal-naive"}
