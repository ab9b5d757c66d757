"""The fingerprint of what a training read: the same data have the same, whoever reads them."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brownout.domain.findings.model_cards import DataFacts
from brownout.domain.panel import Panel

__all__ = ["DataFingerprint"]


@dataclass(slots=True)
class DataFingerprint:
    """Counts and hashes panels in the order in which they are learned from."""

    digest: Any = field(default_factory=hashlib.sha256)
    entities: set[str] = field(default_factory=set)
    values: int = 0

    def add(self, panel: Panel) -> None:
        """Add a panel: what it measures, of whom, when, and each value."""
        head = (panel.entity_ids, panel.metric_names, str(panel.start), panel.interval_s, panel.values.shape)
        self.digest.update(repr(head).encode("utf-8", "surrogatepass"))
        # One NaN for all of them: a gap is a gap, whichever bits a processor writes for it.
        plain = np.where(np.isfinite(panel.values), panel.values, np.float32(np.nan))
        self.digest.update(np.ascontiguousarray(plain, "<f4").tobytes())
        self.entities.update(panel.entity_ids)
        self.values += int(np.isfinite(panel.values).sum())

    def facts(self, source: str, window: tuple[np.datetime64, np.datetime64]) -> DataFacts:
        """What was read in a window of a source."""
        return DataFacts(
            source=source,
            start=window[0],
            end=window[1],
            entities=len(self.entities),
            values=self.values,
            sha256=self.digest.hexdigest(),
        )
