"""How samples are written to Parquet."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["ROWS_A_GROUP", "samples_writer"]

ROWS_A_GROUP = 65_536
"""Rows of a row group: small enough that reading some entities, or some days, skips most of a file."""


def samples_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer for columns ``time``, ``entity`` and float32 metrics.

    Measurements hardly repeat, so a dictionary of them is work for nothing; their bytes split by place (sign and
    exponent apart from the noise) compress to about half. Times are nearly regular: their differences are kept.
    """
    numbers = {field.name: "BYTE_STREAM_SPLIT" for field in schema if pa.types.is_floating(field.type)}
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=["entity"],
        write_page_checksum=True,
        column_encoding={"time": "DELTA_BINARY_PACKED", **numbers},
    )
