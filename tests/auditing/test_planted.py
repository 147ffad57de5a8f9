"""Errors planted for the calibration: one label of an image, wrong in the way that was asked, the rest untouched."""

from dataclasses import replace

import numpy as np
import pytest

from metricloop.auditing.evidence import gather, rescored, sizes
from metricloop.auditing.label_errors import KINDS
from metricloop.auditing.planted import RIGHT, ROUNDS, rounds
from metricloop.auditing.suspicion import MetricScores
from metricloop.data.boxes import iou
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Detections, Frame
from metricloop.metrics.contract import spec_of
from metricloop.scoring.open_metrics import catalogue

BOXES = np.float32([[10, 10, 60, 50], [100, 90, 150, 140]])
NAMES = ("cat", "dog", "cow")
POOL = pool_of(
    [Frame(number, 200, 160, BOXES, np.array([0, 1]), NAMES) for number in (7, 3, 5)]
    + [Frame(9, 200, 160, BOXES[:0], np.zeros(0, int), NAMES)]
)
BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize("name", [kind.name for kind in KINDS if kind.name != "missing"])
def test_one_label_of_an_image_is_wrong_and_the_others_stay(name):
    for made in rounds(POOL, BY_NAME[name], 0):
        assert made.data.image_id.tolist() == [7, 3, 5]  # in the order of the pool; no label, nothing planted
        assert np.bincount(made.data.box_row[made.at], minlength=3).max() == 1
        for row in range(3):
            own = np.arange(len(made.data.boxes))[made.data.slice(row)]
            rest = own[~np.isin(own, made.at)]
            fit = iou(made.data.boxes[rest], BOXES).max(axis=1)
            assert (fit >= RIGHT).all()  # a box moved by so little counts as right
            assert (fit == 1).sum() >= len(rest) - 1
            assert len(rest) >= {"placed": 1, "class": 1}.get(name, 2)


def test_what_is_planted_is_wrong():
    at = {name: next(rounds(POOL, BY_NAME[name], 0)) for name in ("spurious", "placed", "class", "doubled")}
    fit = {name: iou(made.data.boxes[made.at], BOXES).max(axis=1) for name, made in at.items()}
    assert (fit["spurious"] < 0.2).all()
    assert (fit["placed"] < RIGHT).all()
    assert (fit["class"] == 1).all()
    assert ((fit["doubled"] > 0.5) & (fit["doubled"] < 1)).all()
    made = at["class"]
    true = iou(made.data.boxes[made.at], BOXES).argmax(axis=1)
    assert (made.data.labels[made.at] != true).all()


def test_a_missing_label_is_an_image_with_one_less():
    made = next(rounds(POOL, BY_NAME["missing"], 0))
    assert made.at.tolist() == [0, 1, 2]
    assert made.data.counts.tolist() == [1, 1, 1]


def test_the_same_seed_plants_the_same():
    first, again = (next(rounds(POOL, BY_NAME["placed"], 4)) for _ in range(2))
    assert first.data.boxes.tolist() == again.data.boxes.tolist()
    assert next(rounds(POOL, BY_NAME["placed"], 5)).data.boxes.tolist() != first.data.boxes.tolist()


def test_planted_errors_are_scored_like_labels():
    """A model that sees every object: a box put elsewhere has no support, the labels have it all."""
    seen = Detections(BOXES, np.float32([0.9, 0.9]), np.array([0, 1]))
    predictions = dict.fromkeys((7, 3, 5), seen)
    made = next(rounds(POOL, BY_NAME["spurious"], 0))
    values = rescored(made, ["possible_spurious", "object_confidence"], predictions)
    assert (values[:, 0] > 0.7).all()
    assert (values[:, 1] < 0.3).all()
    known = catalogue()
    own = {
        name: MetricScores(spec_of(known[name]), "", np.full(6, level))
        for name, level in (("possible_spurious", 0.0), ("object_confidence", 0.9))
    }
    evidence = gather(BY_NAME["spurious"], POOL, own, predictions)
    assert evidence.labels[:, :2].tolist() == [[0.0, pytest.approx(0.9)]] * 6
    assert evidence.labels[:, 2].tolist() == sizes(POOL).tolist()
    assert sizes(POOL)[0] == pytest.approx(np.log(np.sqrt(50 * 40 / (200 * 160))))
    assert len(evidence.planted) == len(evidence.planted_image) == 3 * ROUNDS
    assert not evidence.held_out.any()


def test_labels_are_hit_equally_often_whatever_their_image_holds():
    one, many = (
        Frame(0, 200, 160, BOXES[:1], np.zeros(1, int)),
        [
            Frame(number, 200, 160, np.tile(BOXES[:1], (4, 1)) + np.arange(4)[:, None] * 20, np.zeros(4, int))
            for number in range(100, 140)
        ],
    )
    data = pool_of([*(replace(one, image_id=number) for number in range(40)), *many])
    hit = np.concatenate([made.data.image_id[made.at] for made in rounds(data, BY_NAME["missing"], 0)])
    assert (hit >= 100).mean() == pytest.approx(0.8, abs=0.06)  # 160 of 200 labels
