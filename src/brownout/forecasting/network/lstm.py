"""The LSTM as a forecaster: fit on panels, predict from origins, save and load."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch

from brownout.domain.errors import ModelError, NotFittedError
from brownout.domain.forecast_request import ForecastRequest
from brownout.domain.forecasts import QUANTILES, Forecasts
from brownout.domain.panel import Float, Panel
from brownout.domain.ports import Progress, no_progress
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.model_files import read_card, read_weights, write_card, write_weights
from brownout.forecasting.network.architecture import QuantileLstm, build
from brownout.forecasting.network.device import fastest
from brownout.forecasting.network.series_block import FAMILIES, ROLES, block_of
from brownout.forecasting.network.threads import side_by_side
from brownout.forecasting.network.training import train
from brownout.forecasting.network.windows import windows
from brownout.forecasting.series_rows import clip_to_bounds, rows_of

__all__ = ["LstmForecaster"]

BATCH = 512
"""Rows that are predicted at once."""


@dataclass
class LstmForecaster:
    """One network for all entities and metrics.

    Attributes
    ----------
    network_
        The trained network; None until fit succeeds.
    device
        Where it learns and predicts: a GPU where there is one.
    """

    settings: LstmSettings
    network_: QuantileLstm | None = None
    device: torch.device = field(default_factory=fastest)
    name: ClassVar[str] = "lstm"

    def fit(self, panels: Sequence[Panel], progress: Progress = no_progress, *, champion: Self | None = None) -> Self:
        """Learn from all series of the panels; raises DataError where there is none.

        Starts from a ``champion`` of the same shape, which takes a quarter of the steps.
        """
        start = champion.network_ if champion is not None and champion.settings.shape == self.settings.shape else None
        block = block_of(panels, self.settings.season)
        self.network_ = train(block, self.settings, progress, start, self.device)
        return self

    def predict(self, request: ForecastRequest) -> Forecasts:
        """Predict all series that were measured by an origin, for at most the horizon that was learned."""
        panel, horizon = request.panel, request.horizon
        if self.network_ is None:
            raise NotFittedError("The LSTM has not been trained.", remedy="Call fit first, or load a stored model.")
        if horizon > self.settings.horizon:
            msg = f"A horizon of {horizon} slots was asked of a model that learned {self.settings.horizon}."
            raise ModelError(msg, remedy="Train with a longer horizon, or ask for a shorter one.")
        rows = rows_of(panel, request.origins)
        if not len(rows):
            return rows.forecasts(np.empty((0, horizon, len(QUANTILES)), np.float32), self.name)
        block = block_of([panel], self.settings.season).to(self.device)
        present = np.isfinite(panel.values).any(axis=1)
        places = np.cumsum(present.reshape(-1)).reshape(present.shape) - 1
        series = torch.from_numpy(places[rows.entities, rows.metrics]).to(self.device)
        starts = torch.from_numpy(rows.origins).to(self.device)
        network, settings = self.network_.to(self.device), self.settings

        def batch(first: int) -> Float:
            part = slice(first, first + BATCH)
            with torch.inference_mode(), self.device:
                inputs = windows(block, series[part], starts[part], settings)
                values: Float = inputs.scale.revert(network(inputs))[:, :horizon].cpu().numpy()
            return values

        with side_by_side() as pool:
            parts = list(pool.map(batch, range(0, len(rows), BATCH)))
        return rows.forecasts(clip_to_bounds(np.concatenate(parts), rows), self.name)

    def save(self, folder: Path) -> None:
        """Write ``forecaster.json`` and ``weights.safetensors``."""
        if self.network_ is None:
            raise NotFittedError("The LSTM has not been trained.", remedy="Call fit before save.")
        digest = write_weights(folder, self.network_.state_dict())
        write_card(
            folder,
            self.name,
            {
                "settings": asdict(self.settings),
                "families": list(FAMILIES),
                "roles": list(ROLES),
                "quantiles": QUANTILES,
                "sha256": digest,
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a stored model; raises ModelError where it is damaged or from another version."""
        card = read_card(folder, cls.name)
        if card["families"] != list(FAMILIES) or card["roles"] != list(ROLES) or tuple(card["quantiles"]) != QUANTILES:
            msg = f"The model in {folder} knows other metric families, roles or quantiles than this version."
            raise ModelError(msg, remedy="Train again with this version of brownout.")
        settings = LstmSettings.from_table(card["settings"])
        network = build(settings)
        try:
            network.load_state_dict(read_weights(folder, card["sha256"]))
        except RuntimeError as error:
            msg = f"The weights in {folder} do not fit the network of the card: {error}."
            raise ModelError(msg, remedy="Train again, or fetch the whole model again.") from error
        return cls(settings, network.eval())
