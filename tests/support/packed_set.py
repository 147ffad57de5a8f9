"""Pictures packed into tars and Parquet files."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

BOX = [5, 6, 10, 12]


def pack(folder: Path, target: Path, only: Collection[str] | None = None) -> Path:
    """A tar, or a zip, of what lies in a folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [name for name in names if only is None or name in only]
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for number, name in enumerate(names):
                archive.write(folder / name, name, zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED)
        return target
    with tarfile.open(target, "w") as tar:
        for name in names:
            tar.add(folder / name, f"./{name}")
    return target


def samples(count: int = 8) -> list[tuple[str, Any]]:
    """(name, bytes) of some pictures."""
    made = []
    for number in range(count):
        buffer = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 255, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(buffer, "jpeg", quality=95)
        made.append((f"{number}.jpg", buffer.getvalue()))
    return made


def parquet(
    path: Path, pictures: Sequence[tuple[str, Any]], objects: Sequence[Any], names: Sequence[str] = (), group: int = 3
) -> Path:
    """A Parquet file as `datasets` writes it."""
    table = pa.table(
        {
            "image": pa.array([{"bytes": data, "path": name} for name, data in pictures]),
            "objects": pa.array(objects),
        }
    )
    if names:
        features = {
            "image": {"_type": "Image"},
            "objects": {"feature": {"bbox": {}, "category": {"names": names, "_type": "ClassLabel"}}, "_type": "List"},
        }
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path


def one_box(count: int, box: Sequence[float] = tuple(BOX), category: int = 0) -> list[dict[str, Any]]:
    return [{"bbox": [box], "category": [category]}] * count
