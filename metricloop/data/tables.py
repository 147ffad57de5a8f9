"""The file contracts: Parquet schemas, and reading and writing of tables, JSON and YAML.

Every file is written to a temporary name and renamed, so a reader never sees half of one. Parquet bytes depend
on the rows alone, so that an unchanged table does not make DVC run the next stage.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

IMAGES = pa.schema(
    {
        "image_id": pa.int64(),
        "file": pa.string(),  # relative to data.root
        "sha256": pa.string(),
        "width": pa.int32(),  # of the picture as shown (EXIF orientation applied)
        "height": pa.int32(),
        "group": pa.string(),  # video, near-duplicate cluster; else the file itself
        "split": pa.string(),  # pool | search | test
    }
)
_BOX = {"x1": pa.float32(), "y1": pa.float32(), "x2": pa.float32(), "y2": pa.float32()}
SPLITS = ("pool", "search", "test")  # each has a file of BOXES
BOXES = pa.schema({"box_id": pa.int64(), "image_id": pa.int64(), **_BOX, "label": pa.int32(), "crowd": pa.bool_()})
# One row per clean box of the pool (box_id null: it is missing from the labels) and one per invented box
# (coordinates null). Empty when no mistakes were injected.
TRUTH = pa.schema({"image_id": pa.int64(), "box_id": pa.int64(), **_BOX, "label": pa.int32(), "mistake": pa.string()})
PREDICTIONS = pa.schema({"image_id": pa.int64(), **_BOX, "score": pa.float32(), "label": pa.int32()})
# The same of other views of a picture (flip, crop), or of a second model (seed).
VIEWS = pa.schema({"view": pa.string(), **{field.name: field.type for field in PREDICTIONS}})
ASKED = "views"  # in the stamp of VIEWS: the names of those that were asked for
SCORES = pa.schema({"image_id": pa.int64(), "box_id": pa.int64(), "score": pa.float64(), "error": pa.string()})
# The labels a trial trains on, whole: a trial depends on its manifest, never on the rest of the pool.
# use: keep | mask (region filled with the mean colour) | none (an image without boxes: one row, box columns null).
# An arm without chance stores draw 0 only; it stands for every seed.
SUBSET = pa.schema(
    {
        "draw": pa.int32(),
        "image_id": pa.int64(),
        "box_id": pa.int64(),
        **_BOX,
        "label": pa.int32(),
        "use": pa.string(),
    }
)
# Environment variable, and the stamp of tables that were made while it was set: metrics ran without the sandbox.
UNSAFE = "METRICLOOP_UNSAFE_IN_PROCESS"
FAILED = "failed"  # in the stamp of EDITS or SUBSET: why the model's repair or arm has none; "" or absent: it has


class TableError(ValueError):
    """A table on disk is missing, or lacks what its schema requires."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    temporary.touch(exist_ok=False)  # with the rights that the umask leaves, unlike mkstemp
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(
    path: Path | str, schema: pa.Schema, columns: Mapping[str, Any], stamp: Mapping[str, str] | None = None
) -> None:
    """Write `columns` (arrays or lists of equal length, None or masked for null) as Parquet under `schema`.

    stamp: notes on how the table was made, stored in the file; see `stamp_of`.
    """
    table = pa.table({name: pa.array(columns[name], type=schema.field(name).type) for name in schema.names}, schema)
    if stamp:
        table = table.replace_schema_metadata(dict(stamp))
    with replacing(Path(path)) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_boxes(folder: Path, images: Mapping[str, Any], boxes: Mapping[str, Any]) -> None:
    """Write the labels as one file per split, in folder/boxes. images, boxes: columns of IMAGES and BOXES."""
    split = dict(zip(np.asarray(images["image_id"]).tolist(), images["split"], strict=True))
    of_box = np.array([split[number] for number in np.asarray(boxes["image_id"]).tolist()], object)
    for part in SPLITS:
        own = np.flatnonzero(of_box == part)
        write_table(folder / "boxes" / f"{part}.parquet", BOXES, {n: np.asarray(v)[own] for n, v in boxes.items()})


def read_table(path: Path | str, schema: pa.Schema) -> pa.Table:
    """Read a Parquet table and check it against its schema. Errors: TableError."""
    with open_table(path, schema) as file:
        return file.read(columns=schema.names).select(schema.names).cast(schema)


@contextmanager
def open_table(path: Path | str, schema: pa.Schema) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file to read parts of it. Errors: TableError if it is missing, or lacks a column of the schema."""
    if not Path(path).is_file():
        raise TableError(f"{path} does not exist; the stage that writes it has not run")
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if missing := [name for name in schema.names if name not in names]:
            raise TableError(f"{path} has no column {', '.join(missing)}; it holds {', '.join(names)}")
        yield file


def stamp_of(path: Path | str) -> dict[str, str]:
    """The stamp in a table's file; {} without."""
    return {key.decode(): value.decode() for key, value in (pq.read_schema(path).metadata or {}).items()}


def column(table: pa.Table, name: str) -> np.ndarray:
    """One column as a NumPy array; nulls become nan in float columns and -1 in integer ones."""
    values = table[name].combine_chunks()
    if values.null_count:
        if pa.types.is_integer(values.type):
            values = values.fill_null(-1)
        elif pa.types.is_floating(values.type):
            values = values.fill_null(float("nan"))
    return values.to_numpy(zero_copy_only=False)


def xyxy(table: pa.Table) -> np.ndarray:
    """The box columns of a table as (n, 4) float32."""
    return np.stack([column(table, name) for name in ("x1", "y1", "x2", "y2")], axis=1).astype(np.float32)


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON, indented, keys in the order given; nan and infinity are refused."""
    with replacing(Path(path)) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    return json.loads(Path(path).read_text())


def read_yaml(path: Path | str) -> Any:
    """The content of a YAML file; {} for an empty file. Errors: TableError for invalid YAML, with line and column."""
    try:
        with Path(path).open() as stream:
            return yaml.safe_load(stream) or {}
    except yaml.YAMLError as error:
        raise TableError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
