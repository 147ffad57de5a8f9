"""The columns of labels in Parquet files as Hugging Face's `datasets` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from metricloop.data import door
from metricloop.data.formats.huggingface_objects import BOXES, CLASSES, CROWDS
from metricloop.data.packed import parquet_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH = 4096  # rows that are read at once
LABELS = 20_000_000  # values in the columns of labels of a Parquet file


def schema_of(stream: IO[bytes]) -> pa.Schema:
    """The columns of a Parquet file. Errors: DoorError."""
    with parquet_of(stream) as parquet:
        return parquet.schema_arrow


def label_columns(schema: pa.Schema) -> list[str]:
    """The columns to read: boxes, classes, crowds, width and height. [] if no column holds boxes."""
    import pyarrow as pa

    def children(type_: pa.DataType) -> list[str]:
        lists = pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)
        inner = type_.value_type if lists else type_
        return [own.name for own in inner] if pa.types.is_struct(inner) else []

    nested = [own.name for own in schema if set(children(own.type)) & {*BOXES}]
    flat = [own for own in schema.names if own in BOXES]
    boxes = nested[:1] or [*flat, *(own for own in schema.names if own in (*CLASSES, *CROWDS))] * bool(flat)
    return boxes and [*boxes, *(own for own in ("width", "height") if own in schema.names)]


def read_rows(stream: IO[bytes]) -> list[dict[str, Any]]:
    """The labels of all rows, without the pictures. Errors: DoorError if it is damaged, or has too many labels."""
    with parquet_of(stream) as parquet:
        columns = label_columns(parquet.schema_arrow)
        _check_values(parquet.metadata, columns)
        return [row for batch in parquet.iter_batches(BATCH, columns=columns) for row in batch.to_pylist()]


def _check_values(metadata: pq.FileMetaData, columns: Sequence[str]) -> None:
    """Errors: DoorError if the labels do not fit in memory. A small file can hold very many: it is compressed."""
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    own = [
        place for place in range(metadata.num_columns) if metadata.schema.column(place).path.split(".")[0] in columns
    ]
    values = sum(group.column(place).num_values for group in groups for place in own)
    if values > LABELS:
        raise door.DoorError(f"{values} values in its labels; at most {LABELS} are read")
