"""What several suites share: small real and made-up data sets."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Ran:
    """A finished command and its output folder."""

    out: Path
    stdout: str
    stderr: str
    seconds: float


def brownout(*arguments: str | Path, cwd: Path | None = None, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    program = Path(sys.executable).with_name("brownout")
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd, timeout=540
    )
    assert done.returncode == expect, done.stderr
    return done


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo, run once for all tests that look at what it leaves behind."""
    out = tmp_path_factory.mktemp("demo") / "out"
    started = time.monotonic()
    done = brownout("demo", "--out", out)
    return Ran(out, done.stdout, done.stderr, time.monotonic() - started)
