"""Photos, also those of products on white, are told from drawings, icons and screenshots."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_dataset import make

from metricloop.cli.photo_weights import PICTURES, drawn


def product(seed):
    """A shaded, noisy ball of two colours on pure white: most neighbours are equal, but the ball has many shades."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:160, :240]
    r = np.hypot(x - 120, y - 80) / 60
    light = 1 - 0.8 * r[..., None] ** 2 + 0.2 * (x[..., None] - 120) / 60
    one, other = random.integers(60, 240, (2, 3))
    ball = light * (one + (other - one) * y[..., None] / 160) + random.normal(0, 5, (160, 240, 3))
    return np.where(r[..., None] < 1, ball.clip(0, 254), 255).astype(np.uint8)


def photo(seed):
    small = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    noise = np.random.default_rng(seed).normal(0, 4, (120, 160, 3))
    return (cv2.resize(small, (160, 120), interpolation=cv2.INTER_CUBIC) + noise).clip(0, 255).astype(np.uint8)


def icon(seed):
    random = np.random.default_rng(seed)
    image = np.full((128, 128, 3), 255, np.uint8)
    for _ in range(6):
        colour, place = random.integers(0, 256, 3).tolist(), random.integers(0, 128, 2).tolist()
        cv2.circle(image, place, int(random.integers(8, 24)), colour, -1, cv2.LINE_AA)
    return image


def screenshot(seed):
    image = np.full((240, 320, 3), 250, np.uint8)
    cv2.rectangle(image, (0, 0), (320, 20), (200, 80, 40), -1)
    for y in range(40, 240, 20):
        text = "".join(map(chr, np.random.default_rng(seed + y).integers(97, 123, 25)))
        cv2.putText(image, text, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return image


def plain(seed):
    return np.full((40, 40, 3), 30, np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize(("draw", "wanted"), [(product, False), (photo, False), (screenshot, True), (plain, True)])
def test_photos_and_drawings(draw, wanted, suffix, tmp_path):
    assert drawn(pictures(draw, suffix, tmp_path)) == wanted


def test_icons_without_loss(tmp_path):
    assert drawn(pictures(icon, ".png", tmp_path))


def test_most_pictures_decide_and_what_cannot_be_read_does_not_count(tmp_path):
    data = pictures(icon, ".png", tmp_path)
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), product(number))
    assert drawn(with_hashes(data))  # five icons of nine
    (tmp_path / "8.png").write_bytes(b"no picture")
    assert not drawn(with_hashes(data))
    assert not drawn(make([]))


def pictures(draw, suffix, root):
    files = [f"{number}{suffix}" for number in range(PICTURES)]
    for number, file in enumerate(files):
        cv2.imwrite(str(root / file), draw(number))
    return with_hashes(replace(make([(1, 1, "g", [])] * PICTURES), root=root, file=np.array(files, object)))


def with_hashes(data):
    sums = [hashlib.sha256((data.root / file).read_bytes()).hexdigest() for file in data.file]
    return replace(data, sha256=np.array(sums, object))


def test_the_product_photos_of_this_file_would_pass_for_flat():
    share = [(own[:, 1:] == own[:, :-1]).all(axis=2).mean() for own in map(product, range(PICTURES))]
    assert min(share) > 0.5
