"""export: a subset, or a split, in a format that other tools read. Pictures are referred to, not copied."""

from __future__ import annotations

from pathlib import Path

from metricloop.data.formats.export import ExportError, export_coco, export_yolo, of_subset
from metricloop.data.loading import load
from metricloop.data.manifest import read_draw
from metricloop.data.pool import read_pool
from metricloop.params import load_params

SPLITS = ("pool", "search", "test")


def export(folder: Path, what: str, target: Path, seed: int = 0) -> str:
    """Write an arm's draw for `seed`, or a split, of a workspace; returns a sentence for the terminal.

    target: a .json file for COCO, else a folder for YOLO. Errors: ExportError when there is no such arm or split.
    """
    root = folder / load_params(folder / "params.yaml").data.folder
    manifest = folder / "subsets" / f"{what}.parquet"
    if what in SPLITS:
        dataset = load(folder / "data", root, what)
    elif manifest.is_file():
        draw = read_draw(manifest, seed)
        dataset = of_subset(read_pool(folder / "data", root), draw, int(draw["draw"][0].as_py()))
    else:
        arms = sorted(path.stem for path in (folder / "subsets").glob("*.parquet"))
        raise ExportError(f"no arm or split {what!r}; there are: {', '.join([*SPLITS, *arms])}")
    form = "COCO" if target.suffix == ".json" else "YOLO"
    (export_coco if form == "COCO" else export_yolo)(dataset, target)
    return f"{target}: {len(dataset)} images, {len(dataset.boxes)} boxes as {form}"
