"""Errors that say what happened, with the value seen, and what to do about it."""

__all__ = [
    "BrownoutError",
    "DataError",
    "DatabaseError",
    "HistoryError",
    "KnowledgeError",
    "ModelError",
    "NotFittedError",
    "SettingsError",
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
