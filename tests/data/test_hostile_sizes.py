"""Data sets that are small on disk and huge in work: bounded memory, and time that grows with their size only."""

import resource
import struct
import time
import zlib

import numpy as np
import pytest
from odd_sets import coco, dump, ingested, names, pictures, rows, save, scene, truth, write, yolo
from PIL import Image
from soon import soon  # noqa: F401

from metricloop.data.formats.problem import Problem, RefusedError, limited
from metricloop.data.near_links import near_links
from metricloop.data.picture_header import stored_size
from metricloop.data.pictures import MOST_PIXELS, PictureError, PixelBudget, decode, near_duplicates, picture_facts
from metricloop.data.readers.ytvos import mask_boxes
from metricloop.data.splits import SplitError, join_groups

pytestmark = pytest.mark.usefixtures("soon")


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is this large; its data are not needed, because nothing may be decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def resized_header(data: bytes, kind: str, width: int, height: int) -> bytes:
    """A small picture whose header says that it is a large one."""
    if kind == "jpg":
        at = data.index(b"\xff\xc0")
        return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]
    if kind == "gif":
        return data[:6] + struct.pack("<HH", width, height) + data[10:]
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def test_pictures_too_large_are_refused_before_they_are_decoded(tmp_path):
    files = names()
    boxes = pictures(tmp_path, files)
    huge = {"bomb.png": bomb(32_700, 32_700), "wide.png": bomb(2**31 - 1, 2**31 - 1)}
    for kind, side in (("jpg", 65_500), ("gif", 65_500), ("bmp", 40_000)):
        Image.fromarray(scene(50)[0]).save(tmp_path / f"small.{kind}")
        huge[f"huge.{kind}"] = resized_header((tmp_path / f"small.{kind}").read_bytes(), kind, side, side)
        (tmp_path / f"small.{kind}").unlink()
    Image.new("L", (16_000, 16_000)).save(tmp_path / "real.tif", compression="tiff_lzw")
    for name, data in huge.items():
        write(tmp_path / name, data)
    dump(tmp_path / "a.json", coco(boxes | dict.fromkeys([*huge, "real.tif"], ())))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tables = ingested(tmp_path, jobs=4)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB
    assert rows(tables) == truth(boxes)
    told = {p.file: p.action for p in tables.problems}
    assert all("pixels; at most" in told[name] for name in [*huge, "real.tif"]), told


def test_every_format_tells_its_size_before_decoding(tmp_path):
    large = Image.new("L", (15_000, 14_000))
    assert MOST_PIXELS < 15_000 * 14_000
    for kind, options in (("PNG", {}), ("TIFF", {"compression": "tiff_lzw"}), ("GIF", {}), ("JPEG", {"quality": 1})):
        large.save(tmp_path / "x", kind, **options)
        with pytest.raises(PictureError, match="15000 x 14000 pixels"):
            decode((tmp_path / "x").read_bytes())
        with pytest.raises(PictureError, match="15000 x 14000 pixels"):
            picture_facts(tmp_path / "x")


@pytest.mark.parametrize(("order", "kind"), [("<", 4), (">", 4), ("<", 9), (">", 9), ("<", 16)])
def test_whole_tiles_of_a_tiff_count(order, kind, tmp_path):
    """OpenCV allocates a tile of 800 MB for this picture of 64 x 64 pixels."""
    tags = [(256, 4, 64), (257, 4, 64), (277, 4, 3), (322, kind, 16_384), (323, kind, 16_368)]
    body = b"".join(struct.pack(f"{order}HHII", tag, kind, 1, value) for tag, kind, value in tags)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    write(tmp_path / "x.tif", start + body + bytes(4))
    for read in (lambda: decode(start + body + bytes(4)), lambda: picture_facts(tmp_path / "x.tif")):
        with pytest.raises(PictureError, match="pixels; at most"):
            read()


def test_tiles_of_the_usual_size_are_read():
    tags = [(256, 4, 300), (257, 4, 257), (258, 3, 8), (259, 3, 1), (262, 3, 1), (277, 3, 1)]
    tags += [(322, 3, 256), (323, 3, 256)]
    at = 8 + 2 + 12 * (len(tags) + 2) + 4
    grey = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)
    tiles = [grey[y : y + 256, x : x + 256].tobytes() for y in (0, 256) for x in (0, 256)]
    places = struct.pack("<8I", *(at + 32 + 65_536 * k for k in range(4)), *[65_536] * 4)
    entries = [struct.pack("<HHII", *each[:2], 1, each[2]) for each in tags]  # little-endian: a short fits so, too
    entries += [struct.pack("<HHII", 324, 4, 4, at), struct.pack("<HHII", 325, 4, 4, at + 16)]
    data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4) + places + b"".join(tiles)
    assert (decode(data)[:, :, 0] == grey[:257, :300]).all()
    assert stored_size(data) == (512, 512)


def test_threads_share_the_pixels():
    budget = PixelBudget(100)
    with budget.use(60), budget.use(40):
        assert budget._free == 0
    with budget.use(10**9):  # more than there are: alone
        assert budget._free == 0
    assert budget._free == 100


@pytest.mark.parametrize("spread", [0, 3, 30])
def test_thousands_of_pictures_that_look_alike(spread):
    rng = np.random.default_rng(0)
    hashes = np.zeros(4000, np.uint64)
    thumbnails = (100 + rng.integers(-spread, spread + 1, (4000, 256))).astype(np.uint8)
    started = time.process_time()
    pairs = near_links(hashes, thumbnails)
    assert time.process_time() - started < 5
    assert len(pairs) < 50_000
    groups = join_groups([str(row) for row in range(4000)], [None] * 4000, pairs)
    assert len(set(groups)) == (1 if spread <= 3 else 4000)


def test_links_connect_what_all_pairs_connect():
    rng = np.random.default_rng(1)
    base = rng.integers(0, 2**63, 60, dtype=np.uint64)
    hashes = np.concatenate([base, base[:30] ^ np.uint64(1), base[:10], base[:10]])
    looks = rng.integers(0, 256, (60, 256), dtype=np.uint8)
    thumbnails = np.concatenate([looks, looks[:30], looks[:10], looks[:10]])
    files, given = [str(row) for row in range(110)], [None] * 110
    want = join_groups(files, given, near_duplicates(hashes, thumbnails))
    assert join_groups(files, given, near_links(hashes, thumbnails)).tolist() == want.tolist()
    assert len(set(want)) == 60


def test_a_thousand_equal_frames_are_refused_with_the_keys_that_help(tmp_path):
    image, own = scene(0)
    boxes = {}
    for k in range(300):
        save(tmp_path / f"{k:04d}.jpg", image)
        boxes[f"{k:04d}.jpg"] = own
    dump(tmp_path / "a.json", coco(boxes))
    with pytest.raises(SplitError, match=r"data\.near_duplicates"):
        ingested(tmp_path)
    tables = ingested(tmp_path, near="off")
    assert len(tables.images["file"]) == 300
    assert set(tables.images["split"]) == {"pool", "search", "test"}


def test_two_files_of_40000_boxes_of_one_picture(tmp_path):
    boxes = pictures(tmp_path, names())
    content = coco(boxes)
    rng = np.random.default_rng(0)
    content["annotations"] += [
        {"id": 100 + k, "image_id": 1, "category_id": 1, "bbox": [*map(float, rng.uniform(0, 40, 2)), 5.0, 5.0]}
        for k in range(40_000)
    ]
    dump(tmp_path / "train_a.json", content)
    dump(tmp_path / "train_b.json", content)
    tables = ingested(tmp_path, assign_splits=False)
    assert len(rows(tables)["00.jpg"]) == 40_002


def test_a_hundred_thousand_classes(tmp_path):
    boxes = pictures(tmp_path / "coco", names())
    content = coco(boxes)
    content["categories"] = [{"id": k, "name": f"class {k}"} for k in range(100_000)]
    dump(tmp_path / "coco/a.json", content)
    started = time.process_time()
    assert len(ingested(tmp_path / "coco").class_names) == 100_000
    assert time.process_time() - started < 10
    yolo(tmp_path / "yolo", pictures(tmp_path / "yolo", names("images/")), yaml=None)
    listed = "\n".join(f"  {k}: class {k}" for k in range(100_000))
    write(tmp_path / "yolo/data.yaml", f"train: images\nnames:\n{listed}\n")
    started = time.process_time()
    assert len(ingested(tmp_path / "yolo").class_names) == 100_000
    assert time.process_time() - started < 10


def test_masks_with_huge_numbers():
    mask = np.zeros((50, 60), np.int32)
    mask[2:5, 3:9] = 2**31 - 1
    assert mask_boxes(mask) == {2**31 - 1: (3.0, 2.0, 9.0, 5.0)}
    with pytest.raises(ValueError, match="3000 object numbers"):
        mask_boxes(np.arange(3000, dtype=np.int32).reshape(50, 60) + 1)


def test_many_pictures_of_one_name(tmp_path):
    for k in range(400):
        write(tmp_path / f"d{k}/a.jpg", b"x")
    boxes = pictures(tmp_path / "good", names())
    images = {f"/elsewhere/{k}/a.jpg": [] for k in range(20_000)}
    dump(tmp_path / "a.json", coco({f"good/{name}": own for name, own in boxes.items()} | images))
    tables = ingested(tmp_path)
    assert rows(tables) == truth(boxes, prefix="good/")


def test_a_million_bad_lines(tmp_path):
    boxes = pictures(tmp_path, names("images/"))
    yolo(tmp_path, boxes)
    write(tmp_path / "labels/00.txt", "x\n" * 1_000_000)
    tables = ingested(tmp_path)
    assert len(tables.problems) == 1001
    assert any("999000 more lines dropped" in problem.action for problem in tables.problems)


def test_annotations_without_end_are_refused(tmp_path):
    pictures(tmp_path, names())
    write(tmp_path / "a.json", '{"images": [' + '{"id": 1},' * 300_000)
    with pytest.raises(RefusedError):
        ingested(tmp_path)


def test_a_flood_of_problems_is_cut_and_counted():
    flood = [Problem("a", "odd", str(k)) for k in range(50)] + [Problem("b", "other", "")]
    kept = limited(flood, most=10)
    assert kept == [*flood[:10], flood[50], Problem("", "odd", "and 40 more like these")]
