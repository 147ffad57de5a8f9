"""Write a data set in a format of other tools; and one draw of a subset, with parts of others, as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from metricloop.data import writers
from metricloop.data.dataset import PER_IMAGE, Dataset
from metricloop.data.formats.writer import ExportError, Notes, Placing, Writer, check_empty
from metricloop.data.formats.written import remember_links
from metricloop.data.packed import parts_of
from metricloop.data.tables import column, xyxy
from metricloop.data.urls import is_url

__all__ = ["ExportError", "export_dataset", "format_of", "joined", "of_subset", "writer_of"]

COCO_FOLDER = "coco-folder"  # what COCO is without the name of a file
FOLDER = "yolo"  # what a target without a known suffix becomes
PACKED = "pictures are packed in other files, where other tools do not find them; --format coco-folder takes them out"
PER_BOX = ("box_id", "boxes", "labels", "crowd")


def writer_of(name: str) -> Writer:
    """The writer of a format. Errors: ExportError."""
    if name not in writers.NAMES:
        raise ExportError(f"unknown format {name!r}; known: {', '.join(writers.NAMES)}")
    return import_module(f"{writers.__name__}.{name.replace('-', '_')}").WRITER


def format_of(target: Path, name: str | None = None) -> str:
    """The format to write: the one named, or what the target's suffix says (.json COCO, .xml CVAT, a folder YOLO).
    COCO without a suffix is a folder with pictures.

    Errors: ExportError where the target cannot be what the format needs.
    """
    if name is None:
        return {".json": "coco", ".xml": "cvat"}.get(target.suffix.lower(), FOLDER)
    suffix = target.suffix.lower()
    if name == "coco" and not suffix:
        name = COCO_FOLDER
    form = writer_of(name)
    if form.suffix and (suffix != form.suffix or target.is_dir()):
        raise ExportError(
            f"{form.title} is {form.target}; name it so, for example {target.stem or 'labels'}{form.suffix}"
        )
    if not form.suffix and suffix in (".json", ".xml", ".yaml", ".txt", ".zip"):
        raise ExportError(f"{form.title} is {form.target}, and {target} has the name of a file; name a folder")
    return name


def export_dataset(
    dataset: Dataset,
    target: Path | str,
    name: str,
    notes: Notes | None = None,
    *,
    copy: bool = False,
    hard: bool = False,
) -> list[str]:
    """Write a data set in a format; rows are written in their order.

    copy, hard: in a folder with pictures, copy them, or make hard links, instead of links. Returns sentences about what
    the format cannot hold, and how to open the result. Errors: ExportError.
    """
    target = Path(target)
    form = writer_of(name)
    if not form.suffix:
        check_empty(target)
    placing = Placing.COPY if copy else Placing.HARD if hard else Placing.LINK
    said = form.write(dataset, Notes() if notes is None else notes, target, placing)
    if not form.suffix and placing == Placing.LINK and not is_url(dataset.root):
        remember_links(target, dataset.root)
    if form.suffix and any(parts_of(dataset.root / file) for file in dataset.file):
        said = [*said, PACKED]
    return said


def of_subset(pool: Dataset, subset: pa.Table, draw: int = 0) -> Dataset:
    """The images and labels of one draw of a subset manifest (schema SUBSET) as a data set of its own.

    Masked regions become crowd regions: neither objects nor background.
    Errors: ExportError for an unknown draw or an image that the pool lacks.
    """
    drawn = column(subset, "draw")
    if draw not in drawn:
        raise ExportError(f"the subset has no draw {draw}; it has {', '.join(map(str, np.unique(drawn)))}")
    rows = subset.filter(pa.array(drawn == draw)).sort_by([("image_id", "ascending"), ("box_id", "ascending")])
    image_id = np.unique(column(rows, "image_id"))
    unknown = image_id[~np.isin(image_id, pool.image_id)]
    if len(unknown):
        raise ExportError(f"the subset names image {unknown[0]}, which is not in the pool; select it again")
    chosen = np.flatnonzero(np.isin(pool.image_id, image_id))
    rows = rows.filter(pa.compute.not_equal(rows["use"], "none"))
    per_image = {name: getattr(pool, name)[chosen] for name in PER_IMAGE}
    return replace(
        pool,
        **per_image,
        box_id=column(rows, "box_id"),
        boxes=xyxy(rows),
        labels=column(rows, "label").astype(np.int64),
        crowd=column(rows, "use") == "mask",
        offsets=np.searchsorted(column(rows, "image_id"), np.append(per_image["image_id"], np.iinfo(np.int64).max)),
    )


def joined(parts: Sequence[Dataset]) -> Dataset:
    """Several parts of one data set as one, the rows of the first part first."""
    counts = np.concatenate([part.counts for part in parts])
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in (*PER_IMAGE, *PER_BOX)
    }
    return replace(parts[0], **arrays, offsets=np.concatenate([[0], np.cumsum(counts)]))


def with_crowds(chosen: Dataset, whole: Dataset) -> Dataset:
    """Chosen images with the crowd regions that the whole data set has in them."""
    rows = np.flatnonzero(np.isin(whole.image_id, chosen.image_id))
    crowds = np.flatnonzero(whole.crowd & np.isin(whole.box_row, rows) & ~np.isin(whole.box_id, chosen.box_id))
    place = {int(number): row for row, number in enumerate(chosen.image_id)}
    row = np.concatenate([chosen.box_row, [place[int(whole.image_id[whole.box_row[box]])] for box in crowds]])
    order = np.argsort(row, kind="stable")
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(chosen, name), getattr(whole, name)[crowds]])[order] for name in PER_BOX
    }
    counts = np.bincount(row.astype(int), minlength=len(chosen))
    return replace(chosen, **arrays, offsets=np.concatenate([[0], np.cumsum(counts)]))


def reordered(dataset: Dataset, order: Sequence[int]) -> tuple[Dataset, np.ndarray]:
    """Some images in another order, and the rows of their boxes in the given data set."""
    rows = np.asarray(order, int)
    boxes = np.concatenate([np.zeros(0, int), *(np.arange(*dataset.offsets[row : row + 2]) for row in rows)])
    arrays: dict[str, Any] = {name: getattr(dataset, name)[rows] for name in PER_IMAGE}
    arrays |= {name: getattr(dataset, name)[boxes] for name in PER_BOX}
    return replace(dataset, **arrays, offsets=np.concatenate([[0], np.cumsum(dataset.counts[rows])])), boxes
