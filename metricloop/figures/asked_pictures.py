"""Contact sheets of images or objects that somebody asked for: candidates in their order, with the marks they want."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.figures.contact_sheet import LAYOUTS, Detail, Layout, Mark, Style, Tile, contact_sheet, draw_tile
from metricloop.figures.example_pictures import LABEL, OBJECT, OTHER, WRONG, object_tile, tally, tiles_of, whole
from metricloop.llm.message import Picture
from metricloop.text.clean import class_name
from metricloop.text.numbers import fixed

WIDE = 1024  # px; about the widest sheet
Marks = Literal["labels", "predictions", "both", "none"]
# By image id, and the score from which they are drawn.
Predictions = tuple[Mapping[int, Detections], float] | None


def sheet_layout(tiles: int, side: int, detail: Detail) -> Layout:
    """A layout of so many tiles, no larger than the tiles and the file of `detail` allow."""
    most = LAYOUTS[detail]
    side = min(side, most.side)
    columns = max(1, min(tiles, WIDE // side))
    return Layout(columns, -(-tiles // columns), side, most.text if side == most.side else 0.42, most.max_bytes)


def image_sheet(
    title: str,
    data: Dataset,
    rows: np.ndarray,
    captions: Mapping[int, str],
    marks: Marks,
    predictions: Predictions,
    wanted: int,
    layout: Layout,
) -> Picture | None:
    """Whole images. rows: candidates; captions: by row; predictions: by image id, and the score from which they are
    drawn; wanted: the most tiles. None when no picture can be read."""
    drawn, legend = _marking(marks, predictions)
    tiles = tiles_of(data, rows, wanted, _whole_image(drawn, layout, captions))
    return contact_sheet(title, [("", tiles)], legend, layout) if tiles else None


def _marking(marks: Marks, predictions: Predictions) -> tuple[Callable[[Frame], list[Mark]], list[Style]]:
    """A function that gives the marks of a frame, and the styles that they have."""
    labels, found = marks in ("labels", "both"), predictions if marks in ("predictions", "both") else None
    predicted = Style(f"prediction, score from {fixed(found[1], 2)}" if found else "", WRONG.colour, 1, True)

    def drawn(frame: Frame) -> list[Mark]:
        own = [Mark(box, LABEL) for box in frame.boxes] if labels else []
        if not found:
            return own
        said = found[0].get(frame.image_id, Detections.empty())
        return own + [Mark(box, predicted) for box in said.boxes[said.scores >= found[1]]]

    return drawn, [*([LABEL] if labels else []), *([predicted] if found else [])]


def _whole_image(
    drawn: Callable[[Frame], list[Mark]], layout: Layout, captions: Mapping[int, str] | None = None
) -> Callable[[int, Frame, np.ndarray], Tile]:
    """A function that makes the tile of an image row. captions: by row; other rows get the number of boxes by class."""
    known = captions or {}

    def tile(row: int, frame: Frame, image: np.ndarray) -> Tile:
        picture = draw_tile(image, whole(frame), drawn(frame), layout)
        return Tile(picture, (f"image {frame.image_id}", known.get(row) or tally(frame)))

    return tile


def object_sheet(
    title: str,
    data: Dataset,
    boxes: np.ndarray,
    captions: Mapping[int, str],
    marks: Marks,
    wanted: int,
    layout: Layout,
) -> Picture | None:
    """Labelled objects with their surroundings. boxes: box rows, candidates in their order; captions: by box row."""

    def tile(box: int, frame: Frame, image: np.ndarray) -> Tile:
        name = class_name(data.class_names[data.labels[box]])
        return object_tile(data, box, frame, image, layout, captions.get(box) or name, marked=marks != "none")

    tiles = tiles_of(data, boxes, wanted, tile, data.box_row[boxes])
    return contact_sheet(title, [("", tiles)], [] if marks == "none" else [OBJECT, OTHER], layout) if tiles else None


def strips_of_images(
    title: str,
    strips: Sequence[tuple[str, Dataset, np.ndarray]],
    layout: Layout,
    marks: Marks = "labels",
    predictions: Predictions = None,
) -> Picture | None:
    """Rows of whole images with their marks, each row under its heading.

    strips: (heading, data, image rows of this data, of which the first that can be read are shown).
    """
    drawn, legend = _marking(marks, predictions)
    tile = _whole_image(drawn, layout)
    made = [(heading, tiles_of(data, rows, layout.columns, tile)) for heading, data, rows in strips]
    made = [(heading, tiles) for heading, tiles in made if tiles]
    return contact_sheet(title, made, legend, layout) if made else None
