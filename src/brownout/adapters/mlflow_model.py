"""A model's folder as MLflow wants it: MLmodel with signature, example, description and requirements around its files.

The files themselves go as they are, below ``data/model``: safetensors, skops and JSON. MLflow is told of a loader
module, so that nothing is pickled.
"""

import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from brownout.store.model_folder import ModelInterface, read_interface, write_hashes

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature

__all__ = ["DATA", "REQUIREMENTS", "package_model"]

DATA = Path("data/model")
"""Where the model's own files lie below the folder of MLmodel, as MLflow copies them."""
OF_THE_RUN = ("*.html", "*.svg", "*.csv")
"""What people look at: it goes with the run, and a model does not need it."""
LOADER = "brownout.adapters.mlflow_loader"
"""The module that ``mlflow.pyfunc.load_model`` is told of. It imports PyTorch and scikit-learn, so it is imported where
a model is packaged or loaded only."""
REQUIREMENTS = ("brownout", "mlflow", "numpy", "pandas", "pyarrow", "safetensors", "scikit-learn", "skops", "torch")
"""What a model needs; brownout brings the rest of its own dependencies."""


def package_model(source: Path, target: Path, card: "Model") -> str:
    """Write the folder ``target`` around the files of ``source``; returns what the model says of itself.

    ``card`` is completed and written as MLmodel, with the SHA-256 of the list of hashes. A folder that does not say how
    its model is called is kept as files, which ``load_model`` refuses.
    """
    with TemporaryDirectory() as folder:
        files = Path(folder) / DATA.name
        shutil.copytree(source, files, ignore=shutil.ignore_patterns(*OF_THE_RUN))
        card.metadata = {"sha256": write_hashes(files)}
        known = read_interface(files)
        if known is None:
            shutil.copytree(files, target / DATA)
            card.save(str(target / "MLmodel"))
            return ""
        interface, example = known
        _save(files, target, card, interface, example)
        return interface.description


def _save(files: Path, target: Path, card: "Model", interface: ModelInterface, example: pa.Table) -> None:
    from mlflow import pyfunc

    frame = _example_frame(example)
    pyfunc.save_model(
        str(target),
        loader_module=LOADER,
        data_path=str(files),
        mlflow_model=card,
        signature=_signature(interface),
        input_example=frame if len(frame) else None,
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
        metadata=card.metadata,
    )


def _example_frame(example: pa.Table) -> pd.DataFrame:
    """The example without metrics that it does not measure, whose type JSON would not tell."""
    frame = pd.DataFrame(example.to_pandas())
    return frame.dropna(axis="columns", how="all")


def _signature(interface: ModelInterface) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from brownout.adapters.mlflow_loader import QUANTILE_COLUMNS

    keys = [ColSpec("datetime", "time"), ColSpec("string", "entity")]
    metrics = [ColSpec("double", metric.name, required=False) for metric in interface.metrics]
    inputs = Schema([*keys, ColSpec("string", "kind", required=False), *metrics])
    if interface.task == "forecast":
        quantiles = [ColSpec("double", name) for name in QUANTILE_COLUMNS]
        outputs = [ColSpec("string", "entity"), ColSpec("string", "metric"), ColSpec("datetime", "time"), *quantiles]
    else:
        outputs = [*reversed(keys), ColSpec("double", "score"), ColSpec("boolean", "alarm")]
    return ModelSignature(inputs=inputs, outputs=Schema(outputs))
