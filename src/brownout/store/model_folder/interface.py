"""How a stored model is called: what it reads and returns, with an example; in words and as data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq

from brownout.domain.encoding import OmitDefaults, encode
from brownout.domain.errors import DataError, ModelError
from brownout.domain.metrics import Metric
from brownout.store.atomic import atomic_path, write_text
from brownout.store.plain_json import read_result

__all__ = ["ModelInterface", "read_interface", "write_interface"]

INTERFACE = "interface.json"
EXAMPLE = "example.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInterface:
    """What a model needs to know about samples that come without a night.

    Attributes
    ----------
    task
        ``forecast`` or ``detect``.
    description
        What the model does and what it was trained on, in Markdown.
    metrics
        Columns that it may be given, with unit, range and limit.
    step_s
        Seconds of a slot that it works on; 0 = the interval of the samples.
    """

    task: str
    description: str
    metrics: tuple[Annotated[Metric, OmitDefaults(Metric)], ...]
    step_s: int = 0


def write_interface(folder: Path, interface: ModelInterface, example: pa.Table) -> None:
    """Write how a model is called, and samples to try it with: time, entity, kind and a column for each metric."""
    with atomic_path(folder / EXAMPLE) as part:
        pq.write_table(example, part)
    write_text(folder / INTERFACE, encode(interface))


def read_interface(folder: Path) -> tuple[ModelInterface, pa.Table] | None:
    """How the model of a folder is called, and its example; None where the folder says nothing of it."""
    if not (folder / INTERFACE).exists():
        return None
    try:
        interface = read_result(ModelInterface, folder / INTERFACE)
        return interface, pq.read_table(folder / EXAMPLE)
    except (OSError, DataError, pa.ArrowException) as error:
        msg = f"{folder} does not say how its model is called: {error}."
        raise ModelError(msg, remedy="Train again, or fetch the model again.") from error
