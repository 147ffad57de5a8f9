"""The training samples that are made from a manifest, and a trial whose batch is too large for the GPU."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from small_dataset import make

from metricloop.data.manifest import manifest
from metricloop.detector import engine
from metricloop.detector.memory import GpuMemoryError
from metricloop.params import check_params
from metricloop.training.trial import _fit, samples


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


def test_a_full_gpu_names_the_batch_that_fits(pool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tried = []

    def full_above_two(model, samples, pixels, augment, schedule, seed, **options):
        tried.append((schedule.iterations, schedule.batch_size))
        if schedule.batch_size > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return "history"

    monkeypatch.setattr(engine, "fit", full_above_two)
    train = {"weights": "none", "image_size": 64, "iterations": 30, "batch_size": 8, "device": "cpu"}
    params = check_params({"study": {"name": "s"}, "data": {"source": "x"}, "train": train})
    draw = manifest(pool, np.array([0, 1, 2]))
    with pytest.raises(GpuMemoryError, match=r"train\.batch_size 8 at 64 px; a step with 2 fits") as caught:
        _fit(pool, draw, params, 0, 30, tmp_path / "state.pt", lambda *_: None)
    assert caught.value.fits == 2
    assert tried == [(30, 8), (1, 4), (1, 2)]


def test_a_large_draw_gives_what_picking_image_by_image_gives():
    rng = np.random.default_rng(5)
    pool = make([(64, 48, "a", []) for _ in range(40)])
    n = 200
    corners = rng.uniform(0, 20, (n, 2))
    rows = {
        "image_id": rng.choice(pool.image_id, n),
        "box_id": np.arange(n),
        "label": rng.integers(0, 2, n),
        "use": rng.choice(["keep", "mask", "none"], n),
    }
    sides = dict(zip(("x1", "y1", "x2", "y2"), np.concatenate([corners, corners + 9], axis=1).T, strict=True))
    draw = pa.table(rows | sides)
    boxes = np.stack([np.asarray(draw[side]) for side in sides], axis=1)
    found = samples(pool, draw, image_size=32)
    assert [pool.image_id[one.row] for one in found] == sorted(set(rows["image_id"].tolist()))
    for one in found:
        own = rows["image_id"] == pool.image_id[one.row]
        kept, masked = own & (rows["use"] == "keep"), own & (rows["use"] == "mask")
        np.testing.assert_allclose(one.boxes, boxes[kept] / 2, rtol=1e-6)
        np.testing.assert_array_equal(one.labels, rows["label"][kept])
        np.testing.assert_allclose(one.masks, boxes[masked] / 2, rtol=1e-6)
    assert samples(pool, draw.slice(0, 0), image_size=32) == []
