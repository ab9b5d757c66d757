"""The part of ``report.json`` that says how good the forecasts are."""

from brownout.reporting.episode_schema import Part

__all__ = ["Bin", "Chances", "Coverage", "Driver", "Fallback", "Judgement", "Skill"]


class Driver(Part):
    """A resource whose forecast drives a predicted breach of console latency."""

    entity: str
    """The guest or host it belongs to."""
    resource: str
    metric: str
    """The metric of the resource that adds most."""
    title: str
    unit: str
    share: float
    """How much of the rise of the latency it makes, 0 … 1; what is missing to 1 no load explains."""
    forecast: float | None
    """Level of the metric when the breach is likely."""
    usual: float | None
    """Median of the last days, at that hour or, with ``daily``, over all hours."""
    daily: bool
    """Whether it is as high at that time every day."""


class Skill(Part):
    """How a forecaster did on held-out windows, as ratios to seasonal-naive: below 1 is better."""

    metric: str
    """Empty for all together."""
    title: str
    maker: str
    windows: int
    mase: float | None
    crps: float | None
    coverage: float | None
    """Share of values inside the 10–90 % band; 0.8 when calibrated."""
    note: str
    coverage_50: float | None = None
    """Share of values inside the 50 % interval."""
    coverage_90: float | None = None
    """The same for 90 %; null where a classical forecaster predicts a part."""
    brier: float | None = None
    """Mean squared error of the chance to cross the limit; null without one."""
    brier_base: float | None = None
    """The same for always giving the share of windows that crossed."""


class Coverage(Part):
    """Coverage of the intervals over the metrics of a family, each window counting the same."""

    family: str
    within_50: float | None
    within_80: float | None
    within_90: float | None
    off: bool
    """Whether one of them is more than three points from what its interval says."""


class Bin(Part):
    """A bar of a reliability diagram."""

    said: float
    """Mean of the chances."""
    came: float
    """Share of them that came true."""
    windows: int


class Chances(Part):
    """How good the chances to cross a limit were."""

    family: str
    """Empty for all together."""
    windows: int
    crossed: int
    brier: float | None
    brier_base: float | None
    """Of climatology: always giving the share of a metric's windows that crossed."""
    worse: bool
    """Whether the chances were worse than climatology, where anything crossed."""
    bins: list[Bin]


class Fallback(Part):
    """A metric and its quarters of the horizon where the LSTM lost."""

    title: str
    makers: list[str]
    """Who predicts each quarter."""
    lstm: list[float | None]
    """CRPS of the LSTM on each quarter, as ratio to seasonal-naive."""
    best: list[float | None]
    """The same of who predicts it."""


class Judgement(Part):
    """What the held-out windows say about intervals, chances and fall-backs."""

    coverage: list[Coverage]
    chances: list[Chances]
    """All together first, then by family; only what has a limit."""
    fallbacks: list[Fallback]
