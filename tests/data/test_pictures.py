"""Decoding of the picture files that real data sets hold, and refusal of those that are not whole."""

import hashlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from metricloop.data.pictures import (
    PictureError,
    decode,
    fingerprint,
    inspect,
    near_duplicates,
    picture_facts,
    read_picture,
    shape,
)

HEIGHT, WIDTH = 48, 64


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A smooth picture (48, 64, 3) whose corners all differ."""
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), (WIDTH, HEIGHT))


def encode(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_kinds_come_back_exactly(scene, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encode(Image.fromarray(scene), kind, **options)), scene)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_as_pillow_decodes_it(scene, progressive):
    data = encode(Image.fromarray(scene), "JPEG", quality=95, progressive=progressive)
    expected = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    assert np.abs(decode(data) - expected).max() <= 2
    assert shape(data) == (HEIGHT, WIDTH)


def test_cmyk_jpeg_keeps_its_colours(scene):
    data = encode(Image.fromarray(scene).convert("CMYK"), "JPEG", quality=98, subsampling=0)
    assert np.abs(decode(data).astype(int) - scene).mean() < 4
    assert inspect(data).converted == "CMYK"


def test_16_bit_is_scaled_and_not_clipped(scene):
    deep = scene[..., 0].astype(np.uint16) * 257  # 0..255 -> 0..65535
    data = cv2.imencode(".png", deep)[1].tobytes()
    assert np.array_equal(decode(data), np.repeat(scene[..., :1], 3, axis=2))
    assert inspect(data).converted == "16-bit"


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_grey_transparent_and_palette_pictures_become_rgb(scene, mode):
    image = Image.fromarray(scene).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(encode(image, "PNG")), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(scene, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(scene), "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    picture = inspect(data)
    assert np.array_equal(picture.image, upright)
    assert picture.orientation == orientation


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_a_picture_cut_off_is_refused(scene, kind, share):
    data = encode(Image.fromarray(scene), kind)
    with pytest.raises(PictureError, match="cut off"):
        decode(data[: int(len(data) * share)])


def test_a_jpeg_cut_off_behind_its_embedded_preview_is_refused(scene):
    """The preview in EXIF ends with the marker that ends the picture."""
    preview = encode(Image.fromarray(scene).resize((16, 12)), "JPEG")
    whole = encode(Image.fromarray(scene), "JPEG")
    segment = b"Exif\0\0" + preview
    data = whole[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + whole[2:]
    assert decode(data).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(PictureError, match="cut off"):
        decode(data[:-200])


def test_a_jpeg_filled_up_with_zeros_is_refused(scene):
    data = encode(Image.fromarray(scene), "JPEG")
    with pytest.raises(PictureError, match="cut off"):
        decode(data[: len(data) // 2] + bytes(len(data) // 2))


def test_bytes_behind_the_end_do_no_harm(scene):
    data = encode(Image.fromarray(scene), "JPEG")
    assert np.array_equal(decode(data + b"trailer of a phone"), decode(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"\xff\xd8\xff", "cut off"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (b"<html>not found</html>", "not a picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "convert it"),
        (b"II*\0" + bytes(20), "cannot be decoded"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(data, reason):
    with pytest.raises(PictureError, match=reason):
        decode(data)


def test_read_picture_checks_the_hash_and_names_the_file(tmp_path, scene):
    path = tmp_path / "a.png"
    path.write_bytes(encode(Image.fromarray(scene), "PNG"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert np.array_equal(read_picture(path, digest), scene)
    with pytest.raises(PictureError, match=r"a\.png: not the file that was ingested"):
        read_picture(path, "0" * 64)
    with pytest.raises(PictureError, match=r"b\.png: cannot be read"):
        read_picture(tmp_path / "b.png")
    path.write_bytes(b"")
    with pytest.raises(PictureError, match=r"a\.png: empty file"):
        read_picture(path)


def test_look_tells_what_ingest_records(tmp_path, scene):
    path = tmp_path / "a.png"
    path.write_bytes(encode(Image.fromarray(scene), "PNG"))
    seen = picture_facts(path)
    assert (seen.width, seen.height, seen.orientation, seen.converted) == (WIDTH, HEIGHT, 1, "")
    assert seen.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def prints(images):
    hashes, thumbnails = zip(*(fingerprint(image) for image in images), strict=True)
    return np.array(hashes), np.stack(thumbnails)


def test_near_duplicates_are_recompressed_and_resized_copies_only(scene):
    rng = np.random.default_rng(1)
    others = [cv2.resize(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), (WIDTH, HEIGHT)) for _ in range(20)]
    recompressed = decode(encode(Image.fromarray(scene), "JPEG", quality=60))
    half = cv2.resize(scene, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    pairs = near_duplicates(*prints([scene, *others, recompressed, half]))
    assert pairs.tolist() == [[0, 21], [0, 22], [21, 22]]


def test_plain_pictures_of_different_shade_are_not_duplicates():
    """A difference hash sees no difference between them; the thumbnails do."""
    plain = [np.full((HEIGHT, WIDTH, 3), shade, np.uint8) for shade in (20, 120, 220, 220)]
    assert near_duplicates(*prints(plain)).tolist() == [[2, 3]]


def test_near_duplicates_agrees_with_comparing_all_pairs():
    rng = np.random.default_rng(2)
    base = rng.integers(0, 2**64, 40, dtype=np.uint64)
    flips = [np.uint64(sum(1 << int(bit) for bit in rng.choice(64, n % 6, replace=False))) for n in range(160)]
    hashes = np.concatenate([base, base[np.arange(160) % 40] ^ np.array(flips)])
    distance = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.argwhere(np.triu(distance <= 3, 1))
    assert near_duplicates(hashes, np.zeros((200, 256), np.uint8)).tolist() == expected.tolist()
    assert len(expected) > 50
