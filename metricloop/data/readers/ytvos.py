"""YouTube-VOS: `meta.json`, frames in `JPEGImages/VIDEO/`, palette masks in `Annotations/VIDEO/`.

A box is the extent of an object's mask. The masks show some objects of a video, not all. So a frame in which none of
them is visible may still show others: it is left out and does not count as background.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data import door
from metricloop.data.formats.broken_json import salvage
from metricloop.data.formats.place import Place
from metricloop.data.formats.problem import reasons
from metricloop.data.formats.source import Format, Problem, Record, Source, SourceError, make_record, split_of
from metricloop.data.formats.values import id_of, name_of

MOST_PIXELS = 100_000_000  # of a mask
MOST_OBJECTS = 2_000  # numbers in a mask; more are colours, or noise


def find_ytvos(place: Place) -> list[Path]:
    """The meta.json files of a source: itself, in its folder, or in the folders of its splits."""
    source = place.source
    if place.is_file(source):
        source = source.parent if source.name == "meta.json" else source / "none"
    return [
        path
        for path in [source / "meta.json", *(source / split / "meta.json" for split in ("train", "valid", "test"))]
        if place.is_file(path) and place.is_dir(path.parent / "Annotations")
    ]


def read_ytvos(place: Place, categories: Sequence[str] = ()) -> Source:
    """Read the videos that hold an object of `categories` (empty: all).

    Errors: SourceError when no frame is usable, with the categories of the source.
    """
    problems: list[Problem] = []
    metas = find_ytvos(place)
    videos = [(path, name, video) for path in metas for name, video in sorted(_videos(place, path, problems).items())]
    objects = {
        (path, name): {key: name_of(item.get("category")) for key, item in _objects(video).items()}
        for path, name, video in videos
    }
    objects = {key: {number: name for number, name in named.items() if name} for key, named in objects.items()}
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
        numbers = {int(k): labels[c] for k, c in named.items() if k.isdigit()}
        records += _frames(place, path.parent, name, numbers, split, problems)
    if not records:
        wanted = f"of {', '.join(categories)} " if categories else ""
        raise SourceError(
            f"{place.source}: no frame with an object {wanted}found; there are {class_names}. {reasons(problems)}",
            problems,
        )
    return Source("ytvos", tuple(class_names), tuple(records), tuple(problems))


def _videos(place: Place, path: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        text = place.read_text(path, door.TABLE)
        content = json.loads(text)
    except json.JSONDecodeError as error:
        content = salvage(text, error.pos)
        kept = len(content.get("videos", {})) if isinstance(content, dict) else 0
        problems.append(Problem(str(path), "annotation file cut off or damaged", f"kept {kept} whole videos"))
    except (door.DoorError, ValueError, RecursionError, MemoryError) as error:
        why = str(error) if isinstance(error, door.DoorError) else "nested too deeply, or no JSON"
        problems.append(Problem(str(path), "annotation file cannot be read", f"left out ({why})"))
        return {}
    videos = content.get("videos") if isinstance(content, dict) else None
    return videos if isinstance(videos, dict) else {}


def _objects(video: Any) -> dict[str, Any]:
    objects = video.get("objects") if isinstance(video, dict) else None
    found = {id_of(key): value for key, value in objects.items()} if isinstance(objects, dict) else {}
    return {key: value for key, value in found.items() if key and isinstance(value, dict)}


def _frames(
    place: Place, root: Path, video: str, labels: dict[int, int], split: str | None, problems: list[Problem]
) -> list[Record]:
    """The annotated frames of a video in which an object is visible."""
    if "/" in video or "\0" in video or video in (".", ".."):
        problems.append(Problem(str(root / "meta.json"), "name of a video is no folder name", "left out"))
        return []
    masks = place.files(root / "Annotations" / video, [".png"])
    pictures = {path.stem: path for path in place.pictures_in(root / "JPEGImages" / video)}
    records = []
    for path in masks:
        picture = pictures.pop(path.stem, None)
        if picture is None:
            problems.append(Problem(str(path), "labels without picture", "left out"))
            continue
        try:
            mask = read_mask(path, place)
            boxes = mask_boxes(mask)
        except Exception as error:  # whatever Pillow makes of a broken file costs this frame only
            why = str(error)[:200] or type(error).__name__
            problems.append(Problem(str(path), "mask cannot be read", f"frame left out ({why})"))
            continue
        unknown = sorted(set(boxes) - set(labels))
        if unknown:
            told = f"{unknown[:10]}{' and more' if len(unknown) > 10 else ''}"
            problems.append(Problem(str(path), "unknown class", f"objects {told} dropped"))
        rows = [(box, labels[key], False) for key, box in boxes.items() if key in labels]
        if rows:
            height, width = mask.shape
            fields = {"split": split, "group": video, "width": width, "height": height, "origin": str(root)}
            records.append(make_record(picture, rows, **fields))
    problems += [Problem(str(path), "picture without labels", "left out") for path in pictures.values()]
    return records


def read_mask(path: Path, place: Place | None = None) -> np.ndarray:
    """Object numbers per pixel, (H, W) int32. Read with Pillow, because OpenCV turns palette numbers into colours."""
    from PIL import Image

    data = door.read_bytes(path) if place is None else place.read_bytes(path)
    with Image.open(io.BytesIO(data)) as image:
        if image.mode not in ("P", "L", "I", "I;16", "1"):
            raise ValueError(f"mode {image.mode}; a mask holds object numbers")
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels; a mask has at most {MOST_PIXELS}")
        return np.asarray(image).astype(np.int32)


def mask_boxes(mask: np.ndarray) -> dict[int, tuple[float, float, float, float]]:
    """Object number -> xyxy box around its pixels, far edges included; 0 is background.

    Errors: ValueError for a mask with too many numbers.
    """
    from scipy.ndimage import find_objects

    numbers = np.unique(mask)
    numbers = numbers[numbers > 0]
    if len(numbers) > MOST_OBJECTS:
        raise ValueError(f"{len(numbers)} object numbers; a mask holds at most {MOST_OBJECTS}")
    # counted anew from 1, because find_objects makes a list up to the greatest number
    places = np.searchsorted(numbers, mask) + 1 if len(numbers) else mask
    return {
        int(number): (float(x.start), float(y.start), float(x.stop), float(y.stop))
        for number, (y, x) in zip(numbers, find_objects(np.where(mask > 0, places, 0)), strict=True)
    }


FORMAT = Format(
    sign="meta.json beside Annotations/ and JPEGImages/",
    find=find_ytvos,
    read=read_ytvos,
    place=10,
)
