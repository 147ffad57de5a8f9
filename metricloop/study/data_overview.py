"""What a study understood of its data set, in at most a screenful: files, images, boxes, classes, splits, problems."""

from __future__ import annotations

import csv
import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.power import FEW_IMAGES
from metricloop.data import door
from metricloop.data.dataset import Dataset
from metricloop.data.formats.source import Source
from metricloop.data.group_words import OFF
from metricloop.data.loading import load
from metricloop.data.summary import BY_NAME, FILM, KEEP, UNUSABLE_SPLITS
from metricloop.data.tables import SPLITS, read_json
from metricloop.data.urls import stated
from metricloop.params import Data
from metricloop.study.coarse_groups import coarse_groups
from metricloop.text.clean import class_name, clean
from metricloop.text.numbers import count, listing

WIDTH, NAME = 80, 11  # columns of the whole, and of the names on the left
MOST_CLASSES, MOST_KINDS = 8, 6
SPLIT_WORDS = {"pool": "train", "search": "val", "test": "test"}  # as data sets call them
ONE_KIND = 110  # characters of what is told of one kind of problem


def overview(folder: Path, data: Data, source: Source, second: str = "") -> str:
    """The overview of a workspace whose tables have been made.

    source: the data set as it was read. second: what a second labelling says of the labels, in one line.
    """
    made, summary = load(folder / layout.DATA, folder / data.folder), read_json(folder / layout.SUMMARY)
    film = next((said.partition(": ")[2] for said in summary["grouping"] if said.startswith(FILM)), "")
    by_name = any(said.startswith(BY_NAME) for said in summary["grouping"])
    rows = [
        ("labels", _label_files(source, data)),
        ("pictures", _pictures(made)),
        ("boxes", _boxes(made)),
        ("classes", _classes(made)),
        ("splits", _splits(made, source, anew=UNUSABLE_SPLITS in summary["problem_kinds"])),
        ("groups", _groups(made, film, by_name, compared=data.near != OFF)),
    ]
    if film:
        said, _, option = film.partition(KEEP)
        told = f"{said}. To keep runs of frames together, add this to init or run:"
        rows += [("warning", told), ("", option)]
    rows += coarse_groups(made, by_name, any(record.group is not None for record in source.records))
    if summary["damage"]:
        rates = ", ".join(f"{rate:.1%} {kind}" for kind, rate in summary["damage"]["rates"].items())
        rows.append(("mistakes", f"made in the pool's labels on purpose: {rates}"))
    if second:
        rows.append(("truth", second))
    return "\n".join([*(_row(name, text) for name, text in rows), *_problems(folder, summary)])


def _row(name: str, text: str) -> str:
    indent = " " * (NAME + 2)
    return textwrap.fill(
        text, WIDTH, initial_indent=f"  {name:<{NAME}}", subsequent_indent=indent, break_on_hyphens=False
    )


def _label_files(source: Source, data: Data) -> str:
    """The files, lists or folders that the labels come from, at most four by name."""
    base = data.place if door.is_dir(data.place) else data.place.parent
    names = {_shown(record.origin, base) for record in source.records if record.origin} or {data.place.name}
    told = sorted(names)
    more = f" and {len(told) - 4} more" if len(told) > 4 else ""
    return f"{', '.join(told[:4])}{more} ({source.format})"


def _shown(origin: str, base: Path) -> str:
    path = os.path.relpath(origin, os.path.abspath(base)) if os.path.isabs(origin) else origin
    return clean(path if not path.startswith(os.pardir) else stated(origin), 60)


def _pictures(made: Dataset) -> str:
    sides = np.maximum(made.width, made.height)
    size = f"{sides.min()} px" if sides.min() == sides.max() else f"{sides.min()} to {sides.max()} px"
    folders = Counter(str(file).rpartition("/")[0] for file in made.file)
    places = [f"{clean(name or made.root.name, 40)}/" for name, _ in folders.most_common(3)]
    more = f" and {len(folders) - 3} more folders" if len(folders) > 3 else ""
    return f"{len(made):,} in {', '.join(places)}{more}; the long side has {size}"


def _boxes(made: Dataset) -> str:
    objects = ~made.crowd
    with_boxes = len(np.unique(made.box_row[objects]))
    line = f"{int(objects.sum()):,}, {objects.sum() / max(len(made), 1):.1f} a picture"
    empty = len(made) - with_boxes
    line += f"; {count(empty, 'picture')} without any" if empty else "; every picture has some"
    crowds = int(made.crowd.sum())
    return line + (f"; and {count(crowds, 'crowd region')}, which do not count" if crowds else "")


def _classes(made: Dataset) -> str:
    """The classes by how many boxes they have, and those that the pool or the search split lacks."""
    counts = np.bincount(made.labels[~made.crowd], minlength=len(made.class_names))
    order = np.argsort(-counts, kind="stable")
    told = [f"{class_name(made.class_names[label])} {counts[label]:,}" for label in order[:MOST_CLASSES]]
    line = ", ".join(told) + (f" and {len(order) - MOST_CLASSES} more" if len(order) > MOST_CLASSES else "")
    absent = []
    for part, why in (("pool", "not in the pool"), ("search", "in no search picture, so not judged")):
        own = made.labels[~made.crowd & (made.split[made.box_row] == part)]
        gone = [class_name(made.class_names[label]) for label in order if counts[label] and label not in set(own)]
        if gone:
            absent.append(f"{listing(gone[:4])}{f' and {len(gone) - 4} more' if len(gone) > 4 else ''}: {why}")
    return "; ".join([line, *absent])


def _splits(made: Dataset, source: Source, *, anew: bool) -> str:
    """How many pictures each split has, and which of them the data set itself does not say. anew: it says none that
    can be used.
    """
    sizes = {part: int((made.split == part).sum()) for part in SPLITS}
    told = f"{', '.join(f'{part} {size:,}' for part, size in sizes.items())} pictures"
    given = {record.split for record in source.records}
    drawn = [part for part in ("search", "test") if part not in given]
    if anew:
        only = [SPLIT_WORDS[part] for part in given if part]
        own = f"has one split only, {only[0]}" if len(only) == 1 else "splits pictures that belong together"
        told += f", drawn by metricloop (data.search_share, data.test_share): the data set {own}"
    elif not drawn:
        told += ", as the data set says (train, val, test)"
    elif len(drawn) == 1:
        told += f"; search and test are the halves of the data set's {'test' if drawn == ['search'] else 'val'}"
    else:
        told += ", drawn by metricloop (data.search_share, data.test_share)"
    few = sizes["search"] < FEW_IMAGES
    return f"{told}; {count(sizes['search'], 'search picture')} can decide large gains only" if few else told


def _groups(made: Dataset, film: str, by_name: bool, *, compared: bool) -> str:
    """What belongs together. by_name: whether names say so. compared: whether pictures were compared with each other.

    Groups by names whose pictures look alike are one, so there are fewer than the problem of that name counts.
    """
    _, sizes = np.unique(made.group.astype(str), return_counts=True)
    several = sizes[sizes > 1]
    if not len(several):
        if not compared:
            return "none; no pictures that look alike were looked for (data.near_duplicates: off)"
        return "none: no two pictures look alike" + ("" if film else " or belong to one recording")
    most = f"{several.min()}" if several.min() == several.max() else f"{several.min()} to {several.max()}"
    why = "look alike" if film else "look alike or belong to one recording"
    told = f"{len(several):,} of {most} pictures that {why if compared else 'belong to one recording'}"
    joined = ", after groups that look alike were joined" if by_name and compared else ""
    return told if film else f"{told}{joined}; none is split"


def _problems(folder: Path, summary: dict[str, Any]) -> list[str]:
    """The kinds of problem with an example of what was done; none in one line."""
    kinds = Counter(summary["problem_kinds"])
    if not kinds:
        return [_row("problems", "none")]
    with (folder / layout.PROBLEMS).open(newline="", encoding="utf-8") as stream:
        first = _first(csv.reader(stream))
    lines = [_row("problems", f"{summary['problems']:,} of {count(len(kinds), 'kind')}, all in {layout.PROBLEMS}:")]
    for kind, number in kinds.most_common(MOST_KINDS):
        done = first.get(kind, "").partition(" (")[0]  # details of one file stand in brackets
        lines.append(_row("", clean(f"{number:,} x {kind}{done and f': {done}'}", ONE_KIND)))
    more = len(kinds) - MOST_KINDS
    return lines + ([_row("", f"and {count(more, 'kind')} more")] if more > 0 else [])


def _first(rows: Iterable[Sequence[str]]) -> dict[str, str]:
    """Kind -> what was done about the first problem of the kind."""
    found: dict[str, str] = {}
    for _, kind, action in rows:
        found.setdefault(kind, action)
    return found
