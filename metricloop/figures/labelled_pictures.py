"""Some pictures of a data set with the boxes as they were read, on one sheet: is this what the labels mean?"""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Frame
from metricloop.figures.choose_examples import in_turn, shuffled
from metricloop.figures.contact_sheet import Layout, Mark, Style, Tile, contact_sheet, draw_tile
from metricloop.figures.example_pictures import tally, tiles_of
from metricloop.llm.message import Picture
from metricloop.text.clean import class_name

SHEET = Layout(columns=4, rows=3, side=300, text=0.42, max_bytes=600_000)
# Bright colours that differ in hue and lightness, for the commonest classes; the last one is for all others.
COLOURS = (
    (0, 229, 255),
    (255, 221, 0),
    (255, 82, 200),
    (120, 255, 90),
    (255, 140, 40),
    (190, 160, 255),
    (235, 235, 235),
)


def labelled_pictures(data: Dataset, title: str) -> Picture | None:
    """A sheet of pictures with their boxes in the colours of their classes; None when no picture can be read.

    Each class in turn gives a picture that shows it, of different groups as long as there are some.
    """
    counts = np.bincount(data.labels, minlength=len(data.class_names))
    common = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    own = common if len(common) <= len(COLOURS) else common[: len(COLOURS) - 1]
    styles = {label: Style(class_name(data.class_names[label]), COLOURS[place], 1) for place, label in enumerate(own)}
    others = Style("other classes", COLOURS[-1], 1)

    def tile(row: int, frame: Frame, image: np.ndarray) -> Tile:
        marks = [
            Mark(box, styles.get(int(label), others)) for box, label in zip(frame.boxes, frame.labels, strict=True)
        ]
        window = (0, 0, frame.width, frame.height)
        return Tile(draw_tile(image, window, marks, SHEET), (str(data.file[row]).rpartition("/")[2], tally(frame)))

    tiles = tiles_of(data, _rows(data, common), SHEET.tiles, tile)
    legend = [*styles.values(), *([others] if len(own) < len(common) else [])]
    return contact_sheet(title, [("", tiles)], legend, SHEET) if tiles else None


def _rows(data: Dataset, common: list[int]) -> np.ndarray:
    """Rows of images, none twice: one per class in turn, the commonest class first; then those without boxes."""
    queues = []
    for label in common:
        rows = shuffled(np.unique(data.box_row[data.labels == label]))
        queues.append(list(in_turn(rows, data.group[rows])))
    order: dict[int, None] = {}
    for place in range(max(map(len, queues), default=0)):
        for queue in queues:
            if place < len(queue):
                order.setdefault(int(queue[place]))
    for row in shuffled(np.flatnonzero(data.counts == 0)):
        order.setdefault(int(row))
    return np.array(list(order), int)
