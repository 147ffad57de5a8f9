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
from metricloop.data.formats.writer import Note, Notes, counted
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.pool import read_pool
from metricloop.data.tables import SCORES, column, read_table
from metricloop.params import load_params
from metricloop.study.data_files import check_there
from metricloop.study.plan import load_plan
from metricloop.study.suspicious import read_suspects

SPLITS = ("pool", "search", "test")
SUSPICIOUS = "suspicious"
DIGITS = 6  # of a score that is written as a note


def export(
    folder: Path,
    what: str,
    target: Path,
    seed: int = 0,
    form: str | None = None,
    *,
    copy: bool = False,
    most: int | None = None,
) -> list[str]:
    """Write a split, the draw of an arm for `seed`, or what the last audit suspects. Returns lines for the terminal.

    what: an arm, one of SPLITS, or SUSPICIOUS. form: one of writers.NAMES; by default what the target's name says.
    copy: copy pictures instead of linking to them. most: the first images of SUSPICIOUS only.
    Errors: ExportError when no arm or split has this name, or the target cannot be written; MissingDataError when a
    folder is to hold pictures that are gone.
    """
    name = format_of(target, form)
    data = load_params(folder / layout.PARAMS).data
    if not writer_of(name).suffix:  # a folder with links to the pictures, or copies of them
        check_there(folder, data, pictures=True)
    root = folder / data.folder
    dataset, notes = _content(folder, root, what, seed, most)
    said = [_counts(target, dataset, writer_of(name).title)]
    if name == "yolo" and set(dataset.split) == {"pool"}:  # a model cannot be trained without a validation split
        held_out = load(folder / layout.DATA, root, "search")
        said += [f"val: {counted(len(held_out), 'image')} of the search split"] if len(held_out) else []
        dataset = joined([dataset, held_out])
    return said + export_dataset(dataset, target, name, notes, copy=copy)


def _counts(target: Path, dataset: Dataset, title: str) -> str:
    crowds = int(dataset.crowd.sum())
    parts = [counted(len(dataset), "image"), counted(len(dataset.boxes) - crowds, "box")]
    parts += [counted(crowds, "crowd region")] if crowds else []
    return f"{target}: {', '.join(parts)} as {title}"


def _content(folder: Path, root: Path, what: str, seed: int, most: int | None) -> tuple[Dataset, Notes]:
    """The images to write, in their order, and what is known of them."""
    if what in SPLITS:
        return load(folder / layout.DATA, root, what), Notes()
    if what == SUSPICIOUS:
        return read_suspects(folder, load(folder / layout.DATA, root, "pool"), most)
    manifest = folder / layout.subset_file(what)
    if not manifest.is_file():
        arms = sorted(path.stem for path in (folder / layout.SUBSETS).glob("*.parquet"))
        known = ", ".join([*SPLITS, SUSPICIOUS, *arms])
        raise ExportError(f"no arm or split {what!r}; there are: {known}")
    draw = read_draw(manifest, seed)
    chosen = of_subset(read_pool(folder / layout.DATA, root), draw, int(draw["draw"][0].as_py()))
    chosen = with_crowds(chosen, load(folder / layout.DATA, root, "pool"))
    return chosen, _scores(folder, what, chosen)


def _scores(folder: Path, arm: str, chosen: Dataset) -> Notes:
    """The scores by which the arm was selected, as notes of its boxes or images."""
    entry: dict[str, Any] = load_plan(folder)["arms"].get(arm, {})
    files = [folder / entry[key] for key in ("a", "b") if str(entry.get(key, "")).startswith(f"{layout.SCORES}/")]
    images: dict[int, dict[str, float]] = {}
    boxes: dict[int, dict[str, float]] = {}
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
    return Notes(images=_plain(images), boxes=_plain(boxes))


def _plain(notes: dict[int, dict[str, float]]) -> dict[int, Note]:
    return dict(notes)
