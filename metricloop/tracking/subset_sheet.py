"""A contact sheet of what an arm trains on: images of its first draw, with the labels that it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.frame import Frame
from metricloop.data.manifest import read_draw
from metricloop.data.pool import read_pool
from metricloop.data.tables import TableError, column, xyxy
from metricloop.figures.choose_examples import shuffled
from metricloop.figures.contact_sheet import LAYOUTS, Mark, Tile, contact_sheet, draw_tile
from metricloop.figures.example_pictures import LABEL, tiles_of
from metricloop.llm.message import Picture
from metricloop.params import load_params
from metricloop.text.numbers import count

SHOWN = LAYOUTS["thumbnails"]


def subset_sheet(folder: Path, subset: str) -> Picture | None:
    """Twelve images of a subset, drawn by lot, in the order of the pool; None where no picture can be read.

    subset: its file, relative to the workspace.
    """
    try:
        pool = read_pool(folder / layout.DATA, folder / load_params(folder / layout.PARAMS).data.folder)
        draw = read_draw(folder / subset, 0)
    except (TableError, FileNotFoundError):
        return None
    images, kept, boxes = column(draw, "image_id"), column(draw, "use") == "keep", xyxy(draw)
    rows: list[int] = []  # of the tiles

    def tile(row: int, frame: Frame, image: np.ndarray) -> Tile:
        rows.append(row)
        own = boxes[kept & (images == frame.image_id)]
        picture = draw_tile(image, (0, 0, frame.width, frame.height), [Mark(box, LABEL) for box in own], SHOWN)
        return Tile(picture, (f"image {frame.image_id}", count(len(own), "box", "boxes")))

    tiles = tiles_of(pool, shuffled(np.flatnonzero(np.isin(pool.image_id, images))), SHOWN.tiles, tile)
    title = f"{Path(subset).stem}: {len(tiles)} of the {count(len(np.unique(images)), 'image')} it trains on"
    return contact_sheet(title, [("", [tiles[at] for at in np.argsort(rows)])], [LABEL], SHOWN) if tiles else None
