"""Model files: JSON and safetensors with a hash, never a pickle."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from brownout.domain.errors import BrownoutError, ModelError
from brownout.store.atomic import atomic_path, write_text
from brownout.store.plain_json import checked, read_bytes, read_json, with_checksum

__all__ = ["damage_is_told", "read_card", "read_weights", "write_card", "write_weights"]

M = TypeVar("M")
OF_CONTENT = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RuntimeError)
"""What a card of any content may raise."""
FORMAT = 3
CARD = "forecaster.json"
WEIGHTS = "weights.safetensors"


def write_weights(folder: Path, weights: Mapping[str, Tensor]) -> str:
    """Write tensors; returns their SHA-256."""
    data = save({name: tensor.detach().contiguous() for name, tensor in weights.items()})
    with atomic_path(folder / WEIGHTS) as part:
        part.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def read_weights(folder: Path, digest: str) -> dict[str, Tensor]:
    """Read tensors and check their hash."""
    path = folder / WEIGHTS
    try:
        data = read_bytes(path)
        if hashlib.sha256(data).hexdigest() != digest:
            msg = f"{path} is not the file that its card describes: the hashes differ."
            raise ModelError(msg, remedy="The model was changed or mixed up: train again or fetch it again.")
        weights: dict[str, Tensor] = load(data)
    except (OSError, ValueError, SafetensorError) as error:
        msg = f"{path} cannot be read: {error}."
        raise ModelError(msg, remedy="Train again or fetch the model again.") from error
    return weights


def write_card(folder: Path, kind: str, facts: Mapping[str, Any]) -> None:
    """Write what describes a model, last: a folder without a card is no model."""
    write_text(folder / CARD, json.dumps(with_checksum({"format": FORMAT, "kind": kind, **facts}), indent=1))


def damage_is_told(load: Callable[[type[M], Path], M]) -> Callable[[type[M], Path], M]:
    """A loader for which whatever the content of a card makes fail is a ModelError that names the folder."""

    @wraps(load)
    def told(kind: type[M], folder: Path) -> M:
        try:
            return load(kind, folder)
        except ModelError:
            raise
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            IndexError,
            ArithmeticError,
            RuntimeError,
            BrownoutError,
        ) as error:
            msg = f"The card of the model in {folder} is damaged: {type(error).__name__} {error}."
            raise ModelError(msg, remedy="Train again, or fetch the whole model again.") from error

    return told


def read_card(folder: Path, kind: str) -> dict[str, Any]:
    """Read a card and check that it describes a model of a kind."""
    path = folder / CARD
    try:
        card = checked(read_json(path))
    except (OSError, ValueError) as error:
        msg = f"{folder} holds no model: {error}."
        raise ModelError(msg, remedy="Give the folder of a trained forecaster.") from error
    if card.get("format") != FORMAT or card.get("kind") != kind:
        msg = f"{path} describes a {card.get('kind')} of format {card.get('format')}, not a {kind} of format {FORMAT}."
        raise ModelError(msg, remedy="Train again with this version of brownout.")
    return card
