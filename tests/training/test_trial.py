"""From a manifest to training samples, and recipes that tell comparable trials from others."""

import numpy as np
import pyarrow as pa
import pytest

from metricloop.data.loading import assemble
from metricloop.data.manifest import manifest
from metricloop.data.tables import BOXES, IMAGES
from metricloop.params import check_params
from metricloop.training.trial import full_recipe, samples, train_recipe

PARAMS = {"study": {"name": "x"}, "data": {"source": "y"}, "train": {"augment": "none", "weights": "none"}}


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


def test_the_recipe_changes_with_what_makes_trials_incomparable_and_with_nothing_else(pool):
    def of(**changes):
        values = {**PARAMS, **changes}
        params = check_params(values)
        return full_recipe(train_recipe(params, pool), params, pool)["hash"]

    base = of()
    assert base == of(study={"name": "another", "budget": 0.5})
    assert base == of(seeds={"max": 20})
    assert base != of(train=PARAMS["train"] | {"iterations": 5})
    assert base != of(train=PARAMS["train"] | {"augment": "torchvision"})
    assert base != of(evaluate={"max_detections": 7})
