"""Errors planted into the person's own labels: what each kind of error would look like here, with no truth needed.

The predictions stay as they are: their models never saw these images, so a planted error looks to them as a real one
would. At most one label of an image is changed in one round, so that every error is judged beside untouched labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from metricloop.auditing.label_errors import Kind
from metricloop.data.boxes import areas, iou
from metricloop.data.damage import Damaged, damage
from metricloop.data.damage_presets import Corrupt, Mistake
from metricloop.data.dataset import Dataset, part_of

ENOUGH = 400  # planted errors of a kind; more make the estimate hardly better
ROUNDS = 6  # at most, each with other labels
IMAGES = 1_500  # per round, drawn at random from larger data sets
CROWDED = 0.9  # the share of images with fewer labels than those that are hit in every round
RIGHT = 0.75  # IoU: a box changed so little is as right as two careful people agree (data.second_iou)
MISTAKES: dict[str, tuple[Mistake, ...]] = {  # how a kind is planted: these in equal parts
    "spurious": (
        Mistake(kind="spurious", rate=0.5, lookalike=0.0),
        Mistake(kind="spurious", rate=0.5, lookalike=0.0, scale=((0.6, 1.5),)),
    ),
    "placed": (
        Mistake(kind="moved", rate=0.5, shift=0.35),
        Mistake(kind="scaled", rate=0.5, scale=((0.5, 0.8), (1.25, 2.0))),
    ),
    "class": (Mistake(kind="class", rate=1.0),),
    "doubled": (Mistake(kind="doubled", rate=1.0, shift=0.1, scale=((0.9, 1.1),)),),
    "missing": (Mistake(kind="missing", rate=1.0),),
}


@dataclass(frozen=True)
class Planted:
    """One round: images with one label changed each. at: what was planted, rows of its boxes, or of its images."""

    data: Dataset
    at: np.ndarray


def rounds(data: Dataset, kind: Kind, seed: int) -> Iterator[Planted]:
    """Rounds of one kind of error until ENOUGH are planted, or ROUNDS are done; other labels are hit in each.

    An image is hit as often as it has labels, so that all labels are about equally often hit.
    """
    rows = np.flatnonzero(data.counts)
    if not len(rows):
        return
    chance = np.minimum(1, data.counts[rows] / np.quantile(data.counts[rows], CROWDED))
    held = 0
    for number in range(ROUNDS):
        rng = np.random.default_rng((seed, number))
        chosen = rows[rng.random(len(rows)) < chance]
        chosen = np.sort(rng.choice(chosen, min(IMAGES, len(chosen)), replace=False))
        if len(chosen):
            made = plant(part_of(data, chosen)[0], kind, seed=seed + number, rng=rng)
            held += len(made.at)
            yield made
        if held >= ENOUGH:
            return


def plant(data: Dataset, kind: Kind, seed: int, rng: np.random.Generator) -> Planted:
    """Change one label of every image, chosen at random. data: images that all have one."""
    hit = data.offsets[:-1] + rng.integers(0, data.counts)
    spared = np.ones(len(data.boxes), bool)
    spared[hit] = False  # damage() leaves crowd regions as they are
    done = damage(
        Corrupt(preset="custom", strength=1.0, seed=seed, custom=MISTAKES[kind.name]),
        image_id=data.image_id[data.box_row],
        boxes=data.boxes,
        labels=data.labels,
        groups=[str(own) for own in data.group[data.box_row]],
        width=data.width[data.box_row],
        height=data.height[data.box_row],
        class_names=data.class_names,
        crowd=spared,
    )
    by_id = np.argsort(data.image_id)
    row = by_id[np.searchsorted(data.image_id, done.image_id, sorter=by_id)]
    order, counts = np.argsort(row, kind="stable"), np.bincount(row, minlength=len(data))
    made = replace(
        data,
        box_id=done.box_id[order],
        boxes=done.boxes[order],
        labels=done.labels[order],
        crowd=np.zeros(len(order), bool),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
    )
    if kind.unit == "image":
        return Planted(made, np.flatnonzero(made.counts < data.counts))
    return Planted(made, np.flatnonzero(_wrong(data, done)[order]))


def _wrong(data: Dataset, done: Damaged) -> np.ndarray:
    """Which labels after the damage are wrong: invented, of another class, or of another place, (k,) bool."""
    before = data.boxes[done.origin]
    same = np.ones(len(before))  # most boxes are as they were; one without an area overlaps nothing, not even itself
    for row in np.flatnonzero((done.boxes != before).any(axis=1) | (areas(before) == 0)):
        same[row] = iou(done.boxes[row][None], before[row][None])[0, 0]
    changed = (same < RIGHT) | (done.labels != data.labels[done.origin])
    return (done.origin < 0) | changed
