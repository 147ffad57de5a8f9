"""What a language model is shown of a data set: objects and images of the pool, a detector's worst images, and the
extremes of a metric. Pictures are named by image id alone: file names may be private.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections, Frame
from metricloop.evaluation.error_types import Errors, find_errors
from metricloop.figures.contact_sheet import LAYOUTS, Detail, Layout, Mark, Style, Tile, contact_sheet, draw_tile
from metricloop.figures.subset_profile import extremes
from metricloop.llm.message import Picture
from metricloop.scoring.metric_inputs import MetricInputs, read_frame, unread_frame
from metricloop.scoring.scores import Scores
from metricloop.text.clean import class_name
from metricloop.text.numbers import count, fixed, score

CONTEXT = 2.5  # an object is shown with this many times its box
ENLARGED = 8  # at most, so that a tiny object keeps its surroundings
TRIES = 4  # pictures opened per tile, where some cannot be read

OBJECT = Style("the labelled object", (0, 229, 255), 2)
OTHER = Style("other labels", (96, 150, 255), 1)
LABEL = Style("label", (0, 229, 255), 1)
MISSED = Style("label that was missed", (255, 221, 0), 2)
WRONG = Style("wrong detection", (255, 82, 30), 2, dashed=True)


def pool_sheets(
    pool: Dataset, detail: Detail = "thumbnails", predictions: Mapping[int, Detections] | None = None
) -> list[Picture]:
    """Typical, smallest and largest objects, crowded images and images without labels; sheets without a tile are
    left out. predictions: by image id, out of fold; drawn on whole images from the score that agrees best with the
    labels. Pictures that cannot be read are passed over.
    """
    layout = LAYOUTS[detail]
    sizes = _sizes(pool)
    sheets = [
        _object_sheet(
            f"Typical objects of the pool, as labelled{_per_class(pool)}", pool, _typical(pool, sizes), layout
        ),
        _object_sheet("The smallest labelled objects of the pool", pool, _ranked(pool, sizes), layout),
        _object_sheet("The largest labelled objects of the pool", pool, _ranked(pool, -sizes), layout),
    ]
    threshold = _agreeing(pool, predictions)
    crowded, empty = _shuffled(np.flatnonzero(pool.counts > 1)), _shuffled(np.flatnonzero(pool.counts == 0))
    crowded = crowded[np.argsort(-pool.counts[crowded], kind="stable")]
    for title, rows in (
        ("The most crowded images of the pool", crowded),
        ("Images of the pool without a label", empty),
    ):
        sheets.append(_image_sheet(title, pool, _spread(rows, pool.group[rows]), predictions, threshold, layout))
    return [sheet for sheet in sheets if sheet]


def error_sheet(search: Dataset, errors: Errors, detail: Detail = "thumbnails") -> Picture | None:
    """The images with the most errors of one detector: labels, missed ones, wrong detections. None without any."""
    layout = LAYOUTS[detail]
    rows = _shuffled(np.flatnonzero(errors.number > 0))
    rows = rows[np.argsort(-errors.number[rows], kind="stable")]

    def tile(row: int, frame: Frame, image: np.ndarray) -> Tile:
        found = errors.per_image[row]
        missed = [Mark(error.box, MISSED) for error in found if error.score is None]
        wrong = [Mark(error.box, WRONG) for error in found if error.score is not None]
        objects = frame.boxes[~search.crowd[search.slice(row)]]
        marks = [*(Mark(box, LABEL) for box in objects), *missed, *wrong]
        kinds = Counter(error.kind for error in found).most_common()
        said = ", ".join(f"{number} {kind}" for kind, number in kinds)
        return Tile(draw_tile(image, _whole(frame), marks, layout), (f"image {frame.image_id}", said))

    tiles = _tiles(search, _spread(rows, search.group[rows]), layout.tiles, tile)
    return (
        contact_sheet(
            f"Held-out images with the most errors (detections with a score of at least {fixed(errors.threshold, 2)})",
            [("", tiles)],
            [LABEL, MISSED, WRONG],
            layout,
        )
        if tiles
        else None
    )


def extremes_sheet(
    pool: Dataset, scores: Scores, higher: bool, title: str, detail: Detail | Layout = "thumbnails"
) -> Picture | None:
    """The best of a metric's scores above, best first, the worst below, worst first; None without a finite score.

    higher: the metric's direction. An object's score shows the object, an image's score the image.
    """
    layout = detail if isinstance(detail, Layout) else LAYOUTS[detail]

    def tile(index: int, frame: Frame, image: np.ndarray) -> Tile:
        box = int(scores.box[index])
        said = f"score {score(float(scores.value[index]))}"
        if box < 0:
            marks = [Mark(own, LABEL) for own in frame.boxes]
            return Tile(draw_tile(image, _whole(frame), marks, layout), (said, f"image {frame.image_id}"))
        return _object_tile(pool, box, frame, image, layout, said)

    ends = extremes(scores, higher, TRIES * layout.columns)
    strips = [
        (name, _tiles(pool, end, layout.columns, tile, scores.row[end]))
        for name, end in zip(("Best scores, best first", "Worst scores, worst first"), ends, strict=True)
    ]
    legend = [OBJECT, OTHER] if scores.per_object else [LABEL]
    strips = [(name, tiles) for name, tiles in strips if tiles]
    return contact_sheet(title, strips, legend, layout) if strips else None


def _object_sheet(title: str, pool: Dataset, boxes: np.ndarray, layout: Layout) -> Picture | None:
    def tile(box: int, frame: Frame, image: np.ndarray) -> Tile:
        width, height = (pool.boxes[box, 2:] - pool.boxes[box, :2]).tolist()
        return _object_tile(pool, box, frame, image, layout, f"{fixed(width, 0)} x {fixed(height, 0)} px")

    tiles = _tiles(pool, boxes, layout.tiles, tile, pool.box_row[boxes])
    return contact_sheet(title, [("", tiles)], [OBJECT, OTHER], layout) if tiles else None


def _object_tile(pool: Dataset, box: int, frame: Frame, image: np.ndarray, layout: Layout, said: str) -> Tile:
    """A labelled object with its surroundings, beneath it `said`, its image and its class."""
    others = [
        Mark(other, OTHER) for other in np.delete(frame.boxes, box - int(pool.offsets[_row(pool, frame)]), axis=0)
    ]
    window = around(pool.boxes[box], frame.width, frame.height, layout.side / ENLARGED)
    picture = draw_tile(image, window, [*others, Mark(pool.boxes[box], OBJECT)], layout)
    return Tile(picture, (said, f"image {frame.image_id}, {class_name(pool.class_names[pool.labels[box]])}"))


def _image_sheet(
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
        said = [f"image {frame.image_id}", _tally(frame)]
        if predictions is not None and frame.image_id in predictions:
            found = predictions[frame.image_id]
            sure = found.boxes[found.scores >= threshold]
            marks += [Mark(box, predicted) for box in sure]
            said[1] += f"; {count(len(sure))} predicted"
        return Tile(draw_tile(image, _whole(frame), marks, layout), tuple(said))

    tiles = _tiles(pool, rows, layout.tiles, tile)
    legend = [LABEL] if predictions is None else [LABEL, predicted]
    return contact_sheet(title, [("", tiles)], legend, layout) if tiles else None


def _tiles(
    dataset: Dataset,
    candidates: Sequence[int] | np.ndarray,
    wanted: int,
    tile: Callable[[int, Frame, np.ndarray], Tile],
    rows: Iterable[int] | None = None,
) -> list[Tile]:
    """Up to `wanted` tiles of the first candidates whose picture can be read; rows: their image rows, where they are
    not rows themselves."""
    made: list[Tile] = []
    pairs = zip(candidates, candidates if rows is None else rows, strict=True)
    for candidate, row in list(pairs)[: TRIES * wanted]:
        if len(made) == wanted:
            break
        frame, _unreadable = read_frame(unread_frame(MetricInputs(dataset), int(row)), pixels=True)
        if frame.image is not None:
            made.append(tile(int(candidate), frame, frame.image))
    return made


def around(box: np.ndarray, width: int, height: int, least: float) -> tuple[float, float, float, float]:
    """A square of CONTEXT times the box's longer side, at least `least` px, about its centre, moved and cut to lie in
    the image; xyxy.
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


def _typical(pool: Dataset, sizes: np.ndarray) -> np.ndarray:
    """Box rows of the middle half of sizes of their class, at random, the classes in turn."""
    middle = np.zeros(len(sizes), bool)
    for label in np.unique(pool.labels):
        mine = (pool.labels == label) & np.isfinite(sizes)
        if mine.any():
            low, high = np.quantile(sizes[mine], (0.25, 0.75))
            middle |= mine & (sizes >= low) & (sizes <= high)
    boxes = _shuffled(np.flatnonzero(middle))
    boxes = _spread(boxes, pool.group[pool.box_row[boxes]])
    return _spread(boxes, pool.labels[boxes])


def _ranked(pool: Dataset, value: np.ndarray) -> np.ndarray:
    """Box rows by rising value, nan left out, as different in their groups as can be."""
    boxes = _shuffled(np.flatnonzero(np.isfinite(value)))
    boxes = boxes[np.argsort(value[boxes], kind="stable")]
    return _spread(boxes, pool.group[pool.box_row[boxes]])


def _spread(order: np.ndarray, key: np.ndarray) -> np.ndarray:
    """The first of every key, in the order given, then the second of every key, and so on."""
    _, inverse = np.unique(np.asarray(key).astype(str), return_inverse=True)
    by_key = np.argsort(inverse, kind="stable")
    turn = np.zeros(len(order), int)
    turn[by_key] = np.arange(len(order)) - np.searchsorted(inverse[by_key], inverse[by_key])
    return order[np.argsort(turn, kind="stable")]


def _shuffled(rows: np.ndarray) -> np.ndarray:
    """A fixed random order: neighbours in a file are often alike."""
    return rows[np.random.default_rng(0).permutation(len(rows))]


def _sizes(pool: Dataset) -> np.ndarray:
    """Root of each box's share of its image, (m,); nan for a box without an area."""
    sides = (pool.boxes[:, 2:] - pool.boxes[:, :2]).astype(float)
    area = (pool.width.astype(float) * pool.height)[pool.box_row]
    return np.sqrt(np.where((sides > 0).all(axis=1), sides.clip(0).prod(axis=1), np.nan) / area)


def _agreeing(pool: Dataset, predictions: Mapping[int, Detections] | None) -> float:
    """The score from which predictions agree best with the labels."""
    if predictions is None:
        return 0.0
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    return find_errors(pool, [predictions.get(int(image_id), nothing) for image_id in pool.image_id]).threshold


def _tally(frame: Frame) -> str:
    names = [class_name(frame.class_names[label]) for label in frame.labels.tolist()]
    return ", ".join(f"{number} {name}" for name, number in Counter(names).most_common()) or "no label"


def _per_class(pool: Dataset) -> str:
    return ", the classes in turn" if len(pool.class_names) > 1 else ""


def _row(pool: Dataset, frame: Frame) -> int:
    return int(np.searchsorted(pool.image_id, frame.image_id))


def _whole(frame: Frame) -> tuple[int, int, int, int]:
    return 0, 0, frame.width, frame.height
