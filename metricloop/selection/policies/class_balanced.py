"""class_balanced: images in turn, each of the class that has the fewest boxes so far."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from metricloop.data.dataset import Dataset
from metricloop.selection.greedy import fewest_first
from metricloop.selection.options import PositiveShare, Scored
from metricloop.selection.policy import Chosen, Draw, policy


class Balanced(Scored):
    share: PositiveShare = Field(1.0, description="of the pool's images: the better ones, to choose among")


@policy(
    "class_balanced",
    "take in turn the best image that shows the class with the fewest boxes",
    options=Balanced,
    place=70,
)
def class_balanced(draw: Draw) -> Chosen:
    """Again and again the best image that shows the class with the fewest boxes so far.

    The alternative is to add up what an image's boxes bring to rare classes. It prefers crowded images and evens the
    classes out less; and here the keep-value decides more than ties.
    """
    rows = draw.better
    labels, offsets = _boxes_of(draw.data, rows)
    classes = len(draw.data.class_names)
    return rows[fewest_first(labels, offsets, classes, draw.count, given=len(draw.fixed), room=draw.room(rows))], None


def _boxes_of(data: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and offsets of the boxes of some images, in the order of the rows."""
    counts = data.counts[rows]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return data.labels[np.repeat(data.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])], offsets
