"""Sizes from headers are those that decoding gives, for every kind of picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metricloop.data.pictures import decode
from metricloop.serving.picture_size import picture_size


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp", ".bmp", ".tif", ".gif"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (37, 5), (300, 257)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_header_states_what_decoding_gives(kind, width, height, channels):
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, channels), np.uint8)
    if kind == ".gif":  # OpenCV writes none of one channel
        pixels = np.repeat(pixels[:, :, :1], 3, axis=2)
    data = cv2.imencode(kind, pixels)[1].tobytes()
    assert picture_size(data) == (width, height) == decode(data).shape[1::-1]


@pytest.mark.parametrize("quality", [100, 101])  # above 100: without loss
def test_both_kinds_of_webp(quality):
    pixels = np.random.default_rng(3).integers(0, 256, (20, 300, 3), np.uint8)
    data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    assert picture_size(data) == (300, 20)


def test_a_progressive_jpeg_is_no_bomb():
    pixels = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert data.count(b"\xff\xda") > 3
    assert picture_size(data) == (64, 64)


STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBPVP8X", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"")


@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_whatever_follows_a_start_is_a_size_or_a_value_error(start, rest):
    try:
        width, height = picture_size(start + rest)
    except ValueError:
        return
    assert width >= 1
    assert height >= 1
