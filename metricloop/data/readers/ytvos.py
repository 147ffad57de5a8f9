"""YouTube-VOS: `meta.json`, frames in `JPEGImages/VIDEO/`, palette masks in `Annotations/VIDEO/`.

A box is the extent of an object's mask. The masks show some objects of a video, not all. So a frame in which none of
them is visible may still show others: it is left out and does not count as background.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.formats.broken_json import salvage
from metricloop.data.formats.source import (  # fmt: skip
    Format,
    Problem,
    Record,
    Source,
    SourceError,
    absolute,
    list_pictures,
    make_record,
    split_of,
)


def find_ytvos(source: Path) -> list[Path]:
    """The meta.json files of a source: itself, in its folder, or in the folders of its splits."""
    if source.is_file():
        source = source.parent if source.name == "meta.json" else source / "none"
    return [
        path
        for path in [source / "meta.json", *(source / split / "meta.json" for split in ("train", "valid", "test"))]
        if path.is_file() and (path.parent / "Annotations").is_dir()
    ]


def read_ytvos(source: Path, categories: Sequence[str] = ()) -> Source:
    """Read the videos that hold an object of `categories` (empty: all).

    Errors: SourceError when no frame is usable, with the categories of the source.
    """
    problems: list[Problem] = []
    metas = find_ytvos(source)
    videos = [(path, name, video) for path in metas for name, video in sorted(_videos(path, problems).items())]
    objects = {
        (path, name): {str(key): str(item["category"]) for key, item in _objects(video).items() if "category" in item}
        for path, name, video in videos
    }
    class_names = sorted({category for named in objects.values() for category in named.values()})
    labels = {category: label for label, category in enumerate(class_names)}
    records: list[Record] = []
    for path, name, video in videos:
        named = objects[path, name]
        if len(named) < len(_objects(video)):
            problems.append(Problem(str(path), "unknown class", f"objects without category dropped (video {name})"))
        if not named or (categories and not set(categories) & set(named.values())):
            continue
        split = split_of(path.parent.name) if len(metas) > 1 else None
        records += _frames(path.parent, name, {int(k): labels[c] for k, c in named.items()}, split, problems)
    if not records:
        reasons = "; ".join(f"{p.file}: {p.problem}" for p in problems[:5])
        wanted = f"of {', '.join(categories)} " if categories else ""
        raise SourceError(f"{source}: no frame with an object {wanted}found; there are {class_names}. {reasons}")
    return Source("ytvos", tuple(class_names), tuple(records), tuple(problems))


def _videos(path: Path, problems: list[Problem]) -> dict[str, Any]:
    text = path.read_text(errors="replace")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        content = salvage(text, error.pos)
        kept = len(content.get("videos", {})) if isinstance(content, dict) else 0
        problems.append(Problem(str(path), "annotation file cut off or damaged", f"kept {kept} whole videos"))
    videos = content.get("videos") if isinstance(content, dict) else None
    return videos if isinstance(videos, dict) else {}


def _objects(video: Any) -> dict[str, Any]:
    objects = video.get("objects") if isinstance(video, dict) else None
    return {k: v for k, v in objects.items() if isinstance(v, dict)} if isinstance(objects, dict) else {}


def _frames(root: Path, video: str, labels: dict[int, int], split: str | None, problems: list[Problem]) -> list[Record]:
    """The annotated frames of a video in which an object is visible."""
    masks = sorted((root / "Annotations" / video).glob("*.png"))
    pictures = {path.stem: path for path in list_pictures(root / "JPEGImages" / video)}
    records = []
    for path in masks:
        picture = pictures.pop(path.stem, None)
        if picture is None:
            problems.append(Problem(str(absolute(path)), "labels without picture", "left out"))
            continue
        try:
            mask = read_mask(path)
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken files
            problems.append(Problem(str(absolute(path)), "mask cannot be read", f"frame left out ({error})"))
            continue
        boxes = mask_boxes(mask)
        unknown = sorted(set(boxes) - set(labels))
        if unknown:
            problems.append(Problem(str(absolute(path)), "unknown class", f"objects {unknown} dropped"))
        rows = [(box, labels[key], False) for key, box in boxes.items() if key in labels]
        if rows:
            height, width = mask.shape
            records.append(make_record(picture, rows, split=split, group=video, width=width, height=height))
    problems += [Problem(str(path), "picture without labels", "left out") for path in pictures.values()]
    return records


def read_mask(path: Path) -> np.ndarray:
    """Object numbers per pixel, (H, W) int32. Read with Pillow, because OpenCV turns palette numbers into colours."""
    from PIL import Image

    with Image.open(path) as image:
        if image.mode not in ("P", "L", "I", "I;16", "1"):
            raise ValueError(f"mode {image.mode}; a mask holds object numbers")
        return np.asarray(image).astype(np.int32)


def mask_boxes(mask: np.ndarray) -> dict[int, tuple[float, float, float, float]]:
    """Object number -> xyxy box around its pixels, far edges included; 0 is background."""
    from scipy.ndimage import find_objects

    return {
        number: (float(x.start), float(y.start), float(x.stop), float(y.stop))
        for number, (y, x) in ((n, s) for n, s in enumerate(find_objects(mask), start=1) if s is not None)
    }


FORMAT = Format(
    sign="meta.json beside Annotations/ and JPEGImages/",
    find=find_ytvos,
    read=read_ytvos,
    place=10,
)
