"""YouTube-VOS: boxes from palette masks, grouped by video."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from metricloop.data.formats import SourceError, read, recognise
from metricloop.data.readers.ytvos import mask_boxes, read_mask


def save_mask(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 236, 95, 103, 249, 145, 87, 250, 200, 99])
    image.save(path)


def frame(root, video, name, mask=None):
    path = root / f"JPEGImages/{video}/{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((30, 40, 3), np.uint8))
    if mask is not None:
        save_mask(root / f"Annotations/{video}/{name}.png", mask)


def objects(*rectangles):
    """A mask with (number, x1, y1, x2, y2)."""
    mask = np.zeros((30, 40), np.uint8)
    for number, x1, y1, x2, y2 in rectangles:
        mask[y1:y2, x1:x2] = number
    return mask


@pytest.fixture
def root(tmp_path):
    categories = {"zoo": {"1": "giant_panda", "2": "zebra"}, "farm": {"1": "cow"}}
    videos = {
        video: {"objects": {key: {"category": name, "frames": []} for key, name in named.items()}}
        for video, named in categories.items()
    }
    (tmp_path / "meta.json").write_text(json.dumps({"videos": videos}))
    frame(tmp_path, "zoo", "00000", objects((1, 2, 3, 12, 13), (2, 20, 5, 40, 30)))
    frame(tmp_path, "zoo", "00005", objects((1, 4, 3, 14, 13), (3, 20, 20, 22, 22)))
    frame(tmp_path, "zoo", "00010", objects())
    frame(tmp_path, "farm", "00000", objects((1, 0, 0, 5, 5)))
    return tmp_path


def test_masks_are_read_as_object_numbers(tmp_path):
    mask = objects((1, 2, 3, 12, 13), (3, 20, 5, 40, 30))
    save_mask(tmp_path / "m.png", mask)
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)
    assert mask_boxes(mask) == {1: (2, 3, 12, 13), 3: (20, 5, 40, 30)}


def test_frames_with_visible_objects_grouped_by_video(root):
    assert recognise(root) == "ytvos"
    source = read(root)
    assert source.class_names == ("cow", "giant_panda", "zebra")
    found = {(r.group, r.file.stem): (r.boxes.tolist(), r.labels.tolist()) for r in source.records}
    assert found == {
        ("farm", "00000"): ([[0, 0, 5, 5]], [0]),
        ("zoo", "00000"): ([[2, 3, 12, 13], [20, 5, 40, 30]], [1, 2]),
        ("zoo", "00005"): ([[4, 3, 14, 13]], [1]),
    }
    assert [(p.problem, p.action) for p in source.problems] == [("unknown class", "objects [3] dropped")]


def test_category_filter(root):
    source = read(root, categories=["giant_panda"])
    assert source.class_names == ("giant_panda",)
    assert [(r.group, r.labels.tolist()) for r in source.records] == [("zoo", [0]), ("zoo", [0])]
    with pytest.raises(SourceError, match=r"lion.*cow.*giant_panda.*zebra"):
        read(root, categories=["lion"])


def test_broken_files_cost_their_own_frame_or_video(root):
    whole = (root / "Annotations/zoo/00000.png").read_bytes()
    (root / "Annotations/zoo/00000.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (40, 30)).save(root / "Annotations/farm/00000.png")
    (root / "JPEGImages/zoo/00010.jpg").unlink()
    frame(root, "zoo", "00015")
    source = read(root)
    assert [(r.group, r.file.stem) for r in source.records] == [("zoo", "00005")]
    assert sorted(p.problem for p in source.problems) == [
        "labels without picture",
        "mask cannot be read",
        "mask cannot be read",
        "picture without labels",
        "unknown class",
    ]


def test_meta_cut_in_half_keeps_whole_videos(root):
    text = (root / "meta.json").read_text()
    (root / "meta.json").write_text(text[: text.index('"cow"')])
    source = read(root)
    assert {record.group for record in source.records} == {"zoo"}
    assert ("annotation file cut off or damaged", "kept 1 whole videos") in [p[1:] for p in source.problems]
