"""A promoted detector on torch: its detections are those of the study, and broken folders are told."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from detector_fixture import SIZE, make_detector, picture, write_picture

from metricloop.data.loading import assemble
from metricloop.data.pictures import PictureError
from metricloop.data.tables import BOXES, IMAGES
from metricloop.delivery.detector_folder import DetectorFolderError, read_facts, read_weights
from metricloop.delivery.torch_detector import load
from metricloop.params import check_params
from metricloop.training.detect import detect, load_model

SHAPES = [(48, 80), (80, 48), (64, 64), (100, 30), (33, 190)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector"))


def files(folder: Path) -> list[Path]:
    kinds = (".png", ".jpg", ".bmp", ".tiff", ".webp")
    return [write_picture(folder / f"{k}{kinds[k]}", picture(*shape, seed=k)) for k, shape in enumerate(SHAPES)]


def study_detections(folder: Path, paths: list[Path]):
    """What the study itself detects: through tables, the store of pixels and training.detect."""
    n = len(paths)
    images = pa.table(
        {"image_id": range(n), "file": [path.name for path in paths],
         "sha256": [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths], "width": [w for _, w in SHAPES],
         "height": [h for h, _ in SHAPES], "group": ["g"] * n, "split": ["search"] * n}
    ).cast(IMAGES)  # fmt: skip
    facts = read_facts(folder)
    dataset = assemble(images, BOXES.empty_table(), tuple(facts["classes"]), paths[0].parent)
    params = check_params(
        {"study": {"name": "s"}, "data": {"source": "x"}, "train": {"image_size": SIZE, "device": "cpu"}}
    )
    return detect(load_model(read_weights(folder), len(dataset.class_names), params), dataset, params)


def test_its_detections_are_those_of_the_study(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = files(tmp_path)
    detector = load(folder, "cpu", threads=1)
    found = detector.detect([detector.read(path.read_bytes()) for path in paths])
    assert sum(len(one.scores) for one in found) > 50
    for own, theirs in zip(found, study_detections(folder, paths), strict=True):
        assert np.array_equal(own.boxes, theirs.boxes)
        assert np.array_equal(own.scores, theirs.scores)
        assert np.array_equal(own.labels, theirs.labels)
        assert (own.boxes.dtype, own.scores.dtype, own.labels.dtype) == (np.float32, np.float32, np.int64)
        assert (np.diff(own.scores) <= 0).all()


def test_a_picture_alone_gives_the_same_as_in_a_batch(folder):
    detector, pictures = load(folder, "cpu"), [picture(*shape, seed=k) for k, shape in enumerate(SHAPES)]
    together = detector.detect(pictures)
    for one, image in zip(together, pictures, strict=True):
        (alone,) = detector.detect([image])
        assert np.allclose(alone.boxes, one.boxes, atol=1e-3)
        assert np.allclose(alone.scores, one.scores, atol=1e-5)


def test_the_limits_of_score_and_number_are_those_of_its_facts(tmp_path):
    usual = load(make_detector(tmp_path / "usual"), "cpu").detect([picture()])[0]
    few = load(make_detector(tmp_path / "few", max_detections=3), "cpu").detect([picture()])[0]
    assert np.array_equal(few.scores, usual.scores[:3])
    bar = float(usual.scores[4:6].mean())
    high = load(make_detector(tmp_path / "high", score_threshold=bar), "cpu").detect([picture()])[0]
    assert np.array_equal(high.scores, usual.scores[:5])


def test_no_picture_no_detections(folder):
    assert load(folder, "cpu").detect([]) == []


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(folder, wrong):
    with pytest.raises(ValueError, match=r"a picture is \(H, W, 3\) uint8"):
        load(folder, "cpu").detect([wrong])


def test_a_file_that_is_no_picture_is_refused(folder):
    with pytest.raises(PictureError, match="not a picture"):
        load(folder, "cpu").read(b"hello")


def test_a_folder_without_a_detector_is_told(tmp_path):
    with pytest.raises(DetectorFolderError, match=r"no detector\.json; `metricloop promote`"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "detector.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "detector.json").write_text("[]"), "lacks name, version"),
        (lambda f: (f / "detector.json").write_text(json.dumps({"name": "x"})), "lacks version"),
        (lambda f: (f / "weights.pt").unlink(), "does not exist"),
        (lambda f: (f / "weights.pt").write_bytes(b"PK nothing"), "cannot be read"),
        (lambda f: (f / "weights.pt").write_bytes((f / "weights.pt").read_bytes()[:5000]), "cannot be read"),
        (lambda f: make_detector(f.parent / "other", classes=["a"]) and (f.parent / "other/weights.pt").rename(
            f / "weights.pt"), "does not fit fcos_shufflenet with 2 classes"),
    ],
)  # fmt: skip
def test_a_broken_folder_is_told(tmp_path, spoil, message):
    folder = make_detector(tmp_path / "detector")
    spoil(folder)
    with pytest.raises(DetectorFolderError, match=message):
        load(folder, "cpu")
