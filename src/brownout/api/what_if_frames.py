"""What moves or other sizes of guests would change, as pandas frames."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brownout.api.night_frames import named_frame
from brownout.domain.errors import SettingsError
from brownout.domain.metrics import Metric
from brownout.nightly.context import NightContext
from brownout.nightly.questions import answer_what_if
from brownout.planning.what_if import read_moves, read_resizes
from brownout.planning.what_if.what_if_answer import SaturationDates, WhatIf

__all__ = ["Moves", "Resizes", "WhatIfFrames", "asked_what_if"]

Moves = Mapping[str, str]
"""The host that each guest would be on."""
Resizes = Mapping[str, Mapping[str, str | int]]
"""The ``memory`` (as ``"8G"``) and ``vcpus`` that each guest would have."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WhatIfFrames:
    """The last days with a change and without it, and the dates at which resources run out.

    Attributes
    ----------
    consoles
        Console latency of each changed guest and of those that stay on the hosts: about, entity, metric, unit, consoles
        (how many are taken together), share (0.5: the median; 0.95: what it stayed below for 95 % of the time), before,
        after, low and high (8 in 10 outcomes lie between).
    limits
        Limits that will probably be crossed as things are or with the change: entity, metric, unit, limit,
        before_probability and after_probability (NaN: not expected), before_likely and after_likely (when half of that
        chance has come; NaT: it does not).
    warnings
        What the figures do not say, as sentences.
    """

    consoles: pd.DataFrame
    limits: pd.DataFrame
    warnings: tuple[str, ...]


def asked_what_if(context: NightContext, moves: Moves, resizes: Resizes) -> WhatIfFrames:
    """The answer of ``brownout what-if``; raises SettingsError for what is unknown or cannot be told."""
    if not moves and not resizes:
        remedy = 'Give move={"vm7": "kvm3"}, or resize={"vm2": {"memory": "8G", "vcpus": 4}}.'
        raise SettingsError("No change is asked for.", remedy=remedy)
    moved = read_moves([f"{guest}:{host}" for guest, host in moves.items()], context.topology)
    sizes = [f"{guest}:{','.join(f'{key}={value}' for key, value in size.items())}" for guest, size in resizes.items()]
    answer = answer_what_if(context, moved, read_resizes(sizes, context.topology))
    return WhatIfFrames(
        consoles=_console_frame(answer, context.metrics),
        limits=_limit_frame(answer, context.metrics),
        warnings=answer.warnings,
    )


def _console_frame(answer: WhatIf, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    columns = ("about", "entity", "metric", "unit", "consoles", "share", "before", "after", "low", "high")
    rows = [
        (
            *(one.about, one.entity, one.metric, metrics[one.metric].unit, one.consoles, share),
            *(effect.before, effect.after, effect.low, effect.high),
        )
        for one in answer.consoles
        for share, effect in ((0.5, one.p50), (0.95, one.p95))
    ]
    return named_frame(rows, columns)


def _limit_frame(answer: WhatIf, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    dates = ("before_probability", "before_likely", "after_probability", "after_likely")
    rows = [
        (one.entity, one.metric, metrics[one.metric].unit, one.limit, *_dates(one.before), *_dates(one.after))
        for one in answer.saturation
    ]
    return named_frame(rows, ("entity", "metric", "unit", "limit", *dates), times=("before_likely", "after_likely"))


def _dates(known: SaturationDates | None) -> Iterator[object]:
    yield np.nan if known is None else known.probability
    yield None if known is None else known.likely
