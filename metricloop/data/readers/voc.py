"""Pascal VOC: one XML file per picture, in `Annotations/` with pictures in `JPEGImages/`, or side by side.

VOC counts pixels from 1 and includes the last one, so a box that fills a picture reads (1, 1, width, height) and
becomes (0, 0, width, height): 1 is taken off xmin and ymin. Many tools write 0-based corners instead; a source with
any corner at 0 counts as 0-based, and its corners stay as they are. Objects marked `difficult` become crowd
regions, as in VOC's own evaluation: neither a hit nor a miss.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from metricloop.data.formats.source import (  # fmt: skip
    Format,
    Problem,
    Record,
    Source,
    SourceError,
    list_pictures,
    make_record,
    split_of,
    unlabelled,
)

SIDES = ("xmin", "ymin", "xmax", "ymax")


def find_voc(source: Path) -> list[Path]:
    """The XML label files of a source folder, at most three levels down, sorted."""
    if not source.is_dir():
        return []
    return sorted(path for depth in ("", "*/", "*/*/") for path in source.glob(f"{depth}*.xml") if _is_label(path))


def _is_label(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(4096)
    return b"<annotation" in head or not head.strip()  # an empty file is a label file that was cut off


def read_voc(source: Path) -> Source:
    """Read every XML file of a folder; a file that cannot be parsed is left out with its picture.

    Errors: SourceError when none is usable.
    """
    problems: list[Problem] = []
    files = find_voc(source)
    splits = _image_sets(source, problems)
    labels: dict[str, int] = {}
    records: list[Record] = []
    named: list[Path] = []
    pictures: dict[Path, dict[str, Path]] = {}
    for path in files:
        root = _parse(path, problems)
        picture = _find_picture(path, root, pictures)
        named += [picture] if picture else []
        record = None if root is None else _read_file(path, root, picture, labels, problems)
        if record is None:
            continue
        if splits and path.stem not in splits:
            problems.append(Problem(str(path), "in no list of ImageSets/Main", "left out"))
            continue
        split = splits[path.stem] if splits else split_of(*path.parent.relative_to(source).parts)
        records.append(replace(record, split=split))
    for name in sorted(set(splits) - {path.stem for path in files}):
        problems.append(Problem(name, "listed in ImageSets/Main without a label file", "left out"))
    if not records:
        reasons = "; ".join(f"{p.file}: {p.problem}, {p.action}" for p in problems[:5])
        raise SourceError(f"{source}: none of {len(files)} VOC label files can be used. {reasons}")
    problems += unlabelled({file.parent for file in named}, named)
    names = sorted(labels)  # the order of first sight would change with the files
    order = np.array([names.index(name) for name in labels], np.int64)
    zero_based = any((record.boxes[:, :2] == 0).any() for record in records)
    shift = np.array([0, 0, 0, 0] if zero_based else [1, 1, 0, 0], np.float64)
    records = [replace(r, boxes=r.boxes - shift, labels=order[r.labels] if len(names) else r.labels) for r in records]
    return Source("voc", tuple(names), tuple(records), tuple(problems))


def _parse(path: Path, problems: list[Problem]) -> ElementTree.Element | None:
    try:
        return ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the latter two: unknown encodings
        action = f"left out with its picture ({error})"
        problems.append(Problem(str(path), "label file cut off or damaged", action))
        return None


def _read_file(
    path: Path, root: ElementTree.Element, picture: Path | None, labels: dict[str, int], problems: list[Problem]
) -> Record | None:
    """The record of one label file, corners as written; classes not seen before are added to `labels`."""
    rows = []
    for item in root.iter("object"):
        name, box = (item.findtext("name") or "").strip(), item.find("bndbox")
        if not name:
            problems.append(Problem(str(path), "unknown class", "dropped (object without a name)"))
            continue
        try:
            corners = [float(box.findtext(side) or "") for side in SIDES] if box is not None else None
        except ValueError:
            corners = None
        if corners is None:
            problems.append(Problem(str(path), "box is not four numbers", f"dropped ({name})"))
            continue
        rows.append((corners, labels.setdefault(name, len(labels)), (item.findtext("difficult") or "").strip() == "1"))
    if picture is None:
        problems.append(Problem(str(path), "labels without picture", f"left out ({len(rows)} boxes)"))
        return None
    return make_record(picture, rows, width=_size(root, "width"), height=_size(root, "height"))


def _size(root: ElementTree.Element, side: str) -> int | None:
    try:
        value = float(root.findtext(f"size/{side}") or "")
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and value > 0 else None


def _find_picture(path: Path, root: ElementTree.Element | None, listed: dict[Path, dict[str, Path]]) -> Path | None:
    """The picture of a label file: the picture of the same name, or the one it names, beside it or beside its folder.

    listed: folder -> its pictures by file name and by stem, filled as folders are looked at.
    """
    stated = "" if root is None else (root.findtext("filename") or "").replace("\\", "/").rpartition("/")[2].strip()
    folders = [path.parent]
    if path.parent.name.lower().startswith(("annotation", "label", "xml")):
        folders = [path.parent.parent / name for name in ("JPEGImages", "images", "Images", "")] + folders
    for folder in folders:
        if folder not in listed:
            pictures = list_pictures(folder)
            listed[folder] = {p.stem: p for p in pictures} | {p.name: p for p in pictures}
    return next((listed[f][name] for name in (path.stem, stated) for f in folders if name in listed[f]), None)


def _image_sets(source: Path, problems: list[Problem]) -> dict[str, str]:
    """File stem -> split, from ImageSets/Main/{train,val,test,trainval}.txt; the lists per class are not read."""
    splits: dict[str, str] = {}
    for name, split in (("train", "pool"), ("val", "search"), ("test", "test"), ("trainval", "pool")):
        path = source / "ImageSets" / "Main" / f"{name}.txt"
        if not path.is_file():
            continue
        for line in path.read_text(errors="replace").splitlines():
            stem = line.split()[0] if line.split() else ""
            if stem and splits.setdefault(stem, split) != split and name != "trainval":
                problems.append(Problem(str(path), "listed in two splits", f"kept in {splits[stem]} ({stem})"))
    return splits


FORMAT = Format(
    sign="VOC XML files, here or up to two folders down",
    find=find_voc,
    read=lambda source, categories: read_voc(source),
    place=40,
)
