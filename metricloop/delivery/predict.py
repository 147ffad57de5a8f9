"""Run a detector on picture files, in batches, and write what it finds as COCO JSON and as drawn pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from metricloop.data.tables import read_json, replacing, write_json
from metricloop.delivery.draw_detections import draw_detections
from metricloop.delivery.find_pictures import short_names
from metricloop.serving.detector import Detector, Found

JSON = "detections.json"  # in a folder of drawn pictures
DRAWN_AS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")  # pictures of other kinds are drawn as PNG


class OccupiedError(ValueError):
    """The results would lie among other files, or replace them."""


@dataclass
class Outcome:
    """coco: what was written as JSON. broken: (file, reason) of every picture that could not be read."""

    coco: dict[str, Any]
    broken: list[tuple[Path, str]] = field(default_factory=list)


def is_json(target: Path) -> bool:
    """Whether results go to one JSON file, not to a folder."""
    return target.suffix.lower() == ".json"


def refuse_occupied(target: Path) -> None:
    """Errors: OccupiedError for a JSON file, or a folder with files in it, that no earlier prediction has written."""
    if is_json(target):
        if target.is_dir():
            raise OccupiedError(f"{target} is a folder; give a name for the JSON file")
        if target.exists() and not _is_own(target):
            raise OccupiedError(f"{target} was not written by metricloop predict; give a new name, or remove it first")
    elif target.is_file():
        raise OccupiedError(f"{target} is a file; give a name that ends in .json, or a folder")
    elif target.is_dir() and any(target.iterdir()) and not _is_own(target / JSON, drawn=True):
        raise OccupiedError(f"{target} holds other files, which drawn pictures could replace; give a new folder")


def refuse_replaced(target: Path, files: Sequence[Path]) -> None:
    """Errors: OccupiedError when the results would replace one of `files` or each other, or lie outside the target."""
    inputs = {file.resolve() for file in files}
    drawn: dict[Path, Path] = {}
    places = [] if is_json(target) else _places(target, files)
    for place in [*places, target if is_json(target) else target / JSON]:
        if not is_json(target) and target.resolve() not in place.resolve().parents:
            raise OccupiedError(f"{place} leads out of {target}, by a link; give a new folder")
        if place.resolve() in inputs:
            raise OccupiedError(f"{place} is one of the pictures to look at, and would be replaced; give a new target")
    for file, place in zip(files, places, strict=False):  # without places for a JSON file
        other = drawn.setdefault(place, file)
        if other.resolve() != file.resolve():
            raise OccupiedError(f"{other} and {file} would both be drawn as {place}; give them in separate calls")


def _is_own(path: Path, *, drawn: bool = False) -> bool:
    """Whether an earlier prediction wrote this JSON file. drawn: whether it must also have drawn pictures."""
    try:
        info = read_json(path)["info"]
        return "detector" in info and (not drawn or info["drawn"] is True)
    except (OSError, ValueError, LookupError, TypeError):  # no such file, or other content
        return False


def _places(target: Path, files: Sequence[Path]) -> list[Path]:
    """Where the drawn picture of each file goes."""
    shorts = short_names(files)
    return [
        target / (short if short.suffix.lower() in DRAWN_AS else short.with_name(f"{short.name}.png"))
        for short in shorts
    ]


def predict(
    detector: Detector,
    files: Sequence[Path],
    target: Path,
    *,
    score: float,
    batch: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Detect on every file and write the results to `target`: a .json file, or a folder with pictures, too.

    score: the least score of a detection. batch: how many pictures are in memory at the same time.
    A picture that cannot be read is named in the outcome, and the others go on; where none can, nothing is written.
    Errors: OccupiedError.
    """
    refuse_occupied(target)
    refuse_replaced(target, files)
    there = target.exists()
    try:
        outcome = _found(detector, files, target, score, batch, progress)
        if outcome.coco["images"]:
            write_json(target if is_json(target) else target / JSON, outcome.coco)
    finally:
        if not there:
            _clear_empty(target)
    return outcome


def _clear_empty(target: Path) -> None:
    """Remove the folders in `target` that hold no file, and `target` itself if it is then empty."""
    if target.is_dir():
        for folder in sorted((path for path in target.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):  # it holds something
                folder.rmdir()
        with suppress(OSError):
            target.rmdir()


def _found(
    detector: Detector,
    files: Sequence[Path],
    target: Path,
    score: float,
    batch: int,
    progress: Callable[[int, int], None],
) -> Outcome:
    """Detect on every file, and write the drawn pictures; the JSON is left to the caller."""
    facts = detector.facts
    info = {"detector": facts.get("name"), "version": facts.get("version"), "least_score": score}
    if not is_json(target):
        info["drawn"] = True  # the pictures beside it may be replaced by the next prediction
    categories = [{"id": int(id), "name": name} for id, name in zip(_ids(facts), facts["classes"], strict=True)]
    coco: dict[str, Any] = {"info": info, "images": [], "annotations": [], "categories": categories}
    outcome, places = Outcome(coco), dict(zip(files, _places(target, files), strict=True))
    for begin in range(0, len(files), batch):
        part = files[begin : begin + batch]
        pictures = {file: image for file in part if (image := _read(detector, file, outcome.broken)) is not None}
        for (file, image), found in zip(pictures.items(), detector.detect(list(pictures.values())), strict=True):
            found = _from(found, score)
            _add(coco, file, image.shape, found)
            if not is_json(target):
                _write_picture(places[file], draw_detections(image, found, facts["classes"]))
        progress(begin + len(part), len(files))
    return outcome


def _ids(facts: Any) -> Sequence[int]:
    return facts.get("category_ids") or range(1, len(facts["classes"]) + 1)


def _read(detector: Detector, file: Path, broken: list[tuple[Path, str]]) -> np.ndarray | None:
    try:
        return detector.read(file.read_bytes())
    except OSError as error:
        broken.append((file, error.strerror or str(error)))
    except ValueError as error:
        broken.append((file, str(error)))
    return None


def _from(found: Found, score: float) -> Found:
    shown = found.scores >= score
    return Found(found.boxes[shown], found.scores[shown], found.labels[shown])


def _add(coco: dict[str, Any], file: Path, shape: tuple[int, ...], found: Found) -> None:
    """Add one picture and its detections, boxes as xywh."""
    image = {"id": len(coco["images"]) + 1, "file_name": file.as_posix(), "width": shape[1], "height": shape[0]}
    coco["images"].append(image)
    for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
        x, y, width, height = (round(value, 3) for value in (box[0], box[1], box[2] - box[0], box[3] - box[1]))
        coco["annotations"].append(
            {
                "id": len(coco["annotations"]) + 1,  # from 1: 0 is no id for COCO's own evaluation
                "image_id": image["id"],
                "category_id": coco["categories"][label]["id"],
                "bbox": [x, y, width, height],
                "area": round(width * height, 3),
                "iscrowd": 0,
                "score": round(score, 5),
            }
        )


def _write_picture(path: Path, image: np.ndarray) -> None:
    done, data = cv2.imencode(path.suffix.lower(), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert done, path
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())
