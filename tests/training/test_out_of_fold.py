"""Folds: groups stay together and sizes are even. Views: detections are in pixels of the original picture."""

import hashlib

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Detections, Frame
from metricloop.data.letterbox import letterbox
from metricloop.data.loading import assemble
from metricloop.data.tables import ASKED, BOXES, IMAGES, VIEWS, column, read_table, write_table
from metricloop.detector.detectors import build_detector
from metricloop.detector.views import Views
from metricloop.params import ParamsError, check_params
from metricloop.scoring.metric_inputs import MetricInputs, read_views, unread_frame
from metricloop.training import out_of_fold
from metricloop.training.detect import detect
from metricloop.training.out_of_fold import FoldInputs, Job, digest_of, folds, gather, predict_fold, view_columns
from metricloop.training.trial import Trained


def test_groups_stay_together_and_folds_are_even():
    groups = np.array(["a", "a", "b", "c", "c", "d", "e", "f"])
    fold = folds(groups, 2, seed=0)
    for name in set(groups):
        assert len(set(fold[groups == name])) == 1
    assert np.bincount(fold).tolist() == [4, 4]
    assert (folds(groups, 2, seed=0) == fold).all()


def test_fewer_groups_than_folds_is_an_error():
    with pytest.raises(ValueError, match="only 1 groups"):
        folds(np.array(["a", "a"]), 2, seed=0)


def found(*rows):
    """rows of (x1, y1, x2, y2, score, label)."""
    rows = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))


def image(image_id=1, width=400, height=200):
    return Frame(image_id, width, height, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))


def bright(picture):
    """A detector: the box around what is bright."""
    y, x = np.nonzero(picture[..., 0] > 200)
    return found([x.min(), y.min(), x.max() + 1, y.max() + 1, 1, 0])


@pytest.mark.parametrize("kind", ["flip", "crop"])
@pytest.mark.parametrize(("width", "height"), [(400, 200), (200, 400), (300, 300)])
def test_detections_in_a_view_are_mapped_to_the_original_picture(kind, width, height):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[60:120, 80:140] = 255
    views = Views(kind, pool_of([image(width=width, height=height)]), [letterbox(picture, 160)], 160)
    (box,) = views.back(0, bright(views[0])).boxes
    # a resized pixel is 400 / 160 = 2.5 original ones wide; the crop is resized once more
    np.testing.assert_allclose(box, [80, 60, 140, 120], atol=4)


def test_flip_mirrors_the_picture_without_its_padding():
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[:, :200] = 255
    views = Views("flip", pool_of([image()]), [letterbox(picture, 160)], 160)
    mirrored = views[0]
    assert (mirrored[:80, :80] == 0).all()
    assert (mirrored[:80, 80:] == 255).all()
    assert (mirrored[80:] == 114).all()  # padding
    # x = 10 of 160 is 400 - 10 * 2.5 = 375 from the right
    assert views.back(0, found([10, 20, 30, 40, 0.5, 0])).boxes.tolist() == [[325, 50, 375, 100]]


def test_the_middle_is_four_fifths_of_each_side_at_full_size():
    # 160 x 80 resized pixels; the middle is 16..144 x 8..72, that is 128 x 64, shown at 160: a factor of 0.8
    views = Views("crop", pool_of([image()]), [np.zeros((160, 160, 3), np.uint8)], 160)
    (box,) = views.back(0, found([0, 0, 160, 80, 0.5, 0])).boxes
    np.testing.assert_allclose(box, [40, 20, 360, 180], atol=1e-3)  # 16 * 2.5 and so on
    assert views[0].shape == (160, 160, 3)


def test_a_picture_of_one_pixel_has_all_views():
    for kind in ("flip", "crop"):
        views = Views(kind, pool_of([image(width=1, height=1)]), [np.zeros((32, 32, 3), np.uint8)], 32)
        assert views[0].shape == (32, 32, 3)
        assert np.isfinite(views.back(0, found([0, 0, 32, 32, 0.5, 0])).boxes).all()


A, B, C, D = (found([k, 0, k + 10, 10, 0.5, 0]) for k in range(4))


def test_folds_are_put_together_by_view():
    per_job = [
        (Job(0, 2), {"": [A, B], "flip": [C, D]}),
        (Job(1, 2), {"": [C], "flip": [A]}),
        (Job(0, 2, second=True), {"seed": [A, A]}),
        (Job(1, 2, second=True), {"seed": [D]}),
    ]
    views = gather(np.array([0, 1, 0]), per_job)
    assert views == {"": [A, C, B], "flip": [C, A, D], "seed": [A, D, A]}


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A pool of five noisy pictures without boxes; the current folder is tmp_path."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (5, 64, 64, 3), np.uint8)
    names = [f"{k}.png" for k in range(5)]
    for name, picture in zip(names, noise, strict=True):
        cv2.imwrite(name, picture)
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in names]
    images = pa.table(
        {"image_id": range(1, 6), "file": names, "sha256": digests, "width": [64] * 5, "height": [64] * 5,
         "group": names, "split": ["pool"] * 5}
    )  # fmt: skip
    return assemble(images.cast(IMAGES), BOXES.empty_table(), ("x",), tmp_path)


def test_a_model_detects_in_its_own_fold_what_it_detects_there_in_the_whole_pool(pictures, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = build_detector("fcos_shufflenet", 1, 64, "none", 0)
    learned_from = []

    def no_training(label, pool, draw, *rest, **options):
        learned_from.extend(column(draw, "image_id"))
        return Trained(model.state_dict(), {}, {}, "")

    monkeypatch.setattr(out_of_fold, "train_trial", no_training)
    train = {"weights": "none", "image_size": 64, "device": "cpu"}
    params = check_params(
        {"study": {"name": "s"}, "data": {"source": "x"}, "train": train, "evaluate": {"score_threshold": 0.001}}
    )
    whole = detect(model, pictures, params)
    own = predict_fold(Job(1, 2), FoldInputs(params, pictures, np.array([0, 1, 0, 1, 1])))[""]
    assert sorted(set(learned_from)) == [1, 3]
    assert len(own) == 3
    for row, seen in zip([1, 3, 4], own, strict=True):
        assert len(seen.scores) > 0
        np.testing.assert_allclose(seen.boxes, whole[row].boxes, atol=0.01)
        np.testing.assert_allclose(seen.scores, whole[row].scores, atol=1e-5)


def test_views_are_read_as_written_and_an_empty_view_is_kept(tmp_path):
    pool = pool_of([image(1), image(2)])
    nothing = found()
    columns = view_columns(pool, {"seed": [A, B], "flip": [nothing, C], "crop": [nothing, nothing]})
    write_table(tmp_path / "v.parquet", VIEWS, columns, {ASKED: "crop flip seed"})
    views = read_views(tmp_path / "v.parquet")
    assert sorted(views) == ["crop", "flip", "seed"]
    assert views["crop"] == {}
    assert list(views["flip"]) == [2]
    frame = unread_frame(MetricInputs(pool, {}, views), 0).frame
    np.testing.assert_array_equal(frame.views["seed"].boxes, A.boxes)
    assert len(frame.views["flip"].scores) == len(frame.views["crop"].scores) == 0


def test_no_views_asked_for_is_an_empty_table(tmp_path):
    write_table(tmp_path / "v.parquet", VIEWS, view_columns(pool_of([image()]), {}))
    assert len(read_table(tmp_path / "v.parquet", VIEWS)) == 0
    assert read_views(tmp_path / "v.parquet") == {}


def test_the_digest_of_predictions_follows_their_content():
    columns = {"image_id": np.array([1, 2]), "score": np.float32([0.5, 0.25])}
    same = dict(reversed(columns.items()))
    assert digest_of(columns) == digest_of(same)
    assert digest_of(columns) != digest_of(columns | {"score": np.float32([0.5, 0.26])})


def test_an_unknown_view_is_refused():
    values = {"study": {"name": "s"}, "data": {"source": "x"}}
    assert check_params(values).predict.views == ()
    assert check_params(values | {"predict": {"views": ["flip", "seed"]}}).predict.views == ("flip", "seed")
    with pytest.raises(ParamsError, match=r"predict\.views"):
        check_params(values | {"predict": {"views": ["mirror"]}})
