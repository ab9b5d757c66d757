"""What several suites share: small real and made-up data sets."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

# A busy machine is no failure, and a test that fails here must fail everywhere.
settings.register_profile("brownout", deadline=None, derandomize=True)
settings.load_profile("brownout")

Write = Callable[..., Path]


@pytest.fixture
def write_dataset(tmp_path: Path) -> Write:
    """Write a dataset folder from columns; returns its path."""

    def write(
        columns: dict[str, Sequence[float | None]],
        *,
        times: Sequence[str | None],
        entities: Sequence[str | None],
        header: str = 'name = "made"\ninterval_s = 60\n',
        name: str = "made",
        **files: str,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dataset.toml").write_text(header)
        stamps = [None if time is None else np.datetime64(time, "ms").astype(object) for time in times]
        table = pa.table(
            {
                "time": pa.array(stamps, pa.timestamp("ms", "UTC")),
                "entity": pa.array(entities, pa.string()).dictionary_encode(),
                **{key: pa.array(values, pa.float32()) for key, values in columns.items()},
            }
        )
        pq.write_table(table, folder / "samples.parquet")
        for stem, text in files.items():
            (folder / f"{stem}.csv").write_text(text)
        return folder

    return write
