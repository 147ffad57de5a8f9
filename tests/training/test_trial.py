"""The training samples that are made from a manifest."""

import numpy as np
import pyarrow as pa
import pytest

from metricloop.data.manifest import manifest
from metricloop.training.trial import samples


def test_samples_are_in_resized_pixels_and_empty_images_stay(pool):
    table = manifest(pool, np.array([0, 1, 2]), np.array(["keep", "mask", "keep"]))
    first, second, third = samples(pool, table, image_size=32)  # pictures 64 wide: coordinates are halved
    assert first.boxes.tolist() == [[0, 0, 4, 4]]
    assert first.masks.tolist() == [[4, 4, 8, 8]]
    assert (second.row, second.boxes.shape) == (1, (0, 4))
    assert (third.labels.tolist(), third.boxes.tolist()) == ([1], [[8, 8, 12, 12]])


def test_a_manifest_of_another_pool_is_refused(pool):
    table = manifest(pool, np.array([0])).set_column(0, "image_id", pa.array([99, 99]))
    with pytest.raises(KeyError, match="image 99"):
        samples(pool, table, 32)
