"""A detector on disk that was damaged or tampered with is refused in words; none hangs, crashes or reads beyond."""

import gc
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from panels import waves
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.tree._tree import Tree

from brownout.detection.detector_settings import DetectorSettings
from brownout.detection.features.feature_table import FOREST_FEATURES
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.detection.forest.forest_check import forest_data, forest_fault, read_forest
from brownout.domain.errors import ModelError
from brownout.store.plain_json import checked, with_checksum


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    IsolationForestDetector(DetectorSettings(trees=5, samples=32)).fit([waves()]).save(folder)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def changed(folder: Path, change: Callable[[Any], object]) -> None:
    """Change the forest and write it back with the hash of the new one, as somebody who tampers would."""
    path = folder / "forest-0.skops"
    forest = skops.io.loads(path.read_bytes(), trusted=["sklearn.tree._tree.Tree"])
    data = skops.io.dumps(change(forest) or forest)
    path.write_bytes(data)
    card = checked(json.loads((folder / "detector.json").read_text()))
    for facts in card["kinds"].values():
        facts["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "detector.json").write_text(json.dumps(with_checksum(card)))


def of_nodes(change: Callable[[Any], None]) -> Callable[[Any], None]:
    def each(forest: Any) -> None:
        for estimator in forest.estimators_:
            old = estimator.tree_
            state = old.__getstate__()
            change(state["nodes"])
            estimator.tree_ = Tree(old.n_features, np.array(old.n_classes, dtype=np.intp).reshape(-1), old.n_outputs)
            estimator.tree_.__setstate__(state)

    return each


def own_child(nodes: Any) -> None:
    nodes["left_child"][0] = nodes["right_child"][0] = 0


def longer_cycle(nodes: Any) -> None:
    inner = np.flatnonzero(nodes["left_child"] > 0)
    nodes["left_child"][inner[-1]] = inner[0]


def one_child(nodes: Any) -> None:
    nodes["right_child"][0] = -1


def far_child(nodes: Any) -> None:
    nodes["right_child"][0] = len(nodes)


def far_feature(nodes: Any) -> None:
    nodes["feature"][0] = -5_000_000


def next_feature(nodes: Any) -> None:
    nodes["feature"][0] = len(FOREST_FEATURES)


def no_threshold(nodes: Any) -> None:
    nodes["threshold"][0] = np.nan


def far_columns(forest: Any) -> None:
    forest.estimators_features_ = [np.full(len(FOREST_FEATURES), 10**6) for _ in forest.estimators_]


def empty(forest: Any) -> None:
    forest.estimators_ = []


def short_paths(forest: Any) -> None:
    forest._decision_path_lengths = tuple(part[:1] for part in forest._decision_path_lengths)


def no_samples(forest: Any) -> None:
    forest._max_samples = 0


FORESTS = [
    of_nodes(own_child), of_nodes(longer_cycle), of_nodes(one_child), of_nodes(far_child), of_nodes(far_feature),
    of_nodes(next_feature), of_nodes(no_threshold), far_columns, empty, short_paths, no_samples,
    lambda _: LogisticRegression(), lambda _: [1, 2],
]  # fmt: skip


@pytest.mark.parametrize("change", FORESTS)
def test_a_forest_that_leads_nowhere_is_refused(folder: Path, change: Callable[[Any], object]) -> None:
    changed(folder, change)
    with pytest.raises(ModelError, match="forest in"):
        IsolationForestDetector.load(folder)


def test_a_sound_forest_is_read(folder: Path) -> None:
    changed(folder, lambda _: None)
    assert IsolationForestDetector.load(folder).forests_
    rows = np.random.default_rng(0).normal(size=(300, 4))
    assert forest_fault(IsolationForest(n_estimators=7, random_state=0).fit(rows), features=4, trees=7) == ""


@pytest.mark.parametrize("name", ["/dev/zero", "../copy/forest-0.skops", "..", "", "nowhere", 3, None, ["x"]])
def test_a_card_names_plain_files_beside_it(folder: Path, name: object) -> None:
    card = checked(json.loads((folder / "detector.json").read_text()))
    next(iter(card["kinds"].values()))["file"] = name
    (folder / "detector.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="holds no detector"):
        IsolationForestDetector.load(folder)


@pytest.mark.parametrize(
    "text",
    ["[]", "null", "3", "{}", "", "{", "[" * 100_000, '{"format": 7}', '{"kinds": []}', '{"kinds": {"vm": 1}}',
     '{"format": 7, "kinds": {}}', "\x00" * 100],
)  # fmt: skip
def test_a_damaged_card_is_refused(folder: Path, text: str) -> None:
    (folder / "detector.json").write_text(text)
    with pytest.raises(ModelError):
        IsolationForestDetector.load(folder)


@pytest.mark.parametrize("value", [float("nan"), None, "0.5", [1], {}])
def test_a_boundary_that_is_no_number_is_refused(folder: Path, value: object) -> None:
    card = checked(json.loads((folder / "detector.json").read_text()))
    next(iter(card["kinds"].values()))["boundaries"]["level"]["boundary"] = value
    (folder / "detector.json").write_text(json.dumps(card))
    with pytest.raises(ModelError):
        IsolationForestDetector.load(folder)


def test_a_changed_digit_is_damage(folder: Path) -> None:
    path = folder / "detector.json"
    text = path.read_text()
    path.write_text(text.replace('"margin": 1.1', '"margin": 1.7'))
    assert path.read_text() != text
    with pytest.raises(ModelError, match="checksum"):
        IsolationForestDetector.load(folder)


def test_a_detector_that_waits_for_a_longer_history_is_stored_and_read(tmp_path: Path) -> None:
    """The first nights of a fleet store one without a forest: reading it again is no damage."""
    IsolationForestDetector().wait().save(tmp_path)
    found = IsolationForestDetector.load(tmp_path)
    assert found.waits_
    assert np.isnan(found.score(waves()).scores).all()


@dataclass(eq=False)
class LetsOthersIn:
    """As what is collected while a file or a socket closes: another thread runs meanwhile."""

    itself: "LetsOthersIn | None" = None

    def __del__(self) -> None:
        time.sleep(0)


def test_two_threads_may_load_at_once(folder: Path) -> None:
    """CPython before 3.11.8 fails by chance where two threads parse at once and rubbish is collected meanwhile."""

    def collected(phase: str, _info: object) -> None:
        if phase == "stop":
            rubbish = LetsOthersIn()
            rubbish.itself = rubbish

    gc.callbacks.append(collected)
    before = gc.get_threshold()
    gc.set_threshold(50, 1000, 1000)
    try:
        with ThreadPoolExecutor(4) as pool:
            loaded = list(pool.map(IsolationForestDetector.load, [folder] * 24))
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*before)
    assert len(loaded) == 24


def test_a_forest_that_is_kept_is_checked_anew_for_another_detector(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    data = forest_data(IsolationForest(n_estimators=5, max_samples=16, random_state=1).fit(rng.normal(size=(64, 2))))
    first = read_forest(data, tmp_path, features=2, trees=5)
    assert read_forest(data, tmp_path, features=2, trees=5) is first
    for features, trees in ((3, 5), (2, 6)):
        with pytest.raises(ModelError):
            read_forest(data, tmp_path, features=features, trees=trees)
