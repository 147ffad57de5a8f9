"""The counts of a data set: the content of data/summary.json, and the same in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from metricloop.data.formats.source import Problem, Record, Source
from metricloop.data.tables import SPLITS

FILM = "frames of a film in several splits"
KEEP = "; keep runs of frames together by "  # between what was found and the parameter that helps
BY_NAME = "pictures grouped by their names"
UNUSABLE_SPLITS = "given splits cannot be used"  # a kind of problem
GROUPINGS = (BY_NAME, "pictures of a fixed camera", FILM)  # problems that also the line tells


def summarise(
    source: Source,
    images: dict[str, Any],
    boxes: dict[str, Any],
    records: Sequence[Record],
    problems: list[Problem],
    report: dict[str, Any] | None,
) -> dict[str, Any]:
    """Counts per split, of labels after damage; the total `boxes` counts the clean labels. `boxes` includes the crowd
    regions (iscrowd, difficult), which `crowd` counts: they are neither trained on nor evaluated.
    """
    return {
        "format": source.format,
        "images": len(images["split"]),
        "boxes": sum(len(record.boxes) for record in records),
        "crowd": sum(int(record.crowd.sum()) for record in records),
        "classes": len(source.class_names),
        "groups": len(set(images["group"])),
        **count_splits(images, boxes, source.class_names),
        "problems": len(problems),
        "problem_kinds": dict(sorted(Counter(problem.problem for problem in problems).items())),
        "grouping": [f"{p.problem}: {p.action}" for p in problems if p.problem in GROUPINGS],
        "damage": report,
    }


def count_splits(images: dict[str, Any], boxes: dict[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    """The part `splits` of the summary: images and boxes of each split. `boxes` includes the crowd regions; what is
    counted by class, and images without boxes, are of objects alone.
    """
    split = np.array(images["split"])
    of_box = split[np.asarray(boxes["image_id"]) - 1]
    parts = {}
    crowd = np.asarray(boxes["crowd"], bool)
    for part in SPLITS:
        own = of_box == part
        objects = own & ~crowd
        per_class = np.bincount(np.asarray(boxes["label"], int)[objects], minlength=len(class_names)).tolist()
        parts[part] = {
            "images": int((split == part).sum()),
            "boxes": int(own.sum()),
            "crowd": int(crowd[own].sum()),
            "images_without_boxes": int((split == part).sum()) - len(np.unique(boxes["image_id"][objects])),
            "per_class": dict(zip(class_names, per_class, strict=True)),
        }
    return {"splits": parts}


def describe(summary: dict[str, Any]) -> str:
    """The summary in one line."""
    count = _count
    sizes = ", ".join(f"{part} {summary['splits'][part]['images']}" for part in SPLITS)
    line = (
        f"ingest: {count(summary['images'], 'image', 'images')}, {count(summary['boxes'], 'box', 'boxes')}, "
        f"{count(summary['classes'], 'class', 'classes')}; {sizes}"
    )
    if summary["crowd"]:
        line += f"; {count(summary['crowd'], 'box is a crowd region', 'boxes are crowd regions')}, which do not count"
    for said in summary["grouping"]:
        line += f"; {said}"
    if summary["damage"]:
        rates = ", ".join(f"{rate:.1%} {kind}" for kind, rate in summary["damage"]["rates"].items())
        line += f"; mistakes put into the pool: {rates}"
    return line + f"; {count(summary['problems'], 'problem', 'problems')} listed in data/problems.csv"


def _count(number: int, noun: str, plural: str) -> str:
    return f"{number} {noun if number == 1 else plural}"
