"""How the values that JSON does not know are written: times, arrays, what is not a number, series of a metric."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, SerializerFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "Context",
    "Instant",
    "MetricResult",
    "Number",
    "Number32",
    "OmitDefaults",
    "Second",
    "Seconds",
    "TextValue",
    "TimeAxis",
    "WrittenAs",
    "as_time",
]


@dataclass(frozen=True, slots=True)
class Context:
    """What a document says beside its fields.

    ``digits`` is how many significant digits numbers keep, None for all; ``labels`` the title and unit of each metric
    by name, None where results do not carry them.
    """

    digits: int | None = None
    labels: Mapping[str, tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class WrittenAs:
    """Marks a type that is written as another one: ``write`` makes the ``form`` of a value, ``read`` takes it back."""

    form: Any
    write: Callable[[Any, Context], Any]
    read: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate as the form, then read; write, then serialise as the form."""
        del source
        form = handler.generate_schema(self.form)

        def write(value: object, info: SerializationInfo) -> object:
            return self.write(value, info.context or Context())

        serialization = core_schema.plain_serializer_function_ser_schema(write, info_arg=True, return_schema=form)
        return core_schema.no_info_after_validator_function(self.read, form, serialization=serialization)


@dataclass(frozen=True, slots=True)
class OmitDefaults:
    """Marks a dataclass, its ``kind``, of which only the fields are written that differ from their default."""

    kind: type[Any]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Drop what is the default when written; reading fills it in."""
        defaults = {field.name: _default(field) for field in fields(self.kind)}
        inner = handler(source)

        def write(value: object, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
            return {key: part for key, part in serialize(value).items() if getattr(value, key) != defaults[key]}

        serialization = core_schema.wrap_serializer_function_ser_schema(write, schema=inner)
        return core_schema.no_info_after_validator_function(lambda value: value, inner, serialization=serialization)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema of the dataclass, in which only what has no default is required."""
        written = handler(schema.get("schema", schema))
        handler.resolve_ref_schema(written)["required"] = [f.name for f in fields(self.kind) if _default(f) is MISSING]
        return written


class MetricResult:
    """A result about a metric: where a document has labels, it carries the metric's ``title`` and ``unit``.

    A field ``series`` is written as ``entity`` and ``metric`` beside the other fields.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Flatten the series when written, and nest it again when read."""
        inner = {**handler.resolve_ref_schema(handler(source))}
        ref = inner.pop("ref")  # what refers to the class shall find the flattened form

        def read(value: Any) -> Any:
            if isinstance(value, Mapping) and "series" in cls.__dataclass_fields__ and "series" not in value:  # type: ignore[attr-defined]
                known = value.get("metric") is not None
                series = {"entity": value["entity"], "metric": value["metric"]} if known else None
                return {**value, "series": series}
            return value

        def write(value: object, serialize: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
            written = dict(serialize(value))
            if "series" in written:
                series = written.pop("series") or {"entity": None, "metric": None}
                written = {"entity": series["entity"], "metric": series["metric"]} | written
            labels = (info.context or Context()).labels
            if labels is None:
                return written
            title, unit = labels.get(written["metric"], (written["metric"] or "", ""))
            after = list(written).index("metric") + 1
            pairs = list(written.items())
            return dict([*pairs[:after], ("title", title), ("unit", unit), *pairs[after:]])

        serialization = core_schema.wrap_serializer_function_ser_schema(write, info_arg=True, schema=inner)
        return core_schema.no_info_before_validator_function(read, inner, ref=ref, serialization=serialization)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema as it is written: with entity, metric, title and unit in the place of the series."""
        written = handler(schema.get("schema", schema))
        resolved = handler.resolve_ref_schema(written)
        properties = dict(resolved["properties"])
        required = [name for name in resolved["required"] if name != "series"]
        series = properties.pop("series", None)
        if series is not None:
            kind = {"anyOf": [{"type": "string"}, {"type": "null"}]} if "anyOf" in series else {"type": "string"}
            named = {"entity": kind | _says("Id of the entity."), "metric": kind | _says("Name of the metric.")}
            properties, required = named | properties, [*named, *required]
        labels = {
            "title": {"type": "string"} | _says("Title of the metric, for people."),
            "unit": {"type": "string"} | _says("Unit of the metric's values; empty for a ratio or a count."),
        }
        resolved["properties"] = properties | labels
        resolved["required"] = [*required, *labels]
        return written


def as_time(value: str | np.datetime64) -> np.datetime64:
    """UTC time with millisecond resolution; a text may end in Z or +00:00."""
    if isinstance(value, str):
        value = np.datetime64(value.replace(" ", "T").removesuffix("Z").removesuffix("+00:00"))
    time: np.datetime64 = value.astype("datetime64[ms]")
    return time


def _says(text: str) -> dict[str, str]:
    return {"description": text}


def _default(field: Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _instant(time: np.datetime64, context: Context) -> str:
    """ISO 8601 in UTC: ``2026-03-17T04:30:00Z``, with milliseconds where there are any and nothing is rounded."""
    whole = time.astype("datetime64[s]")
    return f"{whole if whole == time or context.digits is not None else time.astype('datetime64[ms]')}Z"


def _number(value: float, context: Context) -> float | None:
    if not math.isfinite(value):
        return None
    return float(value) if context.digits is None else float(f"{value:.{context.digits}g}")


def _seconds(value: float, context: Context) -> float | None:
    if not math.isfinite(value):
        return None
    return float(value) if context.digits is None else round(value)


def _floats(values: npt.NDArray[np.float32], context: Context) -> list[float | None]:
    return [_number(value, context) for value in values.tolist()]


def _epochs(times: npt.NDArray[np.datetime64], context: Context) -> list[int]:
    del context
    seconds: list[int] = times.astype("datetime64[s]").astype(np.int64).tolist()
    return seconds


def _not_a_number(value: float | None) -> float:
    return math.nan if value is None else value


Instant = Annotated[
    np.datetime64,
    WrittenAs(Annotated[str, pydantic.Field(json_schema_extra={"format": "date-time"})], _instant, as_time),
]
"""A UTC time with millisecond resolution, written as ISO 8601."""
Number = Annotated[float, WrittenAs(float | None, _number, _not_a_number)]
"""A number; NaN, which means not known, is written as null."""
Seconds = Annotated[float, WrittenAs(float | None, _seconds, _not_a_number)]
"""A duration in seconds, whole where a document rounds; NaN is written as null."""
Number32 = Annotated[
    npt.NDArray[np.float32],
    WrittenAs(list[float | None], _floats, lambda values: np.array([_not_a_number(v) for v in values], np.float32)),
]
"""float32 values of one axis; NaN is written as null."""
TimeAxis = Annotated[
    npt.NDArray[np.datetime64],
    WrittenAs(list[int], _epochs, lambda seconds: np.array(seconds, "datetime64[s]").astype("datetime64[ms]")),
]
"""``datetime64[ms]`` of one axis, written as seconds since 1970 UTC."""
Second = Annotated[
    np.datetime64,
    WrittenAs(
        int,
        lambda time, _: int(time.astype("datetime64[s]").astype(np.int64)),
        lambda second: np.datetime64(second, "s").astype("datetime64[ms]"),
    ),
]
"""A UTC time, written as seconds since 1970 as the axes of charts are."""
TextValue = Annotated[str | float, WrittenAs(str, lambda value, _: str(value), str)]
"""A text or a number, written as text."""
