"""The section of the report with detections before and after: a detector of the baseline and one of the best arm on the
same images of the search split."""

from __future__ import annotations

from typing import Any

import numpy as np

from metricloop.comparison.arm_rows import Arm
from metricloop.data.boxes import iou
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.evaluation.error_types import FOREGROUND, Errors, find_errors
from metricloop.figures.choose_examples import in_turn, shuffled
from metricloop.figures.svg import Outline
from metricloop.report.image_gallery import Gallery
from metricloop.report.report_data import ReportData
from metricloop.report.trial_results import first_detections
from metricloop.text.clean import class_name
from metricloop.text.numbers import count, fixed

BETTER, WORSE = 4, 2  # images shown with fewer, and with more errors


def before_after(study: ReportData, gallery: Gallery, before: Arm, after: Arm) -> dict[str, Any] | None:
    """The values for the template; None where the detections are not on this machine, or no picture can be read.

    The first trial of either arm is shown. Detections count from the score with the detector's own best F1, see
    `find_errors`. Images with the greatest difference in errors come first, one of every group of images.
    """
    search = study.search
    trials = [first_detections(study.folder, study.plan, search, arm["name"]) for arm in (before, after)]
    if trials[0] is None or trials[1] is None:
        return None
    errors = [find_errors(search, trial) for trial in trials if trial is not None]
    fewer = errors[0].number - errors[1].number
    ends = {"fewer": most(fewer, search.group)[: 2 * BETTER], "more": most(-fewer, search.group)[: 2 * WORSE]}
    shown = {
        end: [pair for row in rows if (pair := _pair(search, gallery, int(row), trials, errors))][:wanted]
        for (end, rows), wanted in zip(ends.items(), (BETTER, WORSE), strict=True)
    }
    return {
        "before": before["name"], "after": after["name"], "images": len(search), **shown,
        "counts": {"fewer": int((fewer > 0).sum()), "more": int((fewer < 0).sum()), "same": int((fewer == 0).sum())},
        "thresholds": [one.threshold for one in errors],
    } if shown["fewer"] or shown["more"] else None  # fmt: skip


def most(value: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Rows with a value above 0, the greatest first; the first of every group before the second of any.

    >>> most(np.array([1, 3, 0, 2]), np.array(["a", "b", "c", "b"])).tolist()
    [1, 0, 3]
    """
    rows = shuffled(np.flatnonzero(value > 0))
    rows = rows[np.argsort(-value[rows], kind="stable")]
    return in_turn(rows, group[rows])


def _pair(search: Dataset, gallery: Gallery, row: int, trials: list, errors: list[Errors]) -> dict[str, Any] | None:
    """One image with the detections of both detectors, and what each got wrong; None when it cannot be read."""
    sides = []
    for trial, found in zip(trials, errors, strict=True):
        outlines, said = marks(search, row, trial[row], found)
        figure = gallery.show_marked(search, row, outlines, f"{search.file[row]}: {said}")
        if figure is None:
            return None
        sides.append({"figure": figure, "said": said})
    return {"file": str(search.file[row]), "sides": sides}


def marks(search: Dataset, row: int, found: Detections, errors: Errors) -> tuple[list[Outline], str]:
    """The boxes to draw on an image, and what they say: "2 of 3 found, 1 wrong"."""
    mistakes = errors.per_image[row]
    missed = {error.box for error in mistakes if error.score is None}
    wrong = {(error.box, error.label): error.kind for error in mistakes if error.score is not None}
    own = np.flatnonzero(~search.crowd[search.slice(row)]) + search.slice(row).start
    objects = [(_corners(box), int(label)) for box, label in zip(search.boxes[own], search.labels[own], strict=True)]
    fits = (iou(found.boxes, search.boxes[own]) >= FOREGROUND) & (found.labels[:, None] == search.labels[own])

    def name(label: int) -> str:
        return class_name(search.class_names[label])

    outlines = [Outline(box, "truth", f"label: {name(label)}") for box, label in objects if box not in missed]
    right = 0
    for box, score, label, fit in zip(found.boxes, found.scores, found.labels, fits.any(axis=1), strict=True):
        kind = wrong.get((_corners(box), int(label)))
        if score < errors.threshold or not (kind or fit):  # neither right nor wrong: it lies in a crowd region
            continue
        right += kind is None
        text = f"{name(int(label))} {fixed(float(score), 2)}"
        outlines.append(Outline(box, "wrong", f"{text}, wrong: {kind}") if kind else Outline(box, "hit", text))
    outlines += [Outline(box, "missed", f"missed: {name(label)}") for box, label in objects if box in missed]
    return outlines, f"{right} of {count(len(objects), 'object')} found" + (f", {len(wrong)} wrong" if wrong else "")


def _corners(box: np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, x2, y2
