"""Both ways: what every format writes, our readers read back as it was."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_dataset import make

from metricloop.data import writers
from metricloop.data.formats import read
from metricloop.data.formats.export import export_dataset
from metricloop.data.formats.repair import repair
from metricloop.data.formats.written import links_of

TARGETS = {"coco": "x.json", "cvat": "x.xml", "label-studio": "x.json"}
TINY = 1e-9  # px; what arithmetic in float64 loses, far below the last bit of a pixel
VOC = 0.0051  # px; it is written with two decimals
READ_AS = {"coco-folder": "coco"}
NO_CROWDS = ("yolo",)
NO_SPLITS = ("fiftyone",)


def pictures(folder, sizes):
    for row, (width, height) in enumerate(sizes):
        path = folder / "secret" / f"{row}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    return folder


def there_and_back(data, name, folder):
    """The boxes, labels and crowd flags of every picture after writing and reading, by its file in the data set."""
    target = folder / TARGETS.get(name, "x")
    export_dataset(data, target, name)
    # a folder is read as `init` does, without options; a file names pictures elsewhere, and is told where
    outside = [links_of(target)] if name not in TARGETS else []
    source = read(target, READ_AS.get(name, name), root=data.root if name in TARGETS else None, outside=outside)
    rows = {(data.root / file).stat().st_ino: row for row, file in enumerate(data.file)}
    found = {}
    for record in source.records:
        row = rows[record.file.stat().st_ino]
        fixed, notes = repair(record, int(data.width[row]), int(data.height[row]))
        assert notes == []
        names = [source.class_names[label] for label in fixed.labels]
        # YOLO lists a picture twice where val is train: the pool counts
        found.setdefault(row, (fixed.boxes.astype(np.float32), names, fixed.crowd, record.split))
    return source, found


def compare(data, name, source, found):
    assert sorted(found) == list(range(len(data)))
    for row in range(len(data)):
        own = data.slice(row)
        kept = ~data.crowd[own] if name in NO_CROWDS else np.ones(data.counts[row], bool)
        boxes, names, crowd, split = found[row]
        np.testing.assert_allclose(boxes, data.boxes[own][kept], rtol=0, atol=VOC if name == "voc" else TINY)
        assert names == [data.class_names[label] for label in data.labels[own][kept]]
        assert crowd.tolist() == data.crowd[own][kept].tolist()
        assert split == (None if name in NO_SPLITS else data.split[row])
    assert [p for p in source.problems if not p.problem.startswith("picture found")] == []


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("round_trip")


SIDE = st.floats(0, 1, width=32)


@pytest.mark.parametrize("name", writers.NAMES)
@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    boxes=st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE, st.integers(0, 2), st.booleans()), max_size=6),
    number=st.integers(0, 10**9),
)
def test_any_boxes_survive(places, name, size, boxes, number):
    folder = places / f"{name}-{number}-{len(list(places.iterdir()))}"
    scale = np.array([*size, *size], np.float32)
    rows = []
    for x1, y1, x2, y2, label, crowd in boxes:
        corners = np.array([min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)], np.float32) * scale
        if (corners[2:] - corners[:2] >= 0.5).all():
            rows.append((*corners.tolist(), label, crowd))
    # the YOLO reader takes equal lines once
    rows = list({tuple(round(value, 6) for value in row[:5]): row for row in rows}.values())
    data = make([(*size, "g", [row[:5] for row in rows])], ("one", "two words", "drei & <vier>"))
    data = replace(data, root=pictures(folder / "pictures", [size]), crowd=np.array([row[5] for row in rows], bool))
    compare(data, name, *there_and_back(data, name, folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", writers.NAMES)
def test_a_hundred_thousand_random_boxes_survive(name, tmp_path):
    rng = np.random.default_rng(5)
    sizes = [(int(w), int(h)) for w, h in rng.integers(40, 9000, (10, 2))]
    images = []
    for width, height in sizes:
        x, y = (
            np.sort(rng.random((10_000, 2)), axis=1).astype(np.float32) * np.float32(side) for side in (width, height)
        )
        boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2] >= 0.5).all(axis=1)]
        labels = rng.integers(0, 3, len(boxes))
        images.append((width, height, "g", [(*box, label) for box, label in zip(boxes.tolist(), labels, strict=True)]))
    data = make(images, ("a", "b", "c"))
    assert len(data.boxes) > 95_000
    split = np.array(["pool", "search", "test", "pool", "search"] * 2, object)
    crowd = rng.random(len(data.boxes)) < 0.1
    data = replace(data, root=pictures(tmp_path / "p", sizes), crowd=crowd, split=split)
    compare(data, name, *there_and_back(data, name, tmp_path))


@pytest.mark.parametrize("name", writers.NAMES)
def test_splits_empty_images_and_odd_names_survive(name, tmp_path):
    data = make([(60, 40, "a", [(1, 2, 30.5, 20, 0)]), (50, 50, "b", []), (40, 60, "c", [(0, 0, 40, 60, 1)])])
    root = tmp_path / "my pictures"
    files = ["a b/é #1.jpg", "c/1.jpg", "d/1.jpg"]  # two share a name
    for file, width, height in zip(files, data.width, data.height, strict=True):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / file), np.full((height, width, 3), width, np.uint8))
    split = np.array(["pool", "search", "test"], object)
    data = replace(data, root=root, file=np.array(files, object), split=split)
    compare(data, name, *there_and_back(data, name, tmp_path))
