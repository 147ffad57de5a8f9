"""Pictures of phones: HEIF with its plug-in and without it, AVIF, MPO and JFIF, from decoding to a trained detector."""

import io
import sys

import cv2
import numpy as np
import pytest
from odd_sets import coco, dump, ingested, names, pictures, rows, scene, truth, write, yolo
from PIL import Image

from metricloop.data.formats.problem import RefusedError
from metricloop.data.heif import HeifError, decode_heif
from metricloop.data.picture_header import stored_size
from metricloop.data.pictures import PictureError, decode, inspect, picture_facts, read_picture


def encoded(image: np.ndarray, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def heif():
    plugin = pytest.importorskip("pillow_heif")
    plugin.register_heif_opener()
    return plugin


SMOOTH = cv2.resize(np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8), (80, 64))


@pytest.mark.parametrize(("kind", "said"), [("AVIF", "AVIF"), ("MPO", ""), ("JPEG", "")])
def test_kinds_that_need_no_plug_in(kind, said):
    data = encoded(SMOOTH, kind, quality=90)
    picture = inspect(data)
    assert np.abs(picture.image.astype(int) - SMOOTH).mean() < 4
    assert (picture.converted, picture.orientation) == (said, 1)


def test_the_first_picture_of_an_mpo_counts():
    data = encoded(SMOOTH, "MPO", save_all=True, append_images=[Image.fromarray(255 - SMOOTH)], quality=90)
    assert np.abs(decode(data).astype(int) - SMOOTH).mean() < 4


def test_heif_is_decoded_and_its_size_known_before(heif):
    data = encoded(SMOOTH, "HEIF", quality=90)
    assert stored_size(data) == (64, 80)
    picture = inspect(data)
    assert np.abs(picture.image.astype(int) - SMOOTH).mean() < 4
    assert picture.converted == "HEIF"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heif_is_shown_upright_once(heif, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(SMOOTH, "HEIF", quality=95, exif=exif.tobytes())
    found = inspect(data)
    shape = (64, 80) if orientation < 5 else (80, 64)
    assert found.image.shape[:2] == shape
    assert found.orientation == 1
    turned = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[orientation]  # quarter turns, counterclockwise
    expected = np.rot90(SMOOTH, turned)
    expected = expected if orientation in (1, 3, 6, 8) else (expected[:, ::-1] if orientation < 5 else expected[::-1])
    assert np.abs(found.image.astype(int) - expected).mean() < 6


def test_without_the_plug_in_the_message_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    with pytest.raises(HeifError, match=r"pip install 'metricloop\[heif\]'"):
        decode_heif(head, 100)
    files = names("images/", suffix=".heic")
    for name in files:
        write(tmp_path / name, head)
    yolo(tmp_path, {name: [(1, 1, 9, 9)] for name in files})
    with pytest.raises(RefusedError, match=r"metricloop\[heif\]"):
        ingested(tmp_path)
    good = pictures(tmp_path, names("images/more"))
    yolo(tmp_path, good)
    tables = ingested(tmp_path)
    assert rows(tables) == truth(good)
    assert sum("metricloop[heif]" in problem.action for problem in tables.problems) == len(files)


def test_a_size_in_the_header_is_believed_before_anything_is_decoded(tmp_path):
    size = (40_000).to_bytes(4, "big")
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x14ispe\0\0\0\0" + size + size
    write(tmp_path / "x.heic", data)
    for look in (lambda: decode(data), lambda: picture_facts(tmp_path / "x.heic")):
        with pytest.raises(PictureError, match="40000 x 40000 pixels; at most"):
            look()


def test_a_cut_off_heif_is_refused(heif):
    data = encoded(SMOOTH, "HEIF")
    for share in (0.2, 0.5, 0.8):
        with pytest.raises(PictureError, match="cannot be decoded"):
            decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("suffix", [".heic", ".HEIF"])
def test_a_set_of_heif_by_any_format(heif, tmp_path, suffix):
    boxes = {}
    for k, name in enumerate(names("images/", suffix=suffix)):
        image, boxes[name] = scene(k)
        write(tmp_path / name, encoded(image, "HEIF", quality=95))
    dump(tmp_path / "a.json", coco(boxes))
    tables = ingested(tmp_path)
    assert rows(tables) == truth(boxes)
    assert {problem.problem for problem in tables.problems} == {"HEIF picture"}
    reduced = read_picture(tmp_path / next(iter(boxes)), reduction=2)
    assert reduced.shape == (36, 48, 3)
