"""Readers, problems and the picture check with inputs nobody thought of: they answer, or refuse with a message.

METRICLOOP_FUZZ: examples per test, 150 by default (about a minute in all); with a number, other ones in every run.
`make fuzz` runs more. A file that failed is kept in tests/data/fuzz_corpus and replayed by test_fuzz_corpus.py.
"""

import io
import json
import os
from contextlib import suppress

import numpy as np
import pytest
from fuzz_sets import FORMATS, answered, make_set
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from odd_sets import ingested
from PIL import Image

from metricloop.data.formats.problem import Problem
from metricloop.data.pictures import PictureError, inspect, picture_facts
from metricloop.data.problem_list import write_problems

pytestmark = pytest.mark.slow
KEYS = (
    *("id", "file_name", "coco_url", "width", "height", "split", "group", "video_id", "lookalikes"),
    *("image_id", "category_id", "bbox", "segmentation", "iscrowd", "attributes", "name", "supercategory"),
)
fuzzed = settings(
    max_examples=int(os.environ.get("METRICLOOP_FUZZ", "150")),
    deadline=None,
    derandomize="METRICLOOP_FUZZ" not in os.environ,
    print_blob=True,
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


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Format -> (folder, the label files that are changed)."""
    roots = {name: tmp_path_factory.mktemp(name) / "set" for name in FORMATS}
    return {name: (root, make_set(name, root)) for name, root in roots.items()}


@pytest.mark.parametrize("name", FORMATS)
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


STUDIO = (
    *("id", "data", "image", "annotations", "result", "value", "x", "width", "rotation", "points", "radiusX", "type"),
    *("rectanglelabels", "labels", "original_width", "meta", "text", "file_upload", "was_cancelled", "updated_at"),
)
FIFTYONE = ("label", "bounding_box", "attributes", "iscrowd", "classes", "labels", "00", "01", "../00")


def put_in(content, path, key, value):
    """`content` with a value at a place: `path` says which way down, as far as there are lists and objects."""
    if not path or not content or not isinstance(content, (list, dict)):
        return {**content, key: value} if isinstance(content, dict) else value
    place = list(content)[path[0] % len(content)] if isinstance(content, dict) else path[0] % len(content)
    changed = content.copy()
    changed[place] = put_in(content[place], path[1:], key, value)
    return changed


@pytest.mark.parametrize("name", ["label-studio", "fiftyone"])
@fuzzed
@given(data=st.data())
def test_any_value_anywhere_in_the_json_of_a_tool(sets, name, data):
    root, files = sets[name]
    ((path, before),) = files.items()
    content = json.loads(before)
    keys = st.sampled_from(STUDIO if name == "label-studio" else FIFTYONE)
    for _ in range(data.draw(st.integers(1, 3))):
        place, key, value = data.draw(st.tuples(st.lists(st.integers(0, 9), max_size=6), keys, values))
        content = put_in(content, place, key, value)
    try:
        path.write_text(json.dumps(content))
        answered(root)
    finally:
        path.write_bytes(before)


HUGGINGFACE = (
    "file_name",
    "objects",
    "annotations",
    "bbox",
    "boxes",
    "category",
    "label",
    "iscrowd",
    "width",
    "height",
)


@fuzzed
@given(data=st.data())
def test_any_value_anywhere_in_a_line_of_metadata(sets, data):
    root, files = sets["huggingface"]
    ((path, before),) = files.items()
    first, *others = before.decode().splitlines()
    content = json.loads(first)
    for _ in range(data.draw(st.integers(1, 3))):
        place, key, value = data.draw(
            st.tuples(st.lists(st.integers(0, 9), max_size=4), st.sampled_from(HUGGINGFACE), values)
        )
        content = put_in(content, place, key, value)
    try:
        path.write_text("\n".join([json.dumps(content), *others]))
        answered(root)
    finally:
        path.write_bytes(before)


SHAPES = ("box", "polygon", "ellipse", "mask", "cuboid", "points", "polyline", "skeleton", "tag")
SIDES = (
    *("xtl", "ytl", "xbr", "ybr", "points", "cx", "cy", "rx", "ry", "left", "top", "width", "height", "xtl1", "ybr2"),
    *("rotation", "frame", "outside", "keyframe", "label", "rle"),
)
numbers = st.sampled_from(["0", "-1", "1e308", "nan", "inf", "", "x", "90", "1e400", "99999999999999999999", "0.5,"])


shapes_of_cvat = st.lists(
    st.tuples(st.sampled_from(SHAPES), st.dictionaries(st.sampled_from(SIDES), numbers, max_size=9)), max_size=4
)


@fuzzed
@given(shapes_of_cvat, st.sampled_from(["image", "track"]))
def test_any_shape_of_cvat(sets, shapes, where):
    root, files = sets["cvat"]
    ((path, before),) = files.items()
    drawn = "".join(f"<{tag} " + " ".join(f"{k}='{v}'" for k, v in own.items()) + "/>" for tag, own in shapes)
    added = f'<{where} name="01.jpg" label="cat">{drawn}</{where}>'
    try:
        path.write_bytes(before.replace(b"</annotations>", added.encode() + b"</annotations>"))
        answered(root)
    finally:
        path.write_bytes(before)


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


with suppress(ImportError):  # the extra heif
    import pillow_heif

    pillow_heif.register_heif_opener()
Image.init()
KINDS = sorted({"PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF"} & Image.SAVE.keys())


@fuzzed
@given(name=st.sampled_from(KINDS), changes=edits)
def test_damaged_pictures(tmp_path, name, changes):
    stream = io.BytesIO()
    Image.fromarray(np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)).save(stream, name)
    data = edited(stream.getvalue(), changes)
    (tmp_path / "x").write_bytes(data)
    for look in (lambda: inspect(data), lambda: picture_facts(tmp_path / "x")):
        with suppress(PictureError):
            look()
