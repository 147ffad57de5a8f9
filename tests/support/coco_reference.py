"""Random cases for COCO evaluation, and pycocotools' answers to them."""

import contextlib
import io
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.evaluation.coco import BITS, SIZES

CLASSES = ("lion", "panda", "never seen")


def dataset(per_image, class_names=CLASSES) -> Dataset:
    """per_image: [(boxes, labels, crowd)], image ids 10, 20, ..."""
    n = len(per_image)
    counts = [len(labels) for _, labels, _ in per_image]
    text = np.array([str(i) for i in range(n)], object)
    return Dataset(
        root=Path(),
        class_names=class_names,
        image_id=10 * np.arange(1, n + 1),
        file=text,
        sha256=text,
        width=np.full(n, 200),
        height=np.full(n, 200),
        group=text,
        split=np.full(n, "search", object),
        box_id=np.arange(sum(counts)),
        boxes=np.concatenate([np.zeros((0, 4)), *(np.reshape(b, (-1, 4)) for b, _, _ in per_image)]).astype(np.float32),
        labels=np.concatenate([[], *(labels for _, labels, _ in per_image)]).astype(np.int64),
        crowd=np.concatenate([[], *(crowd for _, _, crowd in per_image)]).astype(bool),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def detections(boxes, scores, labels) -> Detections:
    return Detections(np.reshape(boxes, (-1, 4)).astype(np.float32), np.float32(scores), np.asarray(labels, np.int64))


def random_case(seed: int, images: int, crowds: float, found: float, tied: bool):
    """Clustered boxes of all sizes; detections are shaken objects, doubles and inventions; images may be empty."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for _ in range(images):
        n = rng.integers(0, 7)
        corner = rng.uniform(0, 80, (n, 2))
        boxes = np.hstack([corner, corner + rng.choice([12, 50, 120], (n, 1)) * rng.uniform(0.7, 1.4, (n, 2))])
        labels = rng.integers(0, 2, n)
        truth.append((boxes, labels, rng.random(n) < crowds))
        picked = np.repeat(np.arange(n), rng.integers(0, 4, n)) if rng.random() < found else np.zeros(0, int)
        shaken = boxes[picked] + rng.normal(0, 4, (len(picked), 4))
        corner = rng.uniform(0, 150, (rng.integers(0, 4) if found else 0, 2))
        invented = np.hstack([corner, corner + rng.uniform(5, 60, corner.shape)])
        guess = np.concatenate([shaken, invented])
        guess[:, 2:] = np.maximum(guess[:, 2:], guess[:, :2] + 1)
        named = np.concatenate([labels[picked], rng.integers(0, 3, len(invented))])
        scores = rng.choice([0.2, 0.5, 0.9], len(guess)) if tied else rng.random(len(guess))
        predicted.append(detections(guess, scores, named))
    return dataset(truth), predicted


def pycoco(truth: Dataset, predicted: list[Detections], max_detections: int = 100) -> COCOeval:
    """The reference, run on the same numbers."""

    def annotations(rows, boxes, labels, **extra):
        xywh = boxes.astype(float)
        xywh[:, 2:] -= xywh[:, :2]
        common = {"iscrowd": 0}
        return [
            common
            | {"id": i + 1, "image_id": int(rows[i]), "category_id": int(labels[i]), "bbox": xywh[i].tolist()}
            | {"area": float(xywh[i, 2] * xywh[i, 3])}
            | {name: values[i].item() for name, values in extra.items()}
            for i in range(len(rows))
        ]

    def index(items) -> COCO:
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i} for i in range(len(truth))],
            "categories": [{"id": k} for k in range(len(truth.class_names))],
            "annotations": items,
        }
        coco.createIndex()
        return coco

    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(
            index(annotations(truth.box_row, truth.boxes, truth.labels, iscrowd=truth.crowd.astype(int))),
            index(
                annotations(
                    np.repeat(np.arange(len(predicted)), [len(d.scores) for d in predicted]),
                    np.concatenate([np.zeros((0, 4)), *(d.boxes for d in predicted)]),
                    np.concatenate([[], *(d.labels for d in predicted)]),
                    score=np.concatenate([np.zeros(0, np.float32), *(d.scores for d in predicted)]),
                )
            ),
            "bbox",
        )
        evaluator.params.maxDets = [max_detections]
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator


def reference_numbers(evaluator: COCOeval, class_names) -> dict:
    precision, recall = evaluator.eval["precision"][..., -1], evaluator.eval["recall"][..., -1]

    def mean(values):
        return None if (values == -1).all() else values[values > -1].mean()

    return {
        "mAP": mean(precision[..., 0]),
        "mAP50": mean(precision[0, ..., 0]),
        "mAR": mean(recall[..., 0]),
        "per_class": {
            name: {"mAP": mean(precision[:, :, k, 0]), "mAR": mean(recall[:, k, 0])}
            for k, name in enumerate(class_names)
        },
        "per_size": {
            name: {"mAP": mean(precision[..., a]), "mAR": mean(recall[..., a])} for a, name in enumerate(SIZES, 1)
        },
    }


def reference_matches(evaluator: COCOeval, truth: Dataset) -> dict:
    """{(image_id, label): [(score, tp, ignored), ...]} of all sizes."""
    expected = {}
    for entry in evaluator.evalImgs:
        if entry is not None and entry["aRng"] == evaluator.params.areaRng[0] and entry["dtScores"]:
            ignored = entry["dtIgnore"].astype(bool)
            tp = (entry["dtMatches"] > 0) & ~ignored
            columns = [float(score) for score in entry["dtScores"]], (BITS @ tp).tolist(), (BITS @ ignored).tolist()
            image_id = int(truth.image_id[entry["image_id"]])
            expected[image_id, entry["category_id"]] = list(zip(*columns, strict=True))
    return expected
