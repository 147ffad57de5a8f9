"""A contact sheet of what an arm trains on: images of its first draw, with the labels that it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.manifest import draw_of
from metricloop.data.pool import read_pool
from metricloop.data.tables import SUBSET, TableError, column, read_table
from metricloop.figures.choose_examples import shuffled
from metricloop.figures.contact_sheet import LAYOUTS, Mark, Tile, contact_sheet, draw_tile
from metricloop.figures.example_pictures import LABEL, TRIES
from metricloop.llm.message import Picture
from metricloop.params import load_params
from metricloop.scoring.metric_inputs import MetricInputs, read_frame, unread_frame
from metricloop.text.numbers import count

SHOWN = LAYOUTS["thumbnails"]


def subset_sheet(folder: Path, subset: str) -> Picture | None:
    """Twelve images of a subset, drawn by lot, in the order of the pool; None where no picture can be read.

    subset: its file, relative to the workspace.
    """
    try:
        pool = read_pool(folder / layout.DATA, folder / load_params(folder / layout.PARAMS).data.folder)
        draw = draw_of(read_table(folder / subset, SUBSET), 0, subset)
    except (TableError, FileNotFoundError):
        return None
    images = column(draw, "image_id")
    kept = np.flatnonzero(column(draw, "use") == "keep")
    boxes = np.stack(
        [np.asarray(draw[axis].to_numpy(zero_copy_only=False), float) for axis in ("x1", "y1", "x2", "y2")], 1
    )
    tiles: dict[int, Tile] = {}
    for row in shuffled(np.flatnonzero(np.isin(pool.image_id, images)))[: TRIES * SHOWN.tiles]:
        frame, _ = read_frame(unread_frame(MetricInputs(pool), int(row)), pixels=True)
        if frame.image is None:
            continue
        own = boxes[kept[images[kept] == frame.image_id]]
        picture = draw_tile(frame.image, (0, 0, frame.width, frame.height), [Mark(box, LABEL) for box in own], SHOWN)
        tiles[int(row)] = Tile(picture, (f"image {frame.image_id}", count(len(own), "box", "boxes")))
        if len(tiles) == SHOWN.tiles:
            break
    title = f"{Path(subset).stem}: {len(tiles)} of the {count(len(np.unique(images)), 'image')} it trains on"
    return contact_sheet(title, [("", [tiles[row] for row in sorted(tiles)])], [LABEL], SHOWN) if tiles else None
