"""What the samples of a history mean, in ``history.json``; the description before the last one is kept beside it."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, Self

import numpy as np

from brownout.domain.entities import Entity
from brownout.domain.errors import BrownoutError, HistoryError
from brownout.domain.metrics import Metric
from brownout.domain.repairs import Repair, Repairs
from brownout.store.atomic import atomic_path, sync_folder
from brownout.store.plain_json import checked, json_value, read_bytes, with_checksum

__all__ = ["FILE", "PREVIOUS", "Description", "read_description", "write_description"]

FORMAT = 2
FILE, PREVIOUS = "history.json", "history.previous.json"


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the samples of a history mean.

    ``watermark`` is the time before which everything has been read, ``unread`` counts the rows of the source that no
    slice has.
    """

    source: str
    interval_s: int | None
    metrics: tuple[Metric, ...]
    entities: tuple[Entity, ...]
    watermark: np.datetime64 | None = None
    unread: Repairs = field(default_factory=Repairs)

    def to_json(self) -> str:
        """Text of ``history.json``."""
        table = {
            "format": FORMAT,
            "source": self.source,
            "interval_s": self.interval_s,
            "watermark": None if self.watermark is None else str(self.watermark),
            "unread": [
                [repair.name, entity, number] for (repair, entity), number in sorted(self.unread.counts.items())
            ],
            "metrics": {metric.name: _plain(metric) for metric in self.metrics},
            "entities": [_entity_table(entity) for entity in self.entities],
        }
        return json.dumps(with_checksum(table), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse ``history.json``; raises ValueError, KeyError, TypeError or AttributeError where it is damaged."""
        table = checked(json_value(text))
        if not isinstance(table["format"], int):
            msg = f"its format is {table['format']!r}"
            raise ValueError(msg)  # noqa: TRY004 - damage, like all else that is wrong with it
        if table["format"] != FORMAT:
            msg = f"The history has format {table['format']!r}, this version reads {FORMAT}."
            raise HistoryError(msg, remedy="Use the version of brownout that wrote it, or sync into an empty folder.")
        mark, interval = table["watermark"], table["interval_s"]
        stated = interval is None or (isinstance(interval, int) and interval > 0)
        if not isinstance(table["source"], str) or not stated:
            msg = f"its source is {table['source']!r} and its interval {interval!r}"
            raise ValueError(msg)
        if mark is not None and np.isnat(np.datetime64(mark, "ms")):
            msg = f"its watermark is {mark!r}"
            raise ValueError(msg)
        return cls(
            source=table["source"],
            interval_s=table["interval_s"],
            metrics=tuple(Metric.from_table(name, fields) for name, fields in table["metrics"].items()),
            entities=tuple(_entity(fields) for fields in table["entities"]),
            watermark=None if mark is None else np.datetime64(mark, "ms"),
            unread=Repairs({(Repair[name], entity): int(number) for name, entity, number in table.get("unread", ())}),
        )


def _entity_table(entity: Entity) -> dict[str, Any]:
    """Fields as JSON has them; one that never moved has no ``former``."""
    fields = asdict(replace(entity, former=()))
    del fields["former"]
    return fields | ({"former": [(str(until), parent) for until, parent in entity.former]} if entity.former else {})


def _entity(fields: Mapping[str, Any]) -> Entity:
    texts = [fields[name] for name in ("id", "kind", "parent", "site", "group") if name in fields]
    labels = fields.get("labels", {})
    if not all(isinstance(text, str) for text in (*texts, *labels, *labels.values())):
        msg = f"an entity is {str(fields)[:80]}"
        raise ValueError(msg)
    former = tuple((np.datetime64(until, "ms"), parent) for until, parent in fields.get("former", ()))
    return Entity(**{**fields, "named_by": tuple(fields.get("named_by", ())), "former": former})


def _plain(metric: Metric) -> dict[str, Any]:
    return {key: value for key, value in asdict(metric).items() if key != "name" and value not in (None, inf, -inf)}


def read_description(folder: Path) -> tuple[Description, bool]:
    """The description of a history, and whether it is the one before the last: where the last is damaged.

    One slice is then read again, and nothing is lost. Raises HistoryError where there is no history, or both are
    damaged.
    """
    try:
        return _parsed(folder / FILE), False
    except FileNotFoundError as error:
        msg = f"{folder} holds no history yet."
        raise HistoryError(msg, remedy="Run `brownout sync` or `brownout nightly` first.") from error
    except _DamagedError as damage:
        try:
            return _parsed(folder / PREVIOUS), True
        except (FileNotFoundError, _DamagedError):
            remedy = (
                f"Restore it from a copy. Without one rename {FILE} and sync: the files in {folder / 'samples'} stay, "
                "and what the source still has is described anew."
            )
            raise HistoryError(str(damage), remedy=remedy) from damage


def write_description(folder: Path, description: Description) -> None:
    """Replace ``history.json``; the last step of every change. What it was before is kept for when this is damaged."""
    target, previous = folder / FILE, folder / PREVIOUS
    with atomic_path(target) as part:
        part.write_text(description.to_json(), encoding="utf-8")
        if target.exists():
            spare = folder / f".{PREVIOUS}.link"
            spare.unlink(missing_ok=True)
            with suppress(OSError):  # a file system without links keeps no description before the last
                os.link(target, spare)
                spare.replace(previous)
                sync_folder(folder)


class _DamagedError(Exception):
    """A description that cannot be read."""


def _parsed(path: Path) -> Description:
    try:
        return Description.from_json(read_bytes(path))
    except FileNotFoundError:
        raise
    except HistoryError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, BrownoutError) as error:
        msg = f"{path} is damaged: {type(error).__name__} {error}."
        raise _DamagedError(msg) from error
