"""What every part of a report's data has in common."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Part"]


class Part(BaseModel):
    """Times are ISO 8601 in UTC; a number that is not known is null."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
