"""Answers the question `show`: pictures of the pool by a query, or held-out pictures with errors of the baseline.

The test split is not in a StudyView, so it cannot be shown.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.engineer.desk import Answer, Desk, QuestionError
from metricloop.engineer.questions import MOST_TILES, Show
from metricloop.figures.asked_pictures import image_sheet, object_sheet, sheet_layout
from metricloop.figures.choose_examples import relative_sizes
from metricloop.figures.example_pictures import error_sheet
from metricloop.text.clean import class_name
from metricloop.text.numbers import count, listing, score


def show(ask: Show, desk: Desk) -> Answer:
    """Find and draw what was asked for. Errors: QuestionError."""
    tiles = min(ask.tiles, MOST_TILES)
    found = _errors if ask.what == "errors" else _objects if ask.what == "objects" else _images
    return found(ask, desk, tiles)


def _images(ask: Show, desk: Desk, tiles: int) -> Answer:
    pool = desk.pool
    keep = _chosen_images(ask, desk)
    _inside(keep, pool.counts, ask.boxes_from, ask.boxes_to)
    if ask.class_name is not None or ask.size_from is not None or ask.size_to is not None:
        hit = np.zeros(len(pool), bool)
        hit[pool.box_row[_fitting_boxes(ask, pool)]] = True
        keep &= hit
    values = None
    if ask.metric:
        values = desk.image_values(ask.metric)
        _inside(keep, values, ask.score_from, ask.score_to)
    order = _ordered(ask, np.flatnonzero(keep), lambda: _image_order(ask, desk, values))
    captions = {int(row): f"{_caption(values, int(row))}{count(int(pool.counts[row]), 'label')}" for row in order}
    listed = [f"{int(pool.image_id[row])} ({captions[int(row)]})" for row in order[:tiles]]
    return _answer(
        ask, desk, order, tiles, "image", listed,
        lambda title, form: image_sheet(title, pool, order, captions, ask.marks, desk.predicted, tiles, form),
    )  # fmt: skip


def _objects(ask: Show, desk: Desk, tiles: int) -> Answer:
    pool = desk.pool
    keep = _fitting_boxes(ask, pool) & _chosen_images(ask, desk)[pool.box_row]
    _inside(keep, pool.counts[pool.box_row], ask.boxes_from, ask.boxes_to)
    values = None
    if ask.metric:
        scores = desk.scores(ask.metric)
        values = desk.image_values(ask.metric)[pool.box_row]
        if scores.per_object:
            values = np.full(len(pool.boxes), np.nan)
            values[scores.box[scores.box >= 0]] = scores.value[scores.box >= 0]
        _inside(keep, values, ask.score_from, ask.score_to)
    order = _ordered(ask, np.flatnonzero(keep), lambda: _object_order(ask, desk, values))
    captions = {
        int(box): f"{_caption(values, int(box))}{class_name(pool.class_names[pool.labels[box]])}" for box in order
    }
    listed = [f"{int(pool.image_id[pool.box_row[box]])} ({captions[int(box)]})" for box in order[:tiles]]
    return _answer(
        ask, desk, order, tiles, "object", listed,
        lambda title, form: object_sheet(title, pool, order, captions, ask.marks, tiles, form),
    )  # fmt: skip


def _errors(ask: Show, desk: Desk, tiles: int) -> Answer:
    """Held-out images on which the baseline's first detector errs, and no others."""
    if not desk.errors:
        raise QuestionError("the baseline has no results yet")
    errors, search = desk.errors[0], desk.study.search
    number = errors.number
    if ask.error:
        number = np.array([sum(e.kind == ask.error for e in image) for image in errors.per_image], int)
    rows = np.flatnonzero(number > 0)
    rows = np.random.default_rng(ask.seed).permutation(rows)
    if ask.order != "random":
        rows = rows[np.argsort(-number[rows], kind="stable")]
    listed = []
    for row in rows[:tiles]:
        kinds = Counter(error.kind for error in errors.per_image[row]).most_common()
        listed.append(f"{int(search.image_id[row])} ({', '.join(f'{k} {kind}' for kind, k in kinds)})")
    return _answer(
        ask, desk, rows, tiles, "held-out image", listed,
        lambda title, form: error_sheet(title, search, errors, rows[: 4 * tiles], form),
    )  # fmt: skip


def _answer(ask: Show, desk: Desk, order: np.ndarray, tiles: int, noun: str, listed: list[str], draw) -> Answer:
    """How many fit, with the contact sheet; with the list of the first ones where llm.pictures is none."""
    said = f"{count(len(order), noun)} fit{'s' if len(order) == 1 else ''}."
    if not len(order):
        return Answer(f"{said} Nothing to show: widen the query.")
    detail = desk.study.params.llm.pictures
    if detail == "none":
        return Answer(f"{said} The first: {listing(listed)}. No picture may leave this house (llm.pictures is none).")
    form = sheet_layout(min(tiles, len(order)), ask.side, detail)
    sheet = draw(f"{desk.sheets + 1}. {query_text(ask)}", form)
    if sheet is None:
        return Answer(f"{said} None of their files could be read.")
    desk.sheets += 1
    smaller = f" Tiles are {form.side} px, the most here." if ask.side > form.side else ""
    return Answer(f"{said} {min(tiles, len(order))} on the sheet.{smaller}", (sheet,))


def query_text(ask: Show) -> str:
    """The query in a few words."""
    words = {"images": "images", "objects": "objects", "errors": "held-out images with errors"}[ask.what]
    order = f"{ask.order} {ask.metric}" if ask.metric and ask.order in ("highest", "lowest", "extremes") else ask.order
    parts = [f"{words}, {order}"]
    if ask.class_name:
        parts.append(f"class {class_name(ask.class_name)}")
    for name, low, high in (
        (ask.metric or "score", ask.score_from, ask.score_to),
        ("size", ask.size_from, ask.size_to),
        ("boxes", ask.boxes_from, ask.boxes_to),
    ):
        if low is not None or high is not None:
            parts.append(f"{name} {'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}")
    if ask.error:
        parts.append(str(ask.error))
    if ask.arm:
        parts.append(f"{'kept' if ask.kept else 'left out'} by {ask.arm}")
    if ask.left_out_by:
        parts.append(f"not by {ask.left_out_by}" if ask.arm and ask.kept else f"left out by {ask.left_out_by}")
    return ", ".join(parts)


def _chosen_images(ask: Show, desk: Desk) -> np.ndarray:
    """The images that the question's ids and arm select, (n,) bool. Errors: QuestionError."""
    keep = np.ones(len(desk.pool), bool)
    if ask.ids:
        keep &= desk.images(ask.ids)
    for arm, kept in ((ask.arm, ask.kept), (ask.left_out_by, False)):
        if arm and arm not in desk.subsets:
            raise QuestionError(f"no arm {arm} has a subset; known: {', '.join(desk.subsets) or 'none'}")
        if arm:
            keep &= desk.subsets[arm] == kept
    return keep


def _fitting_boxes(ask: Show, pool: Dataset) -> np.ndarray:
    """The boxes that the question's class and sizes select, (m,) bool. Errors: QuestionError."""
    keep = np.ones(len(pool.boxes), bool)
    if ask.class_name is not None:
        names = [class_name(name) for name in pool.class_names]
        if class_name(ask.class_name) not in names:
            raise QuestionError(f"no class {class_name(ask.class_name)}; known: {', '.join(names[:30])}")
        keep &= pool.labels == names.index(class_name(ask.class_name))
    _inside(keep, relative_sizes(pool), ask.size_from, ask.size_to)
    return keep


def _inside(keep: np.ndarray, values: np.ndarray, low: float | None, high: float | None) -> None:
    """Set `keep` to False where the value is below `low`, above `high` or nan."""
    if low is not None:
        keep &= values >= low
    if high is not None:
        keep &= values <= high


def _image_order(ask: Show, desk: Desk, values: np.ndarray | None) -> np.ndarray:
    """The value that images are sorted by, highest first, (n,). Errors: QuestionError."""
    pool = desk.pool
    if ask.order == "crowded":
        return pool.counts.astype(float)
    if ask.order in ("largest", "smallest"):
        size = np.full(len(pool), np.nan)
        sizes = np.nan_to_num(relative_sizes(pool))
        has = pool.counts > 0
        size[has] = np.bincount(pool.box_row, sizes, len(pool))[has] / pool.counts[has]
        return size if ask.order == "largest" else -size
    if ask.order == "disagreement":
        if desk.disagreement is None:
            raise QuestionError("this study has no out-of-fold predictions")
        return desk.disagreement.number.astype(float)
    return _by_score(ask, values)


def _object_order(ask: Show, desk: Desk, values: np.ndarray | None) -> np.ndarray:
    """The value that objects are sorted by, highest first, (m,). Errors: QuestionError."""
    pool = desk.pool
    if ask.order == "crowded":
        return pool.counts[pool.box_row].astype(float)
    if ask.order in ("largest", "smallest"):
        return relative_sizes(pool) if ask.order == "largest" else -relative_sizes(pool)
    if ask.order == "disagreement":
        if desk.predictions is None or desk.disagreement is None:
            raise QuestionError("this study has no out-of-fold predictions")
        return disagreement_of_boxes(pool, desk.predictions, desk.disagreement.threshold)
    return _by_score(ask, values)


def _by_score(ask: Show, values: np.ndarray | None) -> np.ndarray:
    if values is None:
        raise QuestionError(f"order {ask.order} needs a metric; name it as `metric`")
    return -values if ask.order == "lowest" else values


def disagreement_of_boxes(pool: Dataset, predictions: dict[int, Detections], threshold: float) -> np.ndarray:
    """One minus the greatest IoU of each box with a prediction of its class from `threshold` on, (m,)."""
    found = np.ones(len(pool.boxes))
    for row in range(len(pool)):
        own, said = pool.slice(row), predictions.get(int(pool.image_id[row]), Detections.empty())
        sure = said.scores >= threshold
        if sure.any() and own.stop > own.start:
            same = pool.labels[own][:, None] == said.labels[sure][None]
            found[own] = 1 - np.where(same, iou(pool.boxes[own], said.boxes[sure]), 0).max(axis=1)
    return found


def _ordered(ask: Show, candidates: np.ndarray, value) -> np.ndarray:
    """The candidates in the order that was asked for; equal ones, and `random`, in the order of the seed."""
    mixed = np.random.default_rng(ask.seed).permutation(candidates)
    if ask.order == "random":
        return mixed
    values = value()[mixed]
    mixed, values = mixed[np.isfinite(values)], values[np.isfinite(values)]
    ranked = mixed[np.argsort(-values, kind="stable")]
    if ask.order != "extremes":
        return ranked
    half = max(1, min(ask.tiles, MOST_TILES, len(ranked)) // 2)  # the best, then the worst, on one sheet
    return np.concatenate([ranked[:half], ranked[half:][::-1]])


def _caption(values: np.ndarray | None, index: int) -> str:
    return "" if values is None else f"score {score(float(values[index]))}, "
