"""The figures of one metric's scores: the histogram, and the pictures with the best and the worst scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from metricloop.figures import svg
from metricloop.figures.choose_examples import extremes
from metricloop.figures.subset_changes import FirstDraw
from metricloop.report.image_gallery import Gallery
from metricloop.scoring.scores import Scores
from metricloop.text import numbers

EXAMPLES = 6  # pictures with the best scores, and as many with the worst


def score_figure(name: str, scores: Scores, inside: np.ndarray, higher: bool) -> dict[str, Any]:
    """The histogram of one score and the numbers of its caption. inside: (k,) bool, the scores of what was kept;
    higher: whether a higher score is better."""
    usable = np.isfinite(scores.value)
    what = "object" if scores.per_object else "image"
    total, kept = int(usable.sum()), int((inside & usable).sum())
    label = f"Histogram of {name}: {numbers.count(total, what)} with a score, {numbers.count(kept)} of them kept"
    toward = "better →" if higher else "← better"
    figure = svg.histogram(scores.value[usable], inside[usable], label, toward) if total else None
    return {
        "name": name, "what": what, "total": total, "kept": kept, "figure": figure,
        "without": int((~usable).sum()), "errors": scores.errors,
    }  # fmt: skip


def examples(gallery: Gallery, scores: Scores, draw: FirstDraw, higher: bool) -> tuple[list[dict], list[dict]]:
    """The pictures with the best scores, best first, and with the worst, worst first; unreadable ones are left out."""
    best, worst = (
        [shown for index in end if (shown := _example(gallery, scores, draw, int(index)))]
        for end in extremes(scores, higher, EXAMPLES)
    )
    return best, worst


def _example(gallery: Gallery, scores: Scores, draw: FirstDraw, index: int) -> dict[str, Any] | None:
    """One picture and its caption: the score, and whether the subset has the image or the box."""
    row, box = int(scores.row[index]), int(scores.box[index])
    value = numbers.score(float(scores.value[index]))
    state = "kept" if draw.images[row] else "left out"
    if box >= 0 and draw.images[row]:
        state = "box kept" if draw.boxes[box] else "box dropped"
    label = f"{gallery.pool.file[row]}, score {value}, {state}"
    figure = gallery.show(row, draw, label, box if box >= 0 else None)
    return {"figure": figure, "value": value, "state": state, "label": label} if figure else None
