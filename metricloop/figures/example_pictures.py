"""The pictures of a data set that the language model is shown, as contact sheets: objects and images of the pool, the
images with the most errors of a detector, and the extremes of a metric.

Captions give the image id and never the file name, which may be private.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.evaluation.error_types import Errors, find_errors
from metricloop.figures.choose_examples import (
    boxes_by_value,
    extremes,
    in_turn,
    relative_sizes,
    shuffled,
    typical_boxes,
)
from metricloop.figures.contact_sheet import LAYOUTS, Detail, Layout, Mark, Style, Tile, contact_sheet, draw_tile
from metricloop.llm.message import Picture
from metricloop.scoring.metric_inputs import MetricInputs, read_frame, unread_frame
from metricloop.scoring.scores import Scores
from metricloop.text.clean import class_name
from metricloop.text.numbers import count, fixed, score

CONTEXT = 2.5  # side of the part shown around an object, in sides of its box
ENLARGED = 8  # greatest enlargement, so that a tiny object is shown with surroundings
TRIES = 4  # candidates per tile, because some files cannot be read

OBJECT = Style("the labelled object", (0, 229, 255), 2)
OTHER = Style("other labels", (96, 150, 255), 1)
LABEL = Style("label", (0, 229, 255), 1)
MISSED = Style("label that was missed", (255, 221, 0), 2)
WRONG = Style("wrong detection", (255, 82, 30), 2, dashed=True)


def pool_pictures(
    pool: Dataset, detail: Detail = "thumbnails", predictions: Mapping[int, Detections] | None = None
) -> list[Picture]:
    """Contact sheets of typical, smallest and largest objects, of crowded images and of images without labels.

    predictions: out-of-fold, by image id. They are drawn on whole images, from the score at which they agree best with
    the labels. Image files that cannot be read are skipped; a contact sheet without any image is left out.
    """
    layout = LAYOUTS[detail]
    sizes = relative_sizes(pool)
    sheets = [
        _objects_picture(
            f"Typical objects of the pool, as labelled{_per_class(pool)}", pool, typical_boxes(pool, sizes), layout
        ),
        _objects_picture("The smallest labelled objects of the pool", pool, boxes_by_value(pool, sizes), layout),
        _objects_picture("The largest labelled objects of the pool", pool, boxes_by_value(pool, -sizes), layout),
    ]
    threshold = best_threshold(pool, predictions)
    crowded, empty = shuffled(np.flatnonzero(pool.counts > 1)), shuffled(np.flatnonzero(pool.counts == 0))
    crowded = crowded[np.argsort(-pool.counts[crowded], kind="stable")]
    for title, rows in (
        ("The most crowded images of the pool", crowded),
        ("Images of the pool without a label", empty),
    ):
        sheets.append(_images_picture(title, pool, in_turn(rows, pool.group[rows]), predictions, threshold, layout))
    return [sheet for sheet in sheets if sheet]


def error_picture(search: Dataset, errors: Errors, detail: Detail = "thumbnails") -> Picture | None:
    """The images with the most errors of one detector, with labels, missed labels and wrong detections; None when there
    are no errors."""
    rows = shuffled(np.flatnonzero(errors.number > 0))
    rows = rows[np.argsort(-errors.number[rows], kind="stable")]
    title = f"Held-out images with the most errors (detections with a score of at least {fixed(errors.threshold, 2)})"
    return error_sheet(title, search, errors, in_turn(rows, search.group[rows]), LAYOUTS[detail])


def error_sheet(title: str, search: Dataset, errors: Errors, rows: np.ndarray, layout: Layout) -> Picture | None:
    """Held-out images, best candidate first, with labels, missed labels and wrong detections; None without rows."""

    def tile(row: int, frame: Frame, image: np.ndarray) -> Tile:
        found = errors.per_image[row]
        missed = [Mark(error.box, MISSED) for error in found if error.score is None]
        wrong = [Mark(error.box, WRONG) for error in found if error.score is not None]
        objects = frame.boxes[~search.crowd[search.slice(row)]]
        marks = [*(Mark(box, LABEL) for box in objects), *missed, *wrong]
        kinds = Counter(error.kind for error in found).most_common()
        caption = ", ".join(f"{number} {kind}" for kind, number in kinds)
        return Tile(draw_tile(image, whole(frame), marks, layout), (f"image {frame.image_id}", caption))

    tiles = tiles_of(search, rows, layout.tiles, tile)
    return contact_sheet(title, [("", tiles)], [LABEL, MISSED, WRONG], layout) if tiles else None


def extremes_picture(
    pool: Dataset, scores: Scores, higher: bool, title: str, detail: Detail | Layout = "thumbnails"
) -> Picture | None:
    """The best scores of a metric in the upper row, best first, the worst in the lower; None without a finite score.

    higher: whether a higher score is better. Scores of objects show the object, scores of images the whole image.
    """
    layout = detail if isinstance(detail, Layout) else LAYOUTS[detail]

    def tile(index: int, frame: Frame, image: np.ndarray) -> Tile:
        box = int(scores.box[index])
        caption = f"score {score(float(scores.value[index]))}"
        if box < 0:
            marks = [Mark(own, LABEL) for own in frame.boxes]
            return Tile(draw_tile(image, whole(frame), marks, layout), (caption, f"image {frame.image_id}"))
        return object_tile(pool, box, frame, image, layout, caption)

    ends = extremes(scores, higher, TRIES * layout.columns)
    strips = [
        (name, tiles_of(pool, end, layout.columns, tile, scores.row[end]))
        for name, end in zip(("Best scores, best first", "Worst scores, worst first"), ends, strict=True)
    ]
    legend = [OBJECT, OTHER] if scores.per_object else [LABEL]
    strips = [(name, tiles) for name, tiles in strips if tiles]
    return contact_sheet(title, strips, legend, layout) if strips else None


def _objects_picture(title: str, pool: Dataset, boxes: np.ndarray, layout: Layout) -> Picture | None:
    def tile(box: int, frame: Frame, image: np.ndarray) -> Tile:
        width, height = (pool.boxes[box, 2:] - pool.boxes[box, :2]).tolist()
        return object_tile(pool, box, frame, image, layout, f"{fixed(width, 0)} x {fixed(height, 0)} px")

    tiles = tiles_of(pool, boxes, layout.tiles, tile, pool.box_row[boxes])
    return contact_sheet(title, [("", tiles)], [OBJECT, OTHER], layout) if tiles else None


def object_tile(
    pool: Dataset, box: int, frame: Frame, image: np.ndarray, layout: Layout, caption: str, marked: bool = True
) -> Tile:
    """A labelled object with its surroundings; its caption is `caption`, the image id and the class. marked: with boxes
    drawn."""
    others = [
        Mark(other, OTHER) for other in np.delete(frame.boxes, box - int(pool.offsets[_row(pool, frame)]), axis=0)
    ]
    window = window_around(pool.boxes[box], frame.width, frame.height, layout.side / ENLARGED)
    picture = draw_tile(image, window, [*others, Mark(pool.boxes[box], OBJECT)] if marked else [], layout)
    return Tile(picture, (caption, f"image {frame.image_id}, {class_name(pool.class_names[pool.labels[box]])}"))


def _images_picture(
    title: str,
    pool: Dataset,
    rows: np.ndarray,
    predictions: Mapping[int, Detections] | None,
    threshold: float,
    layout: Layout,
) -> Picture | None:
    predicted = Style(f"out-of-fold prediction, score from {fixed(threshold, 2)}", WRONG.colour, 1, dashed=True)

    def tile(row: int, frame: Frame, image: np.ndarray) -> Tile:
        marks = [Mark(box, LABEL) for box in frame.boxes]
        caption = [f"image {frame.image_id}", tally(frame)]
        if predictions is not None and frame.image_id in predictions:
            found = predictions[frame.image_id]
            sure = found.boxes[found.scores >= threshold]
            marks += [Mark(box, predicted) for box in sure]
            caption[1] += f"; {count(len(sure))} predicted"
        return Tile(draw_tile(image, whole(frame), marks, layout), tuple(caption))

    tiles = tiles_of(pool, rows, layout.tiles, tile)
    legend = [LABEL] if predictions is None else [LABEL, predicted]
    return contact_sheet(title, [("", tiles)], legend, layout) if tiles else None


def tiles_of(
    dataset: Dataset,
    candidates: Sequence[int] | np.ndarray,
    wanted: int,
    tile: Callable[[int, Frame, np.ndarray], Tile],
    rows: Iterable[int] | None = None,
) -> list[Tile]:
    """Tiles of the first `wanted` candidates whose image file can be read. rows: the image row of each candidate, where
    the candidates are boxes."""
    made: list[Tile] = []
    pairs = zip(candidates, candidates if rows is None else rows, strict=True)
    for candidate, row in list(pairs)[: TRIES * wanted]:
        if len(made) == wanted:
            break
        frame, _unreadable = read_frame(unread_frame(MetricInputs(dataset), int(row)), pixels=True)
        if frame.image is not None:
            made.append(tile(int(candidate), frame, frame.image))
    return made


def window_around(box: np.ndarray, width: int, height: int, least: float) -> tuple[float, float, float, float]:
    """The part of the image to show around a box, xyxy: a square about its centre with CONTEXT times its longer side.

    The square has at least `least` px, and is moved and cut to lie within the image.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    side = max(CONTEXT * max(x2 - x1, y2 - y1), least)
    window = []
    for centre, limit in (((x1 + x2) / 2, width), ((y1 + y2) / 2, height)):
        length = min(side, limit)
        start = min(max(centre - length / 2, 0.0), limit - length)
        window.append((start, start + length))
    (left, right), (top, bottom) = window
    return left, top, right, bottom


def best_threshold(pool: Dataset, predictions: Mapping[int, Detections] | None) -> float:
    """The score threshold at which predictions agree best with the labels."""
    if predictions is None:
        return 0.0
    nothing = Detections.empty()
    return find_errors(pool, [predictions.get(int(image_id), nothing) for image_id in pool.image_id]).threshold


def tally(frame: Frame) -> str:
    names = [class_name(frame.class_names[label]) for label in frame.labels.tolist()]
    return ", ".join(f"{number} {name}" for name, number in Counter(names).most_common()) or "no label"


def _per_class(pool: Dataset) -> str:
    return ", the classes in turn" if len(pool.class_names) > 1 else ""


def _row(pool: Dataset, frame: Frame) -> int:
    return int(np.searchsorted(pool.image_id, frame.image_id))


def whole(frame: Frame) -> tuple[int, int, int, int]:
    return 0, 0, frame.width, frame.height
