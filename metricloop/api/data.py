"""A data set for people who import metricloop: read it, look at it as tables, write it, damage its labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from metricloop.data import damage as damaging
from metricloop.data import door
from metricloop.data.damage_presets import Corrupt
from metricloop.data.dataset import Dataset, part_of
from metricloop.data.formats import Problem, SourceError, formats, read
from metricloop.data.formats.export import export_dataset
from metricloop.data.formats.source import SPLITS
from metricloop.data.ingest import ingest
from metricloop.data.label_errors import PRESETS
from metricloop.data.loading import assemble
from metricloop.data.tables import BOXES, IMAGES, TRUTH
from metricloop.data.urls import URLError, path_of, stated, url_of, with_urls
from metricloop.params import nearest

ALL = "all"


class InputError(ValueError):
    """An argument cannot be used; the message says which, and names the nearest known name."""


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A detection data set: images and their boxes. `len(data)` is the number of images.

    `read_dataset`, `select` and `damage` return one. Nothing is copied: pictures stay where they are.

    arrays: the data set as NumPy arrays, the `Dataset` that metrics of scope "dataset" get.
    problems: what was odd in the source, one row each: file, problem, action.
    truth: after `damage`, the true labels: image_id, box_id, x1, y1, x2, y2, label, mistake ("none" where nothing was
        done). One row per true box (without box_id where its label was removed) and one per invented box (without
        coordinates). None where nothing was damaged, and after the policy `relabelled`, which repairs the labels.
    lookalikes: image id -> (k, 4) xyxy pixels: things that an annotator may take for an object, where the source lists
        them.
    """

    arrays: Dataset
    problems: pd.DataFrame
    truth: pd.DataFrame | None = None
    lookalikes: Mapping[int, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.arrays)

    def __repr__(self) -> str:
        names = ", ".join(self.class_names[:5]) + ", ..." * (len(self.class_names) > 5)
        return f"Data({len(self)} images, {len(self.arrays.boxes)} boxes of {names})"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes. A label is an index into them."""
        return self.arrays.class_names

    @property
    def images(self) -> pd.DataFrame:
        """One row per image, by image_id: file, width and height (pixels), group, split, boxes (their number).

        file: relative to the folder of the source.
        group: images of one video, or near-duplicates, share it.
        split: pool (to train on), search (validation) or test.
        """
        own = self.arrays
        columns = {name: getattr(own, name) for name in ("file", "width", "height", "group", "split")}
        index = pd.Index(own.image_id, name="image_id")
        return pd.DataFrame({**columns, "boxes": own.counts}, index=index)

    @property
    def boxes(self) -> pd.DataFrame:
        """One row per box, by box_id: image_id, label (class name), x1, y1, x2, y2 (pixels), crowd.

        crowd: True for a region that is neither object nor background.
        """
        own = self.arrays
        columns = {
            "image_id": own.image_id[own.box_row],
            "label": np.array(self.class_names, object)[own.labels],
            **{name: own.boxes[:, axis] for axis, name in enumerate(("x1", "y1", "x2", "y2"))},
            "crowd": own.crowd,
        }
        return pd.DataFrame(columns, index=pd.Index(own.box_id, name="box_id"))

    @property
    def paths(self) -> list[Path | str]:
        """Absolute paths of the pictures, in the order of `images`; of a data set at a URL, their URLs."""
        paths = [Path(os.path.abspath(self.arrays.root / str(file))) for file in self.arrays.file]
        return [url_of(path) or path for path in paths]

    def to_coco(self, path: str | Path) -> None:
        """Write one COCO JSON file; its file names lead to the original pictures.

        To read it from elsewhere, `read_dataset` needs their folder as `outside`.
        """
        export_dataset(self.arrays, path, "coco")

    def to_yolo(self, folder: str | Path) -> None:
        """Write data.yaml, labels/ and images/ (links to the pictures) for YOLO. Crowd regions are left out.

        To read it, `read_dataset` needs the folder of the pictures as `outside`.
        Errors: ExportError where the folder holds something already.
        """
        export_dataset(self.arrays, folder, "yolo")


def read_dataset(
    source: str | Path,
    *,
    format: str = "auto",
    classes: str | Sequence[str] = (),
    split: str = "train",
    outside: bool | str | Path | Sequence[str | Path] = False,
) -> Data:
    """Read a detection data set: a folder, an archive or a label file, here or at a URL, in one of eight formats.

    Every picture is decoded once. Boxes beyond the picture's edge are cut, unusable ones dropped, pictures that cannot
    be read left out, and so are held-out images that repeat one of the training split: `problems` lists each case.

    format: "auto", "coco", "cvat" (its XML), "fiftyone", "huggingface", "label-studio" (its JSON), "voc", "yolo" or
        "ytvos".
    classes: the classes to keep, in this order; a string is one class. Empty: all.
    split: "train" (also "pool"), "val" ("search"), "test", or "all". Images to which the source gives no split belong
        to the training split.
    outside: whether pictures and labels may also lie elsewhere, where links, absolute paths or `..` lead: False, a
        folder or several, or True for anywhere, which is only for a source that you trust. By default nothing outside
        the source's folder is opened; `problems` lists what is left out.
    Errors: SourceError where there is no data set; IngestError where no picture can be read; InputError where the
        source does not exist, for an unknown format, class or split, a class given twice, and a split without images.

    >>> data = ml.read_dataset(folder)
    >>> data
    Data(12 images, 23 boxes of panda)
    >>> data.images[["file", "width", "height", "boxes"]].head(2)
                          file  width  height  boxes
    image_id
    1         images/00001.jpg     96      72      2
    3         images/00003.jpg     96      96      1
    >>> len(ml.read_dataset(folder, split="val"))
    7
    """
    wanted = known_name("split", split, {**SPLITS, ALL: ALL})
    try:
        place = Path(os.path.abspath(path_of(source)))
    except URLError as error:
        raise InputError(str(error)) from None
    if not door.exists(place):
        raise InputError(f"{stated(place)} does not exist; give a folder or a label file")
    if format != "auto":
        known_name("format", format, formats())
    kept = (classes,) if isinstance(classes, str) else tuple(classes)
    if twice := sorted({name for name in kept if kept.count(name) > 1}):
        raise InputError(f"classes has {', '.join(map(repr, twice))} more than once; give each class once")
    allowed = outside if isinstance(outside, bool) else _folders(outside)
    try:
        found = read(source, format, kept, outside=allowed)
    except SourceError as error:
        if kept:
            for name in kept:
                known_name("class", name, read(source, format, outside=allowed).class_names)
        raise SourceError(_in_words_of_the_api(str(error)), error.problems) from None
    root = place if door.is_dir(place) else place.parent
    tables = ingest(found, root, corrupt=Corrupt(), assign_splits=False, jobs=-1)
    arrays = assemble(_table(tables.images, IMAGES), _table(tables.boxes, BOXES), tables.class_names, root)
    problems = problem_table(Problem(p.file, p.problem, _in_words_of_the_api(p.action)) for p in tables.problems)
    if split == ALL:
        return Data(arrays, problems, lookalikes=tables.lookalikes)
    rows = np.flatnonzero(arrays.split == SPLITS[split])
    if not len(rows):
        there = ", ".join(sorted({str(name) for name in arrays.split}))
        raise InputError(f"{source} holds no images of the split {split!r} ({wanted}); it holds: {there}")
    return Data(part_of(arrays, rows)[0], problems, lookalikes=tables.lookalikes)


def damage(data: Data, preset: str = "article", strength: float = 0.5, *, seed: int = 0) -> Data:
    """Damage labels on purpose, and keep the true ones. Use it to test what finds wrong labels, and what they cost.

    preset: "article" (boxes missing, moved, or put elsewhere), "sloppy" (a careless annotator in a third of the groups)
        or "custom" (every kind of mistake alike). `metricloop.data.damage_presets` holds the rates.
    strength: 0 to 1; multiplies every rate of the preset.
    seed: the same seed gives the same mistakes, and those of a lower strength are among those of a higher one.

    The result has new box ids, and the `truth`.

    Errors: InputError for an unknown preset, a strength outside 0..1, or labels that are damaged already.

    >>> spoilt = ml.damage(data, "article", 0.5)
    >>> spoilt.truth.mistake.value_counts().to_dict()
    {'none': 11, 'missing': 6, 'moved': 6, 'spurious': 3}
    """
    known_name("preset", preset, PRESETS)
    if not 0 <= strength <= 1:
        raise InputError(f"strength={strength}; it must lie between 0 (no mistakes) and 1")
    if data.truth is not None:
        raise InputError("the labels are damaged already; damage the original data instead")
    own, row = data.arrays, data.arrays.box_row
    made = damaging.damage(
        Corrupt.model_validate({"preset": preset, "strength": strength, "seed": seed}),
        image_id=own.image_id[row],
        boxes=own.boxes,
        labels=own.labels,
        crowd=own.crowd,
        groups=own.group[row].tolist(),
        width=own.width[row],
        height=own.height[row],
        class_names=own.class_names,
        lookalikes=data.lookalikes,
    )
    arrays = replace(
        own,
        box_id=made.box_id,
        boxes=made.boxes,
        labels=made.labels,
        crowd=made.crowd,
        offsets=np.searchsorted(made.image_id, np.append(own.image_id, np.iinfo(np.int64).max)),
    )
    return replace(data, arrays=arrays, truth=truth_table(_table(made.truth, TRUTH), own.class_names))


def objects_of(data: Data) -> Dataset:
    """The arrays without crowd regions, which are no single objects: what metrics judge and subsets draw from."""
    own = data.arrays
    kept = np.flatnonzero(~own.crowd)
    counts = np.bincount(own.box_row[kept], minlength=len(own))
    boxes: dict[str, Any] = {name: getattr(own, name)[kept] for name in ("box_id", "boxes", "labels", "crowd")}
    return replace(own, **boxes, offsets=np.concatenate([[0], np.cumsum(counts)]))


def problem_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems as a table: file, problem, action."""
    return pd.DataFrame(list(problems), columns=list(Problem._fields))


def truth_table(table: pa.Table, class_names: Sequence[str]) -> pd.DataFrame:
    """TRUTH rows as a table, with class names."""
    frame = table.to_pandas().astype({"box_id": "Int64"})
    return frame.assign(label=np.array(class_names, object)[frame["label"]])


def truth_rows(data: Data) -> pa.Table | None:
    """The truth as TRUTH rows, with labels as numbers; None where nothing was damaged."""
    if data.truth is None:
        return None
    labels = data.truth["label"].map({name: label for label, name in enumerate(data.class_names)})
    return pa.Table.from_pandas(data.truth.assign(label=labels), TRUTH, preserve_index=False)


def _folders(given: str | Path | Sequence[str | Path]) -> list[str]:
    """The folders of the argument `outside`. Errors: InputError for one that does not exist."""
    folders = [given] if isinstance(given, str | Path) else list(given)
    for folder in folders:
        if not Path(folder).is_dir():
            raise InputError(f"outside: {Path(folder).absolute()} is not a folder; give folders, True or False")
    return [str(folder) for folder in folders]


def _in_words_of_the_api(said: str) -> str:
    """A message with the name of our argument instead of the key of params.yaml."""
    return with_urls(said.replace("data.outside", "outside"))


def known_name(what: str, name: str, known: Iterable[str]) -> str:
    """The name, if it is known. Errors: InputError with the nearest known name."""
    known = list(known)
    if name not in known:
        raise InputError(f"unknown {what} {name!r}{nearest(str(name), known)}")
    return name


def _table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    return pa.table({name: pa.array(columns[name], type=schema.field(name).type) for name in schema.names}, schema)
