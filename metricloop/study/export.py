"""export: write a subset or a split in a format of other tools. Pictures are not copied; the files name their paths."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.data.formats.export import ExportError, export_coco, export_yolo, of_subset
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.pool import read_pool
from metricloop.params import load_params

SPLITS = ("pool", "search", "test")


def export(folder: Path, what: str, target: Path, seed: int = 0) -> str:
    """Write a split, or the draw of an arm for `seed`. Returns a sentence for the terminal.

    what: an arm or one of SPLITS. target: a .json file for COCO, else a folder for YOLO.
    Errors: ExportError when no arm or split has this name.
    """
    root = folder / load_params(folder / layout.PARAMS).data.folder
    manifest = folder / layout.subset_file(what)
    if what in SPLITS:
        dataset = load(folder / layout.DATA, root, what)
    elif manifest.is_file():
        draw = read_draw(manifest, seed)
        dataset = of_subset(read_pool(folder / layout.DATA, root), draw, int(draw["draw"][0].as_py()))
    else:
        arms = sorted(path.stem for path in (folder / layout.SUBSETS).glob("*.parquet"))
        raise ExportError(f"no arm or split {what!r}; there are: {', '.join([*SPLITS, *arms])}")
    form = "COCO" if target.suffix == ".json" else "YOLO"
    (export_coco if form == "COCO" else export_yolo)(dataset, target)
    return f"{target}: {len(dataset)} images, {len(dataset.boxes)} boxes as {form}"
