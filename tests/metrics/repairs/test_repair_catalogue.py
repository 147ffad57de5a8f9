"""The three repairs of the catalogue on literal labels and predictions, and the docs of them."""

import doctest
import importlib
import pkgutil

import cv2
import numpy as np
import pytest

import metricloop.metrics.repairs
from metricloop.data.edit_rows import ADD, DROP, MOVE, RELABEL
from metricloop.data.frame import Detections, Frame
from metricloop.mending.gate import renamed
from metricloop.mending.open_repair import InProcessRepair, repair_catalogue
from metricloop.metrics.repair_contract import call_repair

CATALOGUE = repair_catalogue()
MODULES = [one.name for one in pkgutil.iter_modules(metricloop.metrics.repairs.__path__)]


def frame(boxes, found, labels=None, found_labels=None, image=None):
    boxes, found = np.float32(boxes).reshape(-1, 4), np.float32(found).reshape(-1, 5)
    predicted = Detections(found[:, :4], found[:, 4], np.array(found_labels or [0] * len(found), int))
    return Frame(1, 100, 100, boxes, np.array(labels or [0] * len(boxes), int), ("cat", "dog"), image, predicted)


def edits(name, it):
    return [(int(row[0]), int(row[1]), *np.round(row[6:], 3)) for row in call_repair(CATALOGUE[name], it)]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module):
    found = importlib.import_module(f"metricloop.metrics.repairs.{module}")
    assert doctest.testmod(found).failed == 0


def test_there_are_three():
    assert sorted(CATALOGUE) == ["consensus", "drop_unsupported", "tighten"]


class TestConsensus:
    @pytest.mark.parametrize(
        ("it", "wanted"),
        [
            (frame([[0, 0, 20, 20]], [[0, 0, 20, 12, 0.9]]), []),  # IoU 0.6 agrees: the box stays
            (frame([[0, 0, 20, 20]], [[0, 0, 20, 8, 0.425]]), [(MOVE, 0, -1, 0.3)]),  # 0.5 sure, IoU 0.4
            (frame([[0, 0, 20, 20]], [[0, 0, 20, 20, 0.55]], [0], [1]), [(RELABEL, 0, 1, 1)]),
            (frame([[0, 0, 20, 20]], [[0, 0, 20, 8, 0.55]], [1], [0]), [(MOVE, 0, -1, 0.6), (RELABEL, 0, 0, 1)]),
            (frame([[0, 0, 20, 20]], []), [(DROP, 0, -1, 1)]),
            (frame([[0, 0, 20, 20]], [[0, 0, 20, 20, 0.2]]), [(DROP, 0, -1, 0.6)]),  # too weak to claim anything
            (frame([], [[50, 50, 70, 70, 0.5]]), [(ADD, -1, 0, 0.8)]),
            (frame([], [[50, 50, 70, 70, 0.5], [51, 50, 70, 70, 0.4]]), [(ADD, -1, 0, 0.8)]),  # the same object
            (frame([], [[50, 50, 70, 70, 0.29]]), []),
            (frame([], [[-5, 95, 30, 100.5, 0.5]]), [(ADD, -1, 0, 0.8)]),  # cut to the image
            (frame([], [[-5, 100, 30, 104, 0.5]]), []),  # nothing of it is inside
        ],
    )
    def test_literal_cases(self, it, wanted):
        assert edits("consensus", it) == wanted

    def test_a_claim_serves_one_label_the_nearest(self):
        it = frame([[0, 0, 20, 20], [0, 0, 20, 40]], [[0, 0, 20, 22, 0.55]])
        # The first agrees (IoU 0.91). The other is half supported: 1 - 2 * 0.55 * 0.55.
        assert edits("consensus", it) == [(DROP, 1, -1, 0.395)]
        it = frame([[0, 0, 20, 20], [60, 60, 80, 80]], [[0, 0, 20, 22, 0.55]])
        assert edits("consensus", it) == [(DROP, 1, -1, 1)]


def test_drop_unsupported():
    it = frame([[0, 0, 20, 20], [50, 50, 70, 70], [0, 50, 20, 70]], [[0, 0, 20, 10, 0.4], [50, 50, 70, 70, 0.7]])
    assert edits("drop_unsupported", it) == [(DROP, 0, -1, 0.6), (DROP, 2, -1, 1)]


class TestTighten:
    IMAGE = np.full((100, 100, 3), (30, 90, 30), np.uint8)
    cv2.rectangle(IMAGE, (40, 30), (69, 59), (220, 40, 40), -1)  # the object: x 40..70, y 30..60

    @pytest.mark.parametrize("box", [[32, 24, 78, 66], [46, 34, 74, 62]])
    def test_a_box_moves_to_the_object(self, box):
        rows = call_repair(CATALOGUE["tighten"], frame([box], [], image=self.IMAGE))
        assert rows[:, 0].tolist() == [MOVE]
        np.testing.assert_allclose(rows[0, 2:6], [40, 30, 70, 60], atol=2)
        assert rows[0, 7] > 0.9

    @pytest.mark.parametrize("box", [[40, 30, 70, 60], [2, 70, 20, 90], [50, 40, 52, 42]])
    def test_a_box_that_fits_or_shows_nothing_stays(self, box):
        assert edits("tighten", frame([box], [], image=self.IMAGE)) == []


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_order_of_labels_and_predictions_decides_nothing(name):
    rng = np.random.default_rng(4)
    for _ in range(6):
        corner = rng.uniform(0, 60, (7, 2))
        boxes = np.hstack([corner, corner + rng.uniform(10, 40, (7, 2))])
        found = np.column_stack([boxes + rng.normal(0, 5, boxes.shape), rng.uniform(0, 1, 7)])
        image = rng.integers(0, 255, (100, 100, 3), np.uint8)
        labels, found_labels = [0, 1, 0, 1, 0, 1, 0], [0, 0, 0, 1, 1, 1, 0]
        one = call_repair(CATALOGUE[name], frame(boxes, found, labels, found_labels, image))
        order, other = rng.permutation(7), rng.permutation(7)
        shuffled = frame(
            boxes[order], found[other], [labels[k] for k in order], [found_labels[k] for k in other], image
        )
        np.testing.assert_allclose(one, renamed(call_repair(CATALOGUE[name], shuffled), order), atol=1e-9)


def test_a_repair_in_this_process_cannot_write_to_its_frame():
    def writes(it):
        it.predictions.scores[0] = 1
        return []

    writes.repair = CATALOGUE["consensus"].repair
    result = InProcessRepair(writes).run([frame([], [[0, 0, 5, 5, 0.5]])])[0]
    assert "read-only" in result.error
