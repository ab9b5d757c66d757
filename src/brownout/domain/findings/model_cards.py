"""Model cards: what a training made, from what, at which cost, and how it compares with the model in use."""

from collections.abc import Mapping
from dataclasses import dataclass

from brownout.domain.encoding import Instant, Number, Seconds
from brownout.domain.findings.model_drift import Drift

__all__ = [
    "Change",
    "Comparison",
    "DataFacts",
    "EntityLoss",
    "ModelFacts",
    "PairedTest",
    "ResidualSpread",
    "SmokeCheck",
    "TrainingCost",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """Two models on the same windows, each entity paired with itself.

    Attributes
    ----------
    family
        The resource; ``all`` for all together.
    against
        What the newer model is compared with: champion or seasonal-naive.
    entities
        Pairs that were compared.
    ratio
        Typical ratio of an entity's loss to that of the other model (Hodges-Lehmann estimate); below 1 is better.
    low
        Lower end of its 90 % interval; NaN with fewer than six entities.
    high
        Upper end of its 90 % interval.
    p_worse
        Chance of such a result if it were not worse (one-sided Wilcoxon signed-rank test, Holm's correction over the
        families).
    p_better
        The same if it were not better.
    """

    family: str
    against: str
    entities: int
    ratio: Number
    low: Number
    high: Number
    p_worse: Number
    p_better: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityLoss:
    """How an entity was forecast; losses are ratios to those of seasonal-naive on the same windows.

    Attributes
    ----------
    entity
        Id of the entity.
    family
        The resource.
    challenger
        Loss of the newer model.
    champion
        Loss of the model in use; NaN without one.
    """

    entity: str
    family: str
    challenger: Number
    champion: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualSpread:
    """How far what came lay from the median forecast, in units of seasonal-naive's in-sample error.

    Attributes
    ----------
    family
        The resource.
    quarter
        Quarter of the horizon, 1 to 4.
    values
        Residuals that this is of.
    q10, q25, middle, q75, q90
        Quantiles of what came less the median forecast.
    told_q10, told_q90
        Typical ends of the forecast's own 80 % interval, less its median.
    """

    family: str
    quarter: int
    values: int
    q10: Number
    q25: Number
    middle: Number
    q75: Number
    q90: Number
    told_q10: Number
    told_q90: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A newer model beside the one in use and seasonal-naive, on the same windows.

    Attributes
    ----------
    champion_trained_to
        End of the data that the model in use had learned from; null where there was none.
    start, end
        The data of the windows.
    windows
        Origins of forecasts, or days that were searched.
    entities
        Entities that were compared, evenly chosen of each kind.
    champion, challenger
        Scores of each, by name as in the record of a training.
    tests
        Paired tests over entities, by family.
    worst
        The entities that the newer model forecast worst.
    residuals
        Residuals of the newer model by resource and quarter of the horizon.
    """

    champion_trained_to: Instant | None
    start: Instant
    end: Instant
    windows: int
    entities: int
    champion: Mapping[str, Number]
    challenger: Mapping[str, Number]
    tests: tuple[PairedTest, ...]
    worst: tuple[EntityLoss, ...] = ()
    residuals: tuple[ResidualSpread, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeCheck:
    """One check of a stored model on the newest data: what, whether it held, and what was seen."""

    title: str
    passed: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCost:
    """What a training took: ``wall_s`` and ``cpu_s`` in seconds, and the most memory of its process in MiB."""

    started: Instant
    wall_s: Seconds
    cpu_s: Seconds
    peak_mib: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What a training read: entities, measured values, and the SHA-256 of all of it."""

    source: str
    start: Instant
    end: Instant
    entities: int
    values: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs from the model in use: a setting, the data or the packages; "" where there was none."""

    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is known of a training beside its record.

    Attributes
    ----------
    reason
        Why the model was trained.
    data
        What it read.
    cost
        What it took.
    changes
        What differs from the model in use.
    comparison
        Both on the same windows; null where nothing could be compared.
    shadow
        Both over the nights in which the newer model ran beside the one in use; null where none was asked for, or some
        are still to come.
    smoke
        Checks of the stored model on the newest data.
    drift
        How far the data had moved from what the model in use learned.
    """

    reason: str
    data: DataFacts
    cost: TrainingCost
    changes: tuple[Change, ...] = ()
    comparison: Comparison | None = None
    shadow: Comparison | None = None
    smoke: tuple[SmokeCheck, ...] = ()
    drift: tuple[Drift, ...] = ()
