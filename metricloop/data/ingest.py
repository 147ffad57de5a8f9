"""Turn a data set into the tables of a study, and list every problem found in it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.damage import Corrupt, Damaged, damage
from metricloop.data.films import film_in_two_splits, told
from metricloop.data.formats.problem import Problem, RefusedError, limited, reasons
from metricloop.data.formats.source import Record, Source, merge
from metricloop.data.group_words import AUTO
from metricloop.data.held_out import crowds_told, left_out, nothing_held_out, unusable_parts
from metricloop.data.leaks import leak_problems
from metricloop.data.likeness import belonging_together
from metricloop.data.picture_check import NothingReadableError, check_pictures, name_copies, objects_of
from metricloop.data.problem_list import write_problems
from metricloop.data.splits import PARTS, SplitError, assign, leaks
from metricloop.data.summary import FILM, KEEP, UNUSABLE_SPLITS, summarise
from metricloop.data.tables import IMAGES, TRUTH, write_boxes, write_json, write_table


class IngestError(RefusedError):
    """The source holds nothing that a study can use."""


@dataclass(frozen=True)
class Splitting:
    """How images are split, where the source does not say. group, near: as data.group and data.near_duplicates."""

    search_share: float
    test_share: float
    seed: int
    assign: bool
    group: str
    near: float | str


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
    group: str = AUTO,
    near: float | str = AUTO,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> IngestedTables:
    """Read every picture once, repair or drop labels, split, and damage the pool as `corrupt` says.

    root: what the `file` column is relative to. Ids follow the order of files and coordinates, from 1, so the order
    in which the source lists them does not matter.
    assign_splits: False keeps the splits of the source; images without one are in the pool, and no split needs to hold
    anything. group, near: which pictures belong together, as data.group and data.near_duplicates say.
    Errors: IngestError, SplitError; both hold the problems found until then.
    """
    problems = list(source.problems)
    how = Splitting(search_share, test_share, seed, assign_splits, group, near)
    try:
        records, facts = check_pictures(merge(source.records, problems), jobs, progress, problems)
        problems = name_copies(problems, records, facts)
        return _tables(source, root, records, facts, how, corrupt, problems)
    except NothingReadableError as error:
        raise IngestError(str(error), _shown(problems, root)) from None
    except (IngestError, SplitError) as error:
        error.problems = _shown(problems, root)
        raise


def _tables(
    source: Source,
    root: Path,
    records: list[Record],
    facts: list,
    how: Splitting,
    corrupt: Corrupt,
    problems: list[Problem],
) -> IngestedTables:
    files = [_relative(record.file, root) for record in records]
    order = sorted(range(len(files)), key=lambda row: files[row])
    files = [files[row] for row in order]
    records, facts = [records[row] for row in order], [facts[row] for row in order]
    alike = belonging_together(records, facts, files, how.group, how.near, source.class_names)
    problems += [Problem(str(root), kind, details) for kind, details in alike.said]
    groups = alike.groups

    given = np.array([record.split or "pool" for record in records], object)
    leaking = leaks(given, groups)
    held_out_is_usable = np.isin(given, ("search", "test"))[~leaking].any() and (given == "pool").any()
    if held_out_is_usable or not how.assign:
        problems += leak_problems(records, facts, files, given, groups, leaking, alike.pairs)
        kept = np.flatnonzero(~leaking)
    else:
        kept = np.arange(len(given))
        if len(set(given)) > 1 or given[0] != "pool":
            given[:] = "pool"
            action = "split anew by group: with them nothing would be left to train on, or to hold out"
            problems.append(Problem(str(root), UNUSABLE_SPLITS, action))
    split = given[kept]
    if how.assign:
        kept, split = _assigned([records[k] for k in kept], kept, split, groups, how, problems, root)

    records, facts, files = [records[k] for k in kept], [facts[k] for k in kept], [files[k] for k in kept]
    if how.group == AUTO and how.assign:
        problems += _films(files, facts, split, root)
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
    problems = _shown(problems, root)
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


def _assigned(
    records: list[Record],
    kept: np.ndarray,
    split: np.ndarray,
    groups: np.ndarray,
    how: Splitting,
    problems: list[Problem],
    root: Path,
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stay, and their splits: a held-out part without an object is left out, the other is halved.

    records: of the rows `kept`. Errors: IngestError when a part has no object; SplitError when one is empty.
    """
    objects = objects_of(records)
    shown = _shown(problems, root)
    if not objects[split == "pool"].any():
        crowds = crowds_told(records, split, "pool")
        why = crowds or "check that labels and pictures belong together"
        raise IngestError(f"the pool has no labelled object; {why}. {reasons(shown)}".rstrip(". "))
    unusable = unusable_parts(split, objects)
    if unusable and all(part in unusable or not (split == part).any() for part in ("search", "test")):
        named = [replace(r, origin=_relative(r.origin, root)) for r in records]
        raise IngestError(f"{nothing_held_out(named, split, unusable)}. {reasons(shown)}".rstrip(". "))
    problems += [left_out(records, split, part) for part in unusable]
    rows = np.flatnonzero(~np.isin(split, unusable))
    kept, split, objects = kept[rows], split[rows], objects[rows]
    shares = {"search_share": how.search_share, "test_share": how.test_share}
    split = assign(split, groups[kept], **shares, seed=how.seed, labelled=objects > 0)
    for part in PARTS:
        if not objects[split == part].any():
            few = f"{int((objects > 0).sum())} of {len(objects)} pictures have one"
            raise IngestError(
                f"the {part} split has no labelled object, so nothing can be evaluated on it: {few}; hold out more "
                f"with data.{part}_share, or label more. {reasons(shown)}"
            )
    return kept, split


def _films(files: Sequence[str], facts: list, split: np.ndarray, root: Path) -> list[Problem]:
    """One problem if neighbouring frames of a film are in several splits; it names the setting that prevents this.

    [] if there is no such film.
    """
    film = film_in_two_splits(files, np.stack([own.thumbnail for own in facts]), split)
    if film is None:
        return []
    advice = f"--set {shlex.quote(f'data.group={film.pattern}')}" if film.pattern else "data.group"
    return [Problem(str(root), FILM, f"{told(film)}{KEEP}{advice}")]


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


def _shown(problems: Sequence[Problem], root: Path) -> list[Problem]:
    """The problems as they are listed: each once, sorted, files relative to `root`, of each kind a limited number."""
    files = {file: _relative(file, root) for file in {problem.file for problem in problems}}
    return limited(sorted({Problem(files[p.file], p.problem, p.action) for p in problems}))


def write(tables: IngestedTables, folder: Path) -> None:
    """Write the tables, categories.json, problems.csv and summary.json into `folder`."""
    write_table(folder / "images.parquet", IMAGES, tables.images)
    write_boxes(folder, tables.images, tables.boxes)
    write_table(folder / "truth.parquet", TRUTH, tables.truth)
    write_json(folder / "categories.json", list(tables.class_names))
    write_json(folder / "summary.json", tables.summary)
    write_problems(folder / "problems.csv", tables.problems)
