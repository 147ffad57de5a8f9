"""export: write a subset, a split or the suspects of an audit in a format of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.formats.export import (
    ExportError,
    export_dataset,
    format_of,
    joined,
    of_subset,
    with_crowds,
    writer_of,
)
from metricloop.data.formats.writer import SPLIT_NAMES, Notes, check_free, counted
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.pool import read_pool
from metricloop.data.tables import SCORES, column, read_table
from metricloop.params import load_params
from metricloop.study.data_files import check_there
from metricloop.study.export_about import README, about, opened_on, write_about
from metricloop.study.plan import load_plan
from metricloop.study.suspicious import read_suspects
from metricloop.text.nearest import did_you_mean
from metricloop.text.shell import run_line

SPLITS = ("pool", "search", "test")
SUSPICIOUS = "suspicious"
WHOLE = ("yolo", "coco-folder")  # formats of a folder that is trained on as it is
DIGITS = 6  # of a score that is written as a note


def export(
    folder: Path,
    what: str,
    target: Path,
    seed: int = 0,
    form: str | None = None,
    *,
    copy: bool = False,
    hard: bool = False,
    most: int | None = None,
    with_test: bool = False,
) -> list[str]:
    """Write a split, the draw of an arm for `seed`, or what the last audit suspects. Returns lines for the terminal.

    what: an arm, one of SPLITS, or SUSPICIOUS. form: one of writers.NAMES; by default what the target's name says.
    copy, hard: copy pictures, or make hard links, instead of links. most: the first images of SUSPICIOUS only.
    A folder to train on (WHOLE) gets the search split as val, the test split if it was opened or with_test is set, and
    the numbers behind it.
    Errors: ExportError when no arm or split has this name, the target cannot be written, or is a file that is there;
    MissingDataError when a folder is to hold pictures that are gone.
    """
    if most is not None and what != SUSPICIOUS:
        raise ExportError(f"--most is for {SUSPICIOUS} only, which has an order; leave it out for {what}")
    name = format_of(target, form)
    params = load_params(folder / layout.PARAMS)
    if not writer_of(name).suffix:  # a folder with links to the pictures, or copies of them
        check_there(folder, params.data, pictures=True)
    else:
        refuse_placing(target, copy=copy, hard=hard)
        check_free(target)
    root = folder / params.data.folder
    dataset, notes, told = _content(folder, root, what, seed, most)
    said = [written(target, dataset, writer_of(name).title), *told]
    parts, test = [dataset], ""
    if whole := name in WHOLE and set(dataset.split) == {"pool"} and what != SUSPICIOUS:
        parts += [load(folder / layout.DATA, root, "search")]
        test, closed = _test_split(folder, with_test)
        parts += [] if closed else [load(folder / layout.DATA, root, "test")]
        parts = [part for part in parts if len(part)]
        said += [_held_out(part) for part in parts[1:]] + [test]
    elif name == "yolo" and set(dataset.split) == {"pool"}:  # a model cannot be trained without a validation split
        parts += [part for part in [load(folder / layout.DATA, root, "search")] if len(part)]
        said += [_held_out(part) for part in parts[1:]]
    said += export_dataset(joined(parts), target, name, notes, copy=copy, hard=hard)
    if whole:
        sizes = {SPLIT_NAMES[str(part.split[0])]: _sizes(part) for part in parts}
        write_about(target, about(folder, params, load_plan(folder), what, seed, sizes, test))
        said.append(f"{target / README}: where this comes from, and what it gained")
    return said


def refuse_placing(target: Path, *, copy: bool, hard: bool = False) -> None:
    """Errors: ExportError for an option that places pictures, when `target` is one file and has no place for them."""
    if copy or hard:
        raise ExportError(
            f"{'--copy' if copy else '--hard-links'} needs a folder for the pictures, and {target} is one file: its "
            "pictures stay where they are; leave the option out, or name a folder and --format coco, yolo or voc"
        )


def _test_split(folder: Path, wanted: bool) -> tuple[str, bool]:
    """A sentence that says whether the export holds the test split and why, and whether it is left out."""
    opened = opened_on(folder)
    if opened:
        return f"The test split is there: it was opened on {opened}.", False
    if wanted:
        return "The test split is there because it was asked for; the study has not opened it.", False
    return "The test split is left out: it was never opened (--with-test adds it).", True


def _held_out(part: Dataset) -> str:
    split = str(part.split[0])
    return f"{SPLIT_NAMES[split]}: {counted(len(part), 'image')} of the {split} split"


def _sizes(part: Dataset) -> dict[str, int]:
    return {"images": len(part), "boxes": len(part.boxes) - int(part.crowd.sum())}


def written(target: Path, dataset: Dataset, title: str) -> str:
    """A line that says what was written, and where. title: of the format."""
    crowds = int(dataset.crowd.sum())
    parts = [counted(len(dataset), "image"), counted(len(dataset.boxes) - crowds, "box")]
    parts += [counted(crowds, "crowd region")] if crowds else []
    return f"{target}: {', '.join(parts)} as {title}"


def _content(folder: Path, root: Path, what: str, seed: int, most: int | None) -> tuple[Dataset, Notes, list[str]]:
    """The images to write, in their order, what is known of them, and sentences on which they are."""
    if what in SPLITS:
        return load(folder / layout.DATA, root, what), Notes(), []
    if what == SUSPICIOUS:
        chosen, notes, told = read_suspects(folder, load(folder / layout.DATA, root, "pool"), most)
        return chosen, notes, [told]
    manifest = folder / layout.subset_file(what)
    if not manifest.is_file():
        planned = load_plan(folder)["arms"]
        if what in planned:
            raise ExportError(f"the subset of the arm {what} is not made yet; make it with: {run_line(folder)}")
        made = {path.stem for path in (folder / layout.SUBSETS).glob("*.parquet")}
        known = [*SPLITS, SUSPICIOUS, *sorted({*planned, *made})]
        hint = did_you_mean(what, known, f"there are: {', '.join(known)}")
        raise ExportError(f"no arm or split {what!r}; {hint}")
    draw = read_draw(manifest, seed)
    chosen = of_subset(read_pool(folder / layout.DATA, root), draw, int(draw["draw"][0].as_py()))
    chosen = with_crowds(chosen, load(folder / layout.DATA, root, "pool"))
    return chosen, _scores(folder, what, chosen), []


def _scores(folder: Path, arm: str, chosen: Dataset) -> Notes:
    """The scores by which the arm was selected, as notes of its boxes or images."""
    entry: dict[str, Any] = load_plan(folder)["arms"].get(arm, {})
    files = [folder / entry[key] for key in ("a", "b") if str(entry.get(key, "")).startswith(f"{layout.SCORES}/")]
    images: dict[int, dict[str, str | int | float]] = {}
    boxes: dict[int, dict[str, str | int | float]] = {}
    for file in dict.fromkeys(path for path in files if path.is_file()):
        table = read_table(file, SCORES)
        box_id, image_id, score = (column(table, name) for name in ("box_id", "image_id", "score"))
        of_box = box_id >= 0
        for ids, own, notes in ((chosen.box_id, of_box, boxes), (chosen.image_id, ~of_box, images)):
            keys = np.where(of_box, box_id, image_id)[own].tolist()
            known = dict(zip(keys, score[own].tolist(), strict=True))
            for row, number in enumerate(ids.tolist()):
                if np.isfinite(known.get(number, np.nan)):
                    notes.setdefault(row, {})[file.stem] = float(f"{known[number]:.{DIGITS}g}")
    return Notes(images=images, boxes=boxes)
