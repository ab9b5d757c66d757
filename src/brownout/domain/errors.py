"""Errors that say what happened, with the value seen, and what to do about it."""

__all__ = [
    "AlertError",
    "BrownoutError",
    "DataError",
    "DatabaseError",
    "HistoryError",
    "KnowledgeError",
    "LockedError",
    "ModelError",
    "NotFittedError",
    "OrchestrationError",
    "SettingsError",
    "TrackingError",
]


class BrownoutError(Exception):
    """Base of all errors raised on purpose; the command line shows it without a traceback.

    Parameters
    ----------
    what
        What went wrong, naming the series, column or file and the value seen.
    remedy
        What the reader can do about it, as an imperative sentence.
    """

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()


class SettingsError(BrownoutError):
    """Settings or arguments that cannot be used; the command line exits with 2."""


class DataError(BrownoutError):
    """Input data that cannot be read or repaired."""


class DatabaseError(BrownoutError):
    """A time-series database that cannot be reached, refuses, or broke off its answer."""


class HistoryError(BrownoutError):
    """The local history is missing, damaged or locked."""


class KnowledgeError(BrownoutError):
    """A definition in models/ is malformed or contradicts another."""


class ModelError(BrownoutError):
    """A stored model is missing, damaged or does not fit the data."""


class NotFittedError(ModelError):
    """A model was used before fit succeeded."""


class LockedError(BrownoutError):
    """Another run works in the same output folder."""


class TrackingError(BrownoutError):
    """The log of trainings and models (MLflow) cannot be reached, is damaged, or refuses.

    ``transient`` says that another try a little later may do: the store is busy or did not answer.
    """

    def __init__(self, what: str, *, remedy: str, transient: bool = False) -> None:
        super().__init__(what, remedy=remedy)
        self.transient = transient


class OrchestrationError(BrownoutError):
    """What runs are kept by (Prefect) or worked on by (a cluster) cannot be started, reached or relied on."""


class AlertError(BrownoutError):
    """A receiver of alerts that cannot be reached, refuses, or did not answer in time.

    ``uncertain`` says that what was sent may have arrived: no answer came before the time was over.
    """

    def __init__(self, what: str, *, remedy: str, uncertain: bool = False) -> None:
        super().__init__(what, remedy=remedy)
        self.uncertain = uncertain
