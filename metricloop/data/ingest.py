"""Turn a data set into the tables of a study, and list every problem found in it."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.damage import Corrupt, Damaged, damage
from metricloop.data.formats.repair import repair
from metricloop.data.formats.source import Problem, Record, Source, merge
from metricloop.data.pictures import PictureError, PictureFacts, near_duplicates, picture_facts
from metricloop.data.splits import assign, join_groups, leaks
from metricloop.data.summary import summarise
from metricloop.data.tables import BOXES, IMAGES, TRUTH, replacing, write_json, write_table


class IngestError(ValueError):
    """The source holds nothing that a study can use."""


@dataclass(frozen=True)
class IngestedTables:
    """Columns of IMAGES, BOXES and TRUTH (no rows where nothing was damaged), and what was noted about them.

    lookalikes: image id -> (k, 4) xyxy pixels, for images that have any.
    """

    images: dict[str, Any]
    boxes: dict[str, Any]
    truth: dict[str, Any]
    class_names: tuple[str, ...]
    problems: list[Problem]
    summary: dict[str, Any]
    lookalikes: dict[int, np.ndarray]


def ingest(
    source: Source,
    root: Path,
    *,
    corrupt: Corrupt,
    search_share: float = 0.15,
    test_share: float = 0.15,
    seed: int = 0,
    assign_splits: bool = True,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> IngestedTables:
    """Read every picture once, repair or drop labels, split, and damage the pool as `corrupt` says.

    root: what the `file` column is relative to. Ids follow the order of files and coordinates, from 1, so the order
    in which the source lists them does not matter.
    assign_splits: False keeps the splits of the source; images without one are in the pool, and no split needs to hold
    anything. Errors: IngestError, SplitError.
    """
    problems = list(source.problems)
    records, facts = _read_all(merge(source.records, problems), jobs, progress, problems)
    files = [_relative(record.file, root) for record in records]
    order = sorted(range(len(files)), key=lambda row: files[row])
    files = [files[row] for row in order]
    records, facts = [records[row] for row in order], [facts[row] for row in order]
    records = [_repaired(record, own, problems) for record, own in zip(records, facts, strict=True)]

    pairs = near_duplicates(
        np.array([own.hash for own in facts], np.uint64), np.stack([own.thumbnail for own in facts])
    )
    groups = join_groups(files, [record.group for record in records], pairs)
    given = np.array([record.split or "pool" for record in records], object)
    leaking = leaks(given, groups)
    held_out_is_usable = np.isin(given, ("search", "test"))[~leaking].any() and (given == "pool").any()
    if held_out_is_usable or not assign_splits:
        problems += _leak_problems(records, facts, files, given, groups, leaking, pairs)
        kept = np.flatnonzero(~leaking)
    else:
        kept = np.arange(len(given))
        if len(set(given)) > 1 or given[0] != "pool":
            given[:] = "pool"
            action = "split anew by group: nothing else is left to train on or to hold out"
            problems.append(Problem(str(root), "given splits cannot be used", action))
    split = given[kept]
    if assign_splits:
        split = assign(split, groups[kept], search_share=search_share, test_share=test_share, seed=seed)

    records, facts, files = [records[k] for k in kept], [facts[k] for k in kept], [files[k] for k in kept]
    pool_boxes = sum(len(record.boxes) for record, part in zip(records, split, strict=True) if part == "pool")
    if assign_splits and not pool_boxes:
        raise IngestError("the pool has no labelled object; check that labels and pictures belong together")
    image_id = np.arange(1, len(kept) + 1)
    labels = _labels(records, groups[kept], image_id, split, source.class_names, corrupt)
    images = {
        "image_id": image_id,
        "file": files,
        "sha256": [own.sha256 for own in facts],
        "width": [own.width for own in facts],
        "height": [own.height for own in facts],
        "group": groups[kept].tolist(),
        "split": split.tolist(),
    }
    boxes = {name: np.concatenate([getattr(part, name) for part in labels]) for name in ("box_id", "image_id", "crowd")}
    boxes["label"] = np.concatenate([part.labels for part in labels])
    boxes |= dict(zip(("x1", "y1", "x2", "y2"), np.concatenate([part.boxes for part in labels]).T, strict=True))
    problems = sorted({Problem(_relative(p.file, root), p.problem, p.action) for p in problems})
    damaged = bool(corrupt.mistakes)
    return IngestedTables(
        images,
        boxes,
        labels[0].truth if damaged else {name: [] for name in TRUTH.names},
        source.class_names,
        problems,
        summarise(source, images, boxes, records, problems, labels[0].report if damaged else None),
        {number: record.lookalikes for number, record in enumerate(records, start=1) if len(record.lookalikes)},
    )


def _read_all(
    records: list[Record], jobs: int, progress: Callable[[int, int], None], problems: list[Problem]
) -> tuple[list[Record], list[PictureFacts]]:
    """The records whose pictures can be decoded, and the facts about each."""
    from joblib import Parallel, delayed

    # threads: OpenCV and hashlib work outside Python's lock
    seen = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(
        delayed(_facts_or_reason)(r.file) for r in records
    )
    usable, facts = [], []
    for done, (record, found) in enumerate(zip(records, seen, strict=True), start=1):
        progress(done, len(records))
        if isinstance(found, str):
            action = f"left out with {len(record.boxes)} boxes ({found})"
            problems.append(Problem(str(record.file), "picture cannot be read", action))
        else:
            usable.append(record)
            facts.append(found)
    if not usable:
        reasons = "; ".join(f"{p.file}: {p.problem}, {p.action}" for p in problems[:5])
        raise IngestError(f"none of {len(records)} pictures can be used. {reasons}")
    return usable, facts


def _facts_or_reason(file: Path) -> PictureFacts | str:
    try:
        return picture_facts(file)
    except PictureError as error:
        return str(error)


def _repaired(record: Record, facts: PictureFacts, problems: list[Problem]) -> Record:
    fixed, notes = repair(record, facts.width, facts.height, facts.orientation)
    if facts.converted:
        notes.append((f"picture with {facts.converted}", "read as 8-bit RGB"))
    problems += [Problem(str(record.file), problem, action) for problem, action in notes]
    return fixed


def _leak_problems(
    records: Sequence[Record],
    facts: Sequence[PictureFacts],
    files: Sequence[str],
    given: np.ndarray,
    groups: np.ndarray,
    leaking: np.ndarray,
    pairs: np.ndarray,
) -> list[Problem]:
    """For every leaking image, the image of the pool (or of the test split) that it repeats."""
    twins: dict[int, list[int]] = {}
    for a, b in pairs.tolist():
        twins.setdefault(a, []).append(b)
        twins.setdefault(b, []).append(a)
    found = []
    for row in np.flatnonzero(leaking).tolist():
        others = np.flatnonzero((groups == groups[row]) & (given != given[row])).tolist()
        part = "pool" if any(given[other] == "pool" for other in others) else "test"
        others = [other for other in others if given[other] == part]
        near = [other for other in twins.get(row, []) if other in others]
        other = (near or others)[0]
        same = facts[other].sha256 == facts[row].sha256
        likeness = "identical to" if same else "near-duplicate of" if near else "of the same group as"
        action = f"left out of {given[row]} (leak: {files[other]})"
        found.append(Problem(str(records[row].file), f"{likeness} a {part} picture", action))
    return found


def _labels(
    records: Sequence[Record],
    groups: np.ndarray,
    image_id: np.ndarray,
    split: np.ndarray,
    class_names: tuple[str, ...],
    corrupt: Corrupt,
) -> tuple[Damaged, Damaged]:
    """The labels of the pool, damaged as `corrupt` says, and the unchanged labels of the held-out splits."""

    def numbered(rows: np.ndarray, corrupt: Corrupt, first_id: int) -> Damaged:
        of_box = np.repeat(rows, [len(records[row].boxes) for row in rows])
        return damage(
            corrupt,
            image_id=image_id[of_box],
            boxes=np.concatenate([np.zeros((0, 4)), *(records[row].boxes for row in rows)]),
            labels=np.concatenate([np.zeros(0, np.int64), *(records[row].labels for row in rows)]),
            crowd=np.concatenate([np.zeros(0, bool), *(records[row].crowd for row in rows)]),
            groups=groups[of_box].tolist(),
            width=np.array([records[row].width for row in of_box]),
            height=np.array([records[row].height for row in of_box]),
            class_names=class_names,
            lookalikes={int(image_id[row]): records[row].lookalikes for row in rows},
            first_id=first_id,
        )

    pool = numbered(np.flatnonzero(split == "pool"), corrupt, 1)
    held = numbered(np.flatnonzero(split != "pool"), Corrupt(preset="none"), len(pool.box_id) + 1)
    return pool, held


def _relative(file: Path | str, root: Path) -> str:
    return Path(os.path.relpath(file, root)).as_posix() if os.path.isabs(file) else str(file)


def write(tables: IngestedTables, folder: Path) -> None:
    """Write the tables, categories.json, problems.csv and summary.json into `folder`."""
    write_table(folder / "images.parquet", IMAGES, tables.images)
    write_table(folder / "boxes.parquet", BOXES, tables.boxes)
    write_table(folder / "truth.parquet", TRUTH, tables.truth)
    write_json(folder / "categories.json", list(tables.class_names))
    write_json(folder / "summary.json", tables.summary)
    with replacing(folder / "problems.csv") as temporary, temporary.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([Problem._fields, *tables.problems])
