"""How well the labels agree with the out-of-fold predictions of a model that was not trained on the image."""

from __future__ import annotations

import numpy as np

from metricloop.data.frame import Frame
from metricloop.evaluation.greedy_match import greedy_match
from metricloop.metrics.catalogue._overlap import by_falling_score, overlap, predictions
from metricloop.metrics.contract import metric

CONFIDENT = 0.3  # a claim of a detector trained with focal loss, whose scores stay low
HIT = 0.5  # IoU of COCO's loosest match


@metric(level="object", needs=("predictions",))
def object_confidence(frame: Frame) -> np.ndarray:
    """How strongly a model that was not trained on the image agrees that this object is there; (n,), 0 to 1.

    For each label the best `score * IoU` over the predictions of the same class; 0 where none overlaps.
    Direction: higher is better: a low value is a label that is wrong, badly placed, of another class, or hard.
    Unchanged when the image is rescaled. Source: "object confidence" of Encord's article (2023), read as in
    cleanlab's ObjectLab (arXiv 2309.00832): confidence and overlap with the best prediction of the same class.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 5]]), np.float32([0.5]), np.array([0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    >>> object_confidence(Frame(1, 100, 100, boxes, np.array([0, 0]), predictions=found)).tolist()
    [0.25, 0.0]
    """
    return overlap(frame).best_same


@metric(level="image", needs=("predictions",))
def label_agreement(frame: Frame, confident: float = CONFIDENT) -> float:
    """Share of agreement among all labels and confident predictions: a soft Jaccard index; 0 to 1.

    agreed / (labels + surprises): `agreed` sums object_confidence over the labels, `surprises` sums
    `score * (1 - best IoU with a label of the same class)` over predictions with a score of at least `confident`.
    It falls with labels that the model does not find *and* with unlabelled objects. An image with labels and no
    predictions scores 0. nan without labels and predictions.
    Direction: higher is better. Unchanged when the image is rescaled. Source: a soft Jaccard index of the two sets.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.75, 0.5]), np.array([0, 0]))
    >>> label_agreement(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found))
    0.5
    """
    over = overlap(frame)
    agreed = over.best_same.sum()
    surprise = over.scores * (1 - (over.iou * over.same).max(axis=0, initial=0.0))
    claims = len(frame.boxes) + surprise[over.scores >= confident].sum()
    return float(agreed / claims) if claims > 0 else float("nan")


@metric(level="object", needs=("predictions",))
def agreement_iou(frame: Frame, confident: float = CONFIDENT) -> np.ndarray:
    """How well a box fits the predictions: the best IoU with one of the same class; (n,), 0 to 1.

    Only predictions with a score of at least `confident` count; 0 where none of them overlaps.
    Direction: higher is better: a low value is a box that is loose, slid off, or not found. Unchanged when the image
    is rescaled. Source: tightness by a model, as in cleanlab's ObjectLab (arXiv 2309.00832).

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 5], [0, 0, 10, 10]]), np.float32([0.8, 0.1]), np.array([0, 0]))
    >>> agreement_iou(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found)).tolist()
    [0.5]
    """
    over = overlap(frame)
    return np.where(over.same & (over.scores >= confident), over.iou, 0.0).max(axis=1, initial=0.0)


@metric(level="object", needs=("predictions",))
def class_margin(frame: Frame) -> np.ndarray:
    """How much more the model supports the label's class than any other class at this place; (n,), -1 to 1.

    The best `score * IoU` of a prediction of the same class, less the best of another class; 0 where nothing overlaps.
    With a single class it equals object_confidence.
    Direction: higher is better: below 0 the model would give another class. Unchanged when the image is rescaled.
    Source: the margin of active learning (Settles 2009), between the class that was given and the best other one.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [0, 0, 10, 5]]), np.float32([0.25, 1]), np.array([0, 1]))
    >>> class_margin(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found)).tolist()
    [-0.25]
    """
    over = overlap(frame)
    return over.best_same - over.best_other


@metric(level="image", needs=("predictions",), higher_is="worse")
def count_gap(frame: Frame, confident: float = CONFIDENT) -> float:
    """Difference between the number of confident predictions and the number of labels; 0 and above.

    |predictions with a score of at least `confident` - labels|.
    Direction: higher is worse: objects are missing from the labels, or labelled where there are none. Unchanged when
    the image is rescaled. Source: the count comparison of label review tools.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.9]), np.array([0]))
    >>> count_gap(Frame(1, 100, 100, np.zeros((0, 4), np.float32), np.zeros(0, int), predictions=found))
    1.0
    """
    return float(abs(int((predictions(frame).scores >= confident).sum()) - len(frame.boxes)))


@metric(level="image", needs=("predictions",))
def true_positives(frame: Frame, confident: float = CONFIDENT, hit: float = HIT) -> float:
    """Number of labels that the model finds; 0 and above.

    By falling score each prediction of at least `confident` takes the free label of its class that it overlaps most,
    from an IoU of `hit` on: COCO's greedy match.
    Direction: higher is better; it grows with the number of objects, image_f1 does not. Unchanged when the image is
    rescaled. Source: COCO's evaluation (Lin et al. 2014), per image as in FiftyOne.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [0, 0, 10, 9]]), np.float32([0.9, 0.8]), np.array([0, 0]))
    >>> true_positives(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found))
    1.0
    """
    return float(_hits(frame, confident, hit)[0])


@metric(level="image", needs=("predictions",), higher_is="worse")
def false_positives(frame: Frame, confident: float = CONFIDENT, hit: float = HIT) -> float:
    """Number of confident predictions without a matching label; 0 and above. Matched as in true_positives.

    Direction: higher is worse: unlabelled objects, boxes in the wrong place, or errors of the model.
    Unchanged when the image is rescaled. Source: COCO's evaluation (Lin et al. 2014), per image as in FiftyOne.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [0, 0, 10, 9]]), np.float32([0.9, 0.8]), np.array([0, 0]))
    >>> false_positives(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found))
    1.0
    """
    hits, claims = _hits(frame, confident, hit)
    return float(claims - hits)


@metric(level="image", needs=("predictions",), higher_is="worse")
def false_negatives(frame: Frame, confident: float = CONFIDENT, hit: float = HIT) -> float:
    """Number of labels without a matching confident prediction; 0 and above. Matched as in true_positives.

    Direction: higher is worse: labels in the wrong place or of the wrong class, invented ones, or hard objects.
    Unchanged when the image is rescaled. Source: COCO's evaluation (Lin et al. 2014), per image as in FiftyOne.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10]]), np.float32([0.9]), np.array([1]))
    >>> false_negatives(Frame(1, 100, 100, np.float32([[0, 0, 10, 10]]), np.array([0]), predictions=found))
    1.0
    """
    return float(len(frame.boxes) - _hits(frame, confident, hit)[0])


@metric(level="image", needs=("predictions",))
def image_f1(frame: Frame, confident: float = CONFIDENT, hit: float = HIT) -> float:
    """F1 of the confident predictions against the labels of this image; 0 to 1.

    2 TP / (confident predictions + labels), matched as in true_positives. An image with labels and no predictions
    scores 0. nan without labels and predictions.
    Direction: higher is better. Unchanged when the image is rescaled. Source: COCO's evaluation (Lin et al. 2014), per
    image as in FiftyOne.

    >>> from metricloop import Detections
    >>> found = Detections(np.float32([[0, 0, 10, 10], [50, 50, 60, 60]]), np.float32([0.9, 0.8]), np.array([0, 0]))
    >>> boxes = np.float32([[0, 0, 10, 10], [0, 50, 10, 60]])
    >>> image_f1(Frame(1, 100, 100, boxes, np.array([0, 0]), predictions=found))
    0.5
    """
    hits, claims = _hits(frame, confident, hit)
    total = claims + len(frame.boxes)
    return 2 * hits / total if total else float("nan")


def _hits(frame: Frame, confident: float, hit: float) -> tuple[int, int]:
    """How many labels a confident prediction hits, and how many confident predictions there are."""
    over, order = overlap(frame), by_falling_score(predictions(frame), confident)
    return int((greedy_match(over.iou * over.same, order, hit) >= 0).sum()), len(order)
