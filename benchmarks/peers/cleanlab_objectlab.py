"""cleanlab's ObjectLab, in an environment of its own: `PYTHON cleanlab_objectlab.py IN.npz OUT.npz`.

Reads the images that benchmarks/objectlab.py wrote. For every line on standard input it scores them all once more and
prints the seconds that took; at the end of its input it writes the scores.
"""

import sys
import time

import numpy as np
from cleanlab.object_detection.rank import (
    compute_badloc_box_scores,
    compute_overlooked_box_scores,
    compute_swap_box_scores,
    get_label_quality_scores,
)
from cleanlab.version import __version__


def images(path):
    held = np.load(path)
    labels, predictions, order = [], [], []
    box_ends, found_ends = np.cumsum(held["boxes_per_image"]), np.cumsum(held["found_per_image"])
    parts = zip(
        np.split(held["boxes"], box_ends[:-1]),
        np.split(held["labels"], box_ends[:-1]),
        np.split(held["found"], found_ends[:-1]),
        np.split(held["found_labels"], found_ends[:-1]),
        strict=True,
    )
    for boxes, own, found, named in parts:
        labels.append({"bboxes": boxes, "labels": own})
        of_class = [np.flatnonzero(named == label) for label in range(int(held["classes"]))]
        predictions.append(np.array([found[rows] for rows in of_class] + [None], dtype=object)[:-1])
        order.append(np.argsort(np.concatenate(of_class)))  # back to the order they came in
    return labels, predictions, order


def scores(labels, predictions):
    return (
        compute_overlooked_box_scores(labels=labels, predictions=predictions),
        compute_badloc_box_scores(labels=labels, predictions=predictions),
        compute_swap_box_scores(labels=labels, predictions=predictions),
        get_label_quality_scores(labels, predictions, verbose=False),
    )


def main(source, target):
    labels, predictions, order = images(source)
    print(__version__, flush=True)
    for what in sys.stdin:
        began = time.perf_counter()
        if what.strip() == "quality":
            get_label_quality_scores(labels, predictions, verbose=False)
        else:
            made = scores(labels, predictions)
        print(time.perf_counter() - began, flush=True)
    overlooked, located, swapped, quality = made
    np.savez(
        target,
        overlooked=np.concatenate([part[back] for part, back in zip(overlooked, order, strict=True)]),
        located=np.concatenate(located),
        swapped=np.concatenate(swapped),
        quality=quality,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
