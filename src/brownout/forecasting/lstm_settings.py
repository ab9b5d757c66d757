"""How large the network is and how it learns."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from brownout.domain.errors import SettingsError

__all__ = ["LstmSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmSettings:
    """Size and training of the LSTM.

    The defaults learn 200 guests × 6 metrics at 5 minutes in about three minutes on two cores.

    Attributes
    ----------
    context, horizon
        Slots seen before the origin and slots predicted after it.
    patch
        Slots that make one input of the recurrence.
    hidden, layers
        Width and depth of the LSTM.
    steps, batch
        Optimiser steps and windows in each.
    season
        Slots of the short season, ``None`` for a day; seven of them are the long season.
    """

    context: int = 288
    horizon: int = 48
    patch: int = 12
    hidden: int = 192
    layers: int = 1
    steps: int = 2000
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.01
    season: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("context", "horizon", "patch", "hidden", "layers", "steps", "batch"):
            if getattr(self, name) < 1:
                msg = f"A network with {name} = {getattr(self, name)} cannot be built."
                raise SettingsError(msg, remedy=f"Give {name} of at least 1.")
        if self.season is not None and self.season < 1:
            raise SettingsError(f"A season of {self.season} slots is none.", remedy="Give at least 1, or None.")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Settings as a model's card has them; what cards of former versions know beside these means nothing now."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in table.items() if name in known})

    @classmethod
    def quick(cls, *, context: int = 336, horizon: int = 48, steps: int = 400, seed: int = 0) -> Self:
        """Small enough for a nightly on two cores: about 100 entities at 30 minutes learn in half a minute."""
        return cls(context=context, horizon=horizon, hidden=64, steps=steps, batch=128, seed=seed)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """What two networks must share for one to start from the other's weights."""
        return (self.context, self.horizon, self.patch, self.hidden, self.layers, self.season)

    @property
    def context_patches(self) -> int:
        """Inputs of the recurrence before the origin; the oldest may be padded with gaps."""
        return -(-self.context // self.patch)

    @property
    def horizon_patches(self) -> int:
        """Outputs of the recurrence; what the last predicts beyond the horizon is cut off."""
        return -(-self.horizon // self.patch)
