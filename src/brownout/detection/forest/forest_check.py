"""Checks of a forest that was read from disk: scikit-learn follows its indices without looking where they lead."""

import hashlib
import math
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any
from zipfile import BadZipFile

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.tree import ExtraTreeRegressor

from brownout.domain.errors import ModelError, SettingsError

__all__ = ["READ_ERRORS", "forest_bytes", "forest_data", "forest_fault", "read_forest"]

READ_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, SettingsError)
"""What reading a card of any content may raise."""
LARGEST = 256 * 2**20
TRUSTED = ["sklearn.tree._tree.Tree"]
"""The only type beyond skops' own list that may be loaded; its indices are checked before use."""

ONE_AT_A_TIME = Lock()
"""Headers of arrays are parsed as Python, which fails by chance in two threads at once before CPython 3.11.8."""
KEPT_FORESTS = 8
"""Forests that are kept in memory, as a night reads the same files several times; a fleet has seven kinds."""
_kept: OrderedDict[tuple[bytes, int, int], IsolationForest] = OrderedDict()
"""Forests by the SHA-256 of their file, their number of features and of trees. Only read where the lock is held."""
LEAF = -1
BY_TREE: dict[str, type[Any]] = {
    "estimators_": list,
    "estimators_features_": list,
    "_decision_path_lengths": tuple,
    "_average_path_length_per_tree": tuple,
}
"""What a forest holds of each tree."""


def forest_bytes(folder: Path, name: object) -> bytes:
    """The bytes of a forest; raises ValueError where the card names anything but a file of moderate size beside it."""
    path = folder / str(name)
    if path.name != name or not path.is_file() or path.stat().st_size > LARGEST:
        msg = f"{name!r} is no file of a forest in this folder"
        raise ValueError(msg)
    return path.read_bytes()


def forest_data(forest: IsolationForest) -> bytes:
    """A forest as the bytes of a file."""
    import skops.io

    data: bytes = skops.io.dumps(forest)
    return data


def read_forest(data: bytes, folder: Path, *, features: int, trees: int) -> IsolationForest:
    """The forest of a file, whose trees point only to nodes and features that there are; else a ModelError.

    Equal bytes give the same forest, which is not to be changed.
    """
    key = hashlib.sha256(data).digest(), features, trees
    with ONE_AT_A_TIME:
        if key not in _kept:
            _kept[key] = _checked_forest(data, folder, features=features, trees=trees)
        _kept.move_to_end(key)
        while len(_kept) > KEPT_FORESTS:
            _kept.popitem(last=False)
        return _kept[key]


def _checked_forest(data: bytes, folder: Path, *, features: int, trees: int) -> IsolationForest:
    import skops.io

    try:
        forest = skops.io.loads(data, trusted=TRUSTED)
    except (*READ_ERRORS, BadZipFile, EOFError, IndexError, ImportError, RuntimeError) as error:
        msg = f"A forest in {folder} cannot be read: {error}."
        raise ModelError(msg, remedy="Train again, or fetch the whole model again.") from error
    fault = forest_fault(forest, features=features, trees=trees)
    if fault:
        msg = f"A forest in {folder} is damaged or was tampered with: {fault}."
        raise ModelError(msg, remedy="Do not use this model: train again, or fetch it from where it was reviewed.")
    return forest


def forest_fault(forest: object, *, features: int, trees: int) -> str:
    """What is wrong with a forest of so many trees over so many features; "" where every index leads somewhere.

    Looked at is all that scoring reads: types, numbers of trees and features, and of each tree its nodes (both children
    are missing, or both come after their parent, so that no path is without an end) and its table of path lengths.
    """
    if type(forest) is not IsolationForest:
        return f"it is a {type(forest).__name__}, not an isolation forest"
    held: dict[str, Any] = vars(forest)
    tables: list[Any] = [held.get(name) for name in BY_TREE]
    if held.get("n_features_in_") != features or any(
        not isinstance(table, kind) or len(table) != trees for table, kind in zip(tables, BY_TREE.values(), strict=True)
    ):
        return f"it has not {trees} trees over {features} features, or not the path lengths of each"
    if not _is_count(held.get("_max_samples")) or not _is_finite(held.get("offset_")):
        return "its number of samples or its offset is no number"
    for number, (estimator, columns, *lengths) in enumerate(zip(*tables, strict=True)):
        fault = _features_fault(columns, features) or _tree_fault(estimator, features, lengths)
        if fault:
            return f"tree {number}: {fault}"
    return ""


def _features_fault(columns: object, features: int) -> str:
    if not isinstance(columns, np.ndarray) or not np.array_equal(columns, np.arange(features)):
        return "it uses features that are not those of the others"
    return ""


def _tree_fault(estimator: object, features: int, lengths: list[Any]) -> str:
    if type(estimator) is not ExtraTreeRegressor:
        return f"it is a {type(estimator).__name__}"
    tree: Any = vars(estimator).get("tree_")
    count = getattr(tree, "node_count", 0)
    if not count or getattr(tree, "n_features", 0) != features:
        return "it has no nodes, or other features"
    left, right, split = (np.asarray(getattr(tree, name)) for name in ("children_left", "children_right", "feature"))
    leaf = (left == LEAF) & (right == LEAF)
    number = np.arange(count)
    inner = (left > number) & (right > number) & (left < count) & (right < count)
    if not (leaf | inner).all():
        return "a child is missing, comes before its parent, or lies beyond the last node"
    if not ((split >= 0) & (split < features))[~leaf].all() or not np.isfinite(tree.threshold[~leaf]).all():
        return "a node splits by a feature or a value that there is not"
    for table in lengths:
        if not isinstance(table, np.ndarray) or table.shape != (count,) or not np.isfinite(table).all():
            return "its path lengths are not one number a node"
    return ""


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and int(value) > 0


def _is_finite(value: object) -> bool:
    return isinstance(value, float | np.floating) and math.isfinite(value)
