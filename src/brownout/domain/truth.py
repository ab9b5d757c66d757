"""Truth: labels of what really happened, used by evaluations only."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Anomaly", "Event", "Incident"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A span in which an entity was abnormal; ``end`` is exclusive, equal to ``start`` for a single point."""

    entity: str
    start: np.datetime64
    end: np.datetime64


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A fault with its cause: a cause id of the knowledge, or one of its families where labels are coarser.

    A diagnosis sees only samples of entities of ``group``; "" for all. ``start`` is when it can be seen, ``onset`` when
    it began to act; None where that is not known.
    """

    id: str
    group: str
    start: np.datetime64
    end: np.datetime64
    entity: str
    cause: str
    onset: np.datetime64 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was done on purpose and is no fault: ``kind`` is migration or maintenance.

    A migration is of a guest, from the host ``source`` to ``target``, which it runs on from ``end`` on; maintenance is
    of a host, and has neither.
    """

    id: str
    kind: str
    entity: str
    start: np.datetime64
    end: np.datetime64
    source: str = ""
    target: str = ""
