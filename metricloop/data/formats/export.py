"""Write a data set, or one draw of a subset, as COCO JSON or YOLO. Pictures are linked, never copied."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import yaml

from metricloop.data.dataset import PER_IMAGE, Dataset
from metricloop.data.tables import column, replacing, write_json, xyxy

NAMES = {"pool": "train", "search": "val", "test": "test"}


class ExportError(ValueError):
    """The export is impossible: the draw or image does not exist, or the target folder is not empty."""


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


def export_coco(dataset: Dataset, path: Path | str) -> None:
    """Write one COCO JSON file. Ids start at 1.

    `file_name` is the path of the original picture, relative to the JSON file; image entries have the keys `split` and
    `group`, which `read` understands.
    """
    path = Path(path)
    start = path.absolute().parent
    images = [
        {
            "id": row + 1,
            "file_name": Path(os.path.relpath(_original(dataset, row), start)).as_posix(),
            "width": int(dataset.width[row]),
            "height": int(dataset.height[row]),
            "split": NAMES[dataset.split[row]],
            "group": str(dataset.group[row]),
        }
        for row in range(len(dataset))
    ]
    # float32 coordinates as doubles: shortest text that reads back the same
    corners = np.asarray(dataset.boxes, np.float64)
    sides = corners[:, 2:] - corners[:, :2]
    annotations = [
        {
            "id": number,
            "image_id": int(row) + 1,
            "category_id": int(label) + 1,
            "bbox": [*corner[:2].tolist(), *side.tolist()],
            "area": float(side[0] * side[1]),
            "iscrowd": int(crowd),
        }
        for number, (row, label, corner, side, crowd) in enumerate(
            zip(dataset.box_row, dataset.labels, corners, sides, dataset.crowd, strict=True), start=1
        )
    ]
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(dataset.class_names)]
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})


def export_yolo(dataset: Dataset, folder: Path | str) -> None:
    """Write data.yaml, a list per split, labels/SPLIT/*.txt, and images/SPLIT/* as symbolic links to the originals.

    YOLO has no crowd regions; they are left out. Errors: ExportError when the folder is not empty.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ExportError(f"{folder} is not empty; name another folder, or empty it")
    lists: dict[str, list[str]] = {}
    for row in range(len(dataset)):
        part = NAMES[dataset.split[row]]
        # the id keeps files apart that share a name in different folders
        name = f"{dataset.image_id[row]:06d}_{Path(dataset.file[row]).name}"
        link = folder / "images" / part / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(_original(dataset, row))
        lists.setdefault(part, []).append(f"./images/{part}/{name}\n")
        label_file = (folder / "labels" / part / name).with_suffix(".txt")
        label_file.parent.mkdir(parents=True, exist_ok=True)
        label_file.write_text("".join(_lines(dataset, row)))
    for part, lines in lists.items():
        with replacing(folder / f"{part}.txt") as temporary:
            temporary.write_text("".join(lines))
    content = {part: f"{part}.txt" for part in lists} | {"names": dict(enumerate(dataset.class_names))}
    with replacing(folder / "data.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _lines(dataset: Dataset, row: int) -> list[str]:
    own = dataset.slice(row)
    size = np.array([dataset.width[row], dataset.height[row]], np.float64)
    lines = []
    for (x1, y1, x2, y2), label, crowd in zip(
        dataset.boxes[own].astype(np.float64), dataset.labels[own], dataset.crowd[own], strict=True
    ):
        x, y = np.array([x1 + x2, y1 + y2]) / 2 / size
        w, h = np.array([x2 - x1, y2 - y1]) / size
        if not crowd:
            lines.append(f"{label} {x:.9g} {y:.9g} {w:.9g} {h:.9g}\n")
    return lines


def _original(dataset: Dataset, row: int) -> str:
    return os.path.abspath(dataset.root / dataset.file[row])
