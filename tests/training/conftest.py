"""A pool of three images that the tests of training share."""

import pyarrow as pa
import pytest

from metricloop.data.loading import assemble
from metricloop.data.tables import BOXES, IMAGES


@pytest.fixture
def pool(tmp_path):
    images = pa.table(
        {"image_id": [1, 2, 3], "file": list("abc"), "sha256": list("abc"), "width": [64] * 3, "height": [32] * 3,
         "group": list("abc"), "split": ["pool"] * 3}
    ).cast(IMAGES)  # fmt: skip
    boxes = pa.table(
        {"box_id": [10, 11, 12], "image_id": [1, 1, 3], "x1": [0.0, 8, 16], "y1": [0.0, 8, 16], "x2": [8.0, 16, 24],
         "y2": [8.0, 16, 24], "label": [0, 1, 1], "crowd": [False] * 3}
    ).cast(BOXES)  # fmt: skip
    return assemble(images, boxes, ("x", "y"), tmp_path)
