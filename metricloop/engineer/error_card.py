"""The error card: the errors of detectors, and how an arm changes them, in Markdown for a prompt.

The held-out images are those of the search split. The test split is never read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.tables import TableError, column, read_json, read_table, xyxy
from metricloop.engineer.data_card import CLASSES, over, table
from metricloop.evaluation.error_types import KINDS, MEANINGS, Errors, find_errors
from metricloop.text.clean import class_name
from metricloop.text.numbers import DASH, count, fixed, percent, signed
from metricloop.training.evaluate_models import SEED_PREDICTIONS


def read_errors(folder: Path, block_names: Sequence[str], search: Dataset) -> list[Errors]:
    """The errors on the search split of every detector of these blocks, in the order of blocks and seeds.

    Errors: TableError when a block has no results, or results on other images.
    """
    found = []
    for block in block_names:
        found_boxes = read_table(folder / layout.detections_file(block), SEED_PREDICTIONS)
        image_id, seed = column(found_boxes, "image_id"), column(found_boxes, "seed")
        if strange := sorted(set(image_id.tolist()) - set(search.image_id.tolist())):
            results = folder / layout.results_folder(block)
            raise TableError(f"{results} predicts image {strange[0]}, which the search split lacks; evaluate it again")
        boxes, scores = xyxy(found_boxes), column(found_boxes, "score")
        labels = column(found_boxes, "label").astype(np.int64)
        # A detector may have found nothing: then only metrics.json has its seed.
        for wanted in sorted(int(name) for name in read_json(folder / layout.numbers_file(block))["seeds"]):
            mine = np.flatnonzero(seed == wanted)
            mine = mine[np.argsort(image_id[mine], kind="stable")]
            ends = np.searchsorted(image_id[mine], search.image_id, side="right")
            rows = np.split(mine, ends)[:-1]
            found.append(find_errors(search, [Detections(boxes[row], scores[row], labels[row]) for row in rows]))
    return found


def error_card(
    errors_per_seed: Sequence[Errors], class_names: Sequence[str], class_ap: Mapping[str, float] | None = None
) -> str:
    """Tables of one arm's errors, by type and by class. Numbers are means over its seeds.

    class_ap: the arm's AP by class, without classes that have no object. Errors: ValueError without a seed.
    """
    mean, objects = _means(errors_per_seed), float(np.mean([errors.objects for errors in errors_per_seed]))
    thresholds = [errors.threshold for errors in errors_per_seed]
    detections = float(np.mean([errors.detections for errors in errors_per_seed]))
    head = (
        f"{count(len(errors_per_seed), 'detector')}, {count(round(objects), 'labelled object')}. Detections count from "
        f"the score with the best F1 (IoU 0.5), {_range(thresholds)}: {fixed(detections, 1)} a detector, of which "
        f"{fixed(mean['correct'], 1)} are correct ({percent(over(mean['correct'], objects), 1)} of the objects)."
    )
    rows = [
        [kind, fixed(mean[kind], 1), percent(over(mean[kind], objects), 1), meaning]
        for kind, meaning in MEANINGS.items()
    ]
    parts = [head, table(["error", "a detector", "of the objects", "meaning"], rows)]
    if len(class_names) > 1:
        head = "By class of the wrong detection, or of the missed object; AP is the mean over detectors:"
        parts += [head, _by_class(errors_per_seed, class_names, class_ap or {})]
    return "\n\n".join(parts)


def error_change(arm: Sequence[Errors], baseline: Sequence[Errors]) -> str:
    """One line per type of error: the baseline's mean over its seeds, the arm's, and the difference."""
    before, after = _means(baseline), _means(arm)
    lines = []
    for kind in ("correct", *KINDS):
        difference = after[kind] - before[kind]
        change = "as many" if abs(difference) < 0.05 else "fewer" if difference < 0 else "more"
        lines.append(
            f"- {kind}: {fixed(before[kind], 1)} -> {fixed(after[kind], 1)} ({signed(difference, 1)}, {change})"
        )
    return "\n".join(lines)


def _means(errors_per_seed: Sequence[Errors]) -> dict[str, float]:
    if not errors_per_seed:
        raise ValueError("no errors were given; read those of at least one seed")
    means = {kind: float(np.mean([errors.counts[kind] for errors in errors_per_seed])) for kind in KINDS}
    return {"correct": float(np.mean([errors.correct for errors in errors_per_seed]))} | means


def _by_class(errors_per_seed: Sequence[Errors], class_names: Sequence[str], ap: Mapping[str, float]) -> str:
    counts = np.zeros((len(class_names), len(KINDS)))
    for errors in errors_per_seed:
        for error in (error for image in errors.per_image for error in image):
            counts[error.label, KINDS.index(error.kind)] += 1
    counts /= len(errors_per_seed)
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    rows = [
        [class_name(class_names[label]), fixed(ap.get(class_names[label])), *_each(counts[label])]
        for label in order[:CLASSES]
    ]
    if rest := len(order[CLASSES:]):
        rows.append([count(rest, "more class", "more classes"), DASH, *_each(counts[order[CLASSES:]].sum(axis=0))])
    return table(["class", "AP", *KINDS], rows)


def _each(counts: np.ndarray) -> list[str]:
    return [fixed(value, 1) for value in counts.tolist()]


def _range(values: Sequence[float]) -> str:
    low, high = fixed(min(values), 2), fixed(max(values), 2)
    return low if low == high else f"{low} to {high}"
