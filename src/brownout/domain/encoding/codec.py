"""Write results as JSON and read them back."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from brownout.domain.encoding.wire_types import Context
from brownout.domain.errors import DataError

__all__ = ["adapter_of", "decode", "decode_json", "encode"]

T = TypeVar("T")
REMEDY = "Restore the file from a copy, or remove it and make it again."
MALFORMED = (KeyError, TypeError, AttributeError, ArithmeticError)
"""What converting a value of another form may raise that pydantic passes on."""


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """What writes and reads a dataclass, made once a type."""
    return _adapter_of(kind)


def encode(
    value: object,
    *,
    digits: int | None = None,
    labels: Mapping[str, tuple[str, str]] | None = None,
    indent: int | None = 1,
) -> str:
    """A result as JSON text, keys in the order of its fields.

    ``digits`` rounds numbers to so many significant digits; ``labels`` adds title and unit to what is about a metric.
    """
    context = Context(digits, labels)
    return adapter_of(type(value)).dump_json(value, context=context, indent=indent, by_alias=True).decode()


def decode(kind: type[T], data: object) -> T:
    """A result from what JSON holds; unknown keys are passed over. Raises DataError naming the field that is wrong."""
    try:
        value: T = adapter_of(kind).validate_python(data)
    except ValidationError as error:
        raise _refused(kind, error) from error
    except MALFORMED as error:
        raise _malformed(kind, error) from error
    return value


def decode_json(kind: type[T], text: str) -> T:
    """A result from JSON text; as ``decode``."""
    try:
        value: T = adapter_of(kind).validate_json(text)
    except ValidationError as error:
        raise _refused(kind, error) from error
    except MALFORMED as error:
        raise _malformed(kind, error) from error
    return value


@cache
def _adapter_of(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _refused(kind: type[object], error: ValidationError) -> DataError:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "the document"
    value = str(first["input"])[:60]
    msg = f"{field} of a {kind.__name__} cannot be read: {first['msg']} (seen: {value!r})."
    return DataError(msg, remedy=REMEDY)


def _malformed(kind: type[object], error: Exception) -> DataError:
    msg = f"A {kind.__name__} cannot be read: {type(error).__name__} {str(error)[:60]}."
    return DataError(msg, remedy=REMEDY)
