"""Resized pictures and their store."""

import hashlib
import os

import cv2
import numpy as np
import pyarrow as pa
import pytest

from metricloop.data.letterbox import GREY, letterbox
from metricloop.data.loading import assemble
from metricloop.data.pictures import PictureError
from metricloop.data.tables import BOXES, IMAGES
from metricloop.detector.pixel_cache import Pixels, scales


def a_dataset(folder, shapes):
    rng = np.random.default_rng(0)
    files, digests = [], []
    for k, (height, width) in enumerate(shapes):
        path = folder / f"{k}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
        files.append(path.name)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    n = len(files)
    images = pa.table(
        {"image_id": range(n), "file": files, "sha256": digests, "width": [s[1] for s in shapes],
         "height": [s[0] for s in shapes], "group": files, "split": ["pool"] * n}
    ).cast(IMAGES)  # fmt: skip
    return assemble(images, BOXES.empty_table(), ("x",), folder)


def test_letterbox_keeps_the_aspect_and_pads_right_and_below():
    out = letterbox(np.full((20, 40, 3), 200, np.uint8), 64)
    assert out.shape == (64, 64, 3)
    assert (out[:32] == 200).all()
    assert (out[32:] == GREY).all()


def test_scales_map_original_to_resized_pixels(tmp_path):
    assert scales(a_dataset(tmp_path, [(20, 40), (50, 25)]), 64).tolist() == pytest.approx([64 / 40, 64 / 50])


def test_the_store_gives_the_same_pixels_and_may_be_deleted(tmp_path):
    dataset = a_dataset(tmp_path, [(20, 40), (50, 25)])
    first = np.array(Pixels(dataset, 64, tmp_path / "store")[1])
    again = np.array(Pixels(dataset, 64, tmp_path / "store")[1])
    for path in (tmp_path / "store").iterdir():
        path.unlink()
    fresh = np.array(Pixels(dataset, 64, tmp_path / "store")[1])
    assert np.array_equal(first, again)
    assert np.array_equal(first, fresh)


@pytest.mark.parametrize("cached", [False, True])
def test_a_picture_that_is_not_the_ingested_one_is_refused(tmp_path, cached):
    dataset = a_dataset(tmp_path, [(20, 40)])
    if cached:
        Pixels(dataset, 64, tmp_path / "store")[0]
    path = tmp_path / "0.png"
    cv2.imwrite(str(path), np.zeros((20, 40, 3), np.uint8))
    os.utime(path, ns=(1, 1))
    with pytest.raises(PictureError, match=r"0\.png"):
        Pixels(dataset, 64, tmp_path / "store")[0]


def test_a_missing_picture_is_named(tmp_path):
    dataset = a_dataset(tmp_path, [(20, 40)])
    (tmp_path / "0.png").unlink()
    with pytest.raises((PictureError, FileNotFoundError), match=r"0\.png"):
        Pixels(dataset, 64, tmp_path / "store")[0]
