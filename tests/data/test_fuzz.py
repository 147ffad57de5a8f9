"""Readers, problems and the picture check with inputs nobody thought of: they answer, or refuse with a message.

METRICLOOP_FUZZ: examples per test, 150 by default (about a minute in all). `make fuzz` runs more.
"""

import json
import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from odd_sets import coco, dump, ingested, names, pictures, voc, write, yolo
from quirks.ytvos import _set as ytvos

from metricloop.data.formats.problem import Problem, RefusedError
from metricloop.data.ingest import write as write_tables
from metricloop.data.pictures import PictureError, inspect, picture_facts
from metricloop.data.problem_list import write_problems
from metricloop.data.splits import SplitError
from metricloop.data.summary import describe

pytestmark = pytest.mark.slow
KEYS = (
    *("id", "file_name", "coco_url", "width", "height", "split", "group", "video_id", "lookalikes"),
    *("image_id", "category_id", "bbox", "segmentation", "iscrowd", "attributes", "name", "supercategory"),
)
fuzzed = settings(
    max_examples=int(os.environ.get("METRICLOOP_FUZZ", "150")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=12)
    | st.sampled_from(["1", "1.0", "00.jpg", "../00.jpg", "0", "cat", 10**400, "\ud800", "/", "\0"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
edits = st.lists(
    st.tuples(
        st.sampled_from(["cut", "flip", "insert", "repeat"]),
        st.floats(0, 1),
        st.binary(max_size=8) | st.sampled_from([b"<", b">", b'"', b"\0", b"[", b"{", b"&a;", b"nan ", b"1e999 "]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def edited(data: bytes, changes) -> bytes:
    for kind, share, extra in changes:
        at = int(share * len(data))
        if kind == "cut":
            data = data[:at] if share > 0.3 else data[:at] + data[at + 9 :]
        elif kind == "flip" and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (extra[0] if extra else 1)]) + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + extra + data[at:]
        else:
            data = data[:at] + data[at : at + 40] * 3 + data[at + 40 :]
    return data


def answered(root) -> None:
    """Ingest ends with tables that can be written, or with a refusal that can be printed."""
    try:
        tables = ingested(root)
    except (RefusedError, SplitError) as error:
        refused = error
    else:
        refused = None
    if refused:
        assert str(refused).strip()
        write_problems(root.parent / "problems.csv", refused.problems)
        return
    write_tables(tables, root.parent / "data")
    describe(tables.summary).encode("utf-8", "backslashreplace")
    assert all(0 <= v <= 200 for side in ("x1", "y1", "x2", "y2") for v in tables.boxes[side])


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Format -> (folder, the label files that are changed)."""
    found = {}
    for name in ("coco", "yolo", "voc", "ytvos"):
        root = tmp_path_factory.mktemp(name) / "set"
        if name == "coco":
            dump(root / "a.json", coco(pictures(root, names(count=5))))
            files = [root / "a.json"]
        elif name == "yolo":
            yolo(root, pictures(root, names("images/", 5)))
            files = [root / "data.yaml", root / "labels/00.txt"]
        elif name == "voc":
            voc(root, pictures(root / "JPEGImages", names(count=5)))
            write(root / "ImageSets/Main/train.txt", "00\n01\n02\n")
            write(root / "ImageSets/Main/val.txt", "03\n04\n")
            files = [root / "Annotations/00.xml", root / "ImageSets/Main/train.txt"]
        else:
            ytvos(root, videos=4)
            files = [root / "meta.json", root / "Annotations/0000/00000.png"]
        found[name] = root, {path: path.read_bytes() for path in files}
    return found


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "ytvos"])
@fuzzed
@given(changes=edits, which=st.integers(0, 1))
@example(changes=[("cut", 0.0, b"")], which=0)
def test_damaged_label_files(sets, name, changes, which):
    root, files = sets[name]
    path = list(files)[which % len(files)]
    try:
        path.write_bytes(edited(files[path], changes))
        answered(root)
    finally:
        path.write_bytes(files[path])


@fuzzed
@given(
    st.sampled_from(["images", "annotations", "categories", "videos"]),
    st.dictionaries(
        st.sampled_from(KEYS),
        values,
        max_size=6,
    ),
)
def test_any_entry_of_a_coco_file(sets, part, entry):
    root, files = sets["coco"]
    ((path, data),) = files.items()
    content = json.loads(data) | ({} if part != "videos" else {"videos": []})
    content[part].append(entry)
    content[part].insert(0, dict(content[part][0], **entry) if content[part] else entry)
    try:
        path.write_text(json.dumps(content))
        answered(root)
    finally:
        path.write_bytes(data)


@fuzzed
@given(values)
def test_any_json_beside_a_good_file(sets, content):
    root, _ = sets["coco"]
    extra = root / "b.json"
    try:
        extra.write_text('{"images":' + json.dumps(content) + ', "annotations": [], "categories": []}')
        tables = ingested(root)
        assert len(tables.boxes["box_id"]) == 10
    finally:
        extra.unlink(missing_ok=True)


@fuzzed
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30)), max_size=5))
def test_any_problem_is_written(tmp_path, problems):
    write_problems(tmp_path / "p.csv", [Problem(*each) for each in problems])
    text = (tmp_path / "p.csv").read_text()
    assert all(letter.isprintable() or letter == "\n" for letter in text)


@fuzzed
@given(
    name=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"]),
    changes=edits,
)
def test_damaged_pictures(tmp_path, name, changes):
    import io

    import numpy as np
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)).save(stream, name)
    data = edited(stream.getvalue(), changes)
    (tmp_path / "x").write_bytes(data)
    for look in (lambda: inspect(data), lambda: picture_facts(tmp_path / "x")):
        with suppress(PictureError):
            look()
