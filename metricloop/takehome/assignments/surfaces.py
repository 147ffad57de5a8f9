"""Draw grey pictures of metal surfaces, with or without a defect.

Only additions, products and square roots of numbers of a frozen generator, so that every machine draws the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

SIZE = 64  # pixels of a side
ROW, COLUMN = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64)
Chance = np.random.RandomState  # its numbers are the same in every version of NumPy
Drawn = np.ndarray


def surface(chance: Chance) -> Drawn:
    """Brushed metal in the light of a lamp at one side: float64, SIZE x SIZE, about 40 to 215."""
    long = _smooth(bell(chance, (SIZE, SIZE + 24)), 24)[:, :SIZE]
    picture = chance.uniform(85, 165) + chance.uniform(3, 14) * long + chance.uniform(2, 7) * bell(chance, (SIZE, SIZE))
    for _ in range(chance.randint(0, 4)):  # marks of the brush look like scratches, but cross the whole picture
        picture[chance.randint(SIZE)] += chance.uniform(-22, 22)
    slope = chance.uniform(-0.6, 0.6, 2)
    picture = picture + slope[0] * (ROW - SIZE / 2) + slope[1] * (COLUMN - SIZE / 2)
    away = squared(chance.uniform(0, SIZE), chance.uniform(0, SIZE))
    picture = picture - chance.uniform(0, 0.012) * away
    return picture.T if chance.uniform() < 0.5 else picture


def scratch(chance: Chance, picture: Drawn) -> Drawn:
    """A thin bent line, darker or brighter than the metal."""
    start, end = chance.uniform(6, SIZE - 6, 2), chance.uniform(6, SIZE - 6, 2)
    bend = chance.uniform(-7, 7, 2)
    width, depth = chance.uniform(0.5, 1.1), _either(chance) * chance.uniform(16, 60)
    line = np.zeros((SIZE, SIZE))
    for step in range(81):
        share = step / 80
        row, column = start + (end - start) * share + bend * (4 * share * (1 - share))
        line = np.maximum(line, np.maximum(0, 1 - squared(row, column) / (2 * width * (width + 0.6))))
    return picture + depth * line


def dent(chance: Chance, picture: Drawn) -> Drawn:
    """A round hollow: one of its sides is in the light, the other in the shade."""
    row, column = chance.uniform(12, SIZE - 12, 2)
    radius = chance.uniform(4.5, 10)
    inside = np.maximum(0, 1 - squared(row, column) / (radius * radius))
    light = chance.uniform(-1, 1, 2)
    light = light / np.sqrt(light[0] * light[0] + light[1] * light[1])
    slope = inside * (light[0] * (ROW - row) + light[1] * (COLUMN - column)) / radius
    return picture + chance.uniform(28, 105) * slope


def stain(chance: Chance, picture: Drawn) -> Drawn:
    """A blotch with a soft edge, darker than the metal; seldom brighter."""
    row, column = chance.uniform(14, SIZE - 14, 2)
    blotch = np.zeros((SIZE, SIZE))
    for _ in range(chance.randint(3, 7)):
        radius = chance.uniform(4, 11)
        away = squared(row + chance.uniform(-9, 9), column + chance.uniform(-9, 9))
        blotch = np.maximum(blotch, np.minimum(1, 1.5 * np.maximum(0, 1 - away / (radius * radius))))
    sign = 0.7 if chance.uniform() < 0.15 else -1
    return picture + sign * chance.uniform(9, 42) * blotch


def nothing(chance: Chance, picture: Drawn) -> Drawn:
    """A surface without a defect."""
    return picture


DEFECTS: dict[str, Callable[[Chance, Drawn], Drawn]] = {
    "none": nothing, "scratch": scratch, "dent": dent, "stain": stain,
}  # fmt: skip


def draw(chance: Chance, label: str) -> Drawn:
    """A picture of a surface with this defect: uint8."""
    picture = DEFECTS[label](chance, surface(chance))
    return np.clip(np.floor(picture + 0.5), 0, 255).astype(np.uint8)


def bell(chance: Chance, shape: tuple[int, int]) -> Drawn:
    """Noise like a normal distribution of deviation 1: twelve uniform numbers, less their mean."""
    return chance.uniform(0, 1, (12, *shape)).cumsum(0)[-1] - 6


def squared(row: float, column: float) -> Drawn:
    """Squared distances of all pixels from a place."""
    return (ROW - row) * (ROW - row) + (COLUMN - column) * (COLUMN - column)


def _smooth(noise: Drawn, length: int) -> Drawn:
    """Means along the rows, of this length, with deviation 1 again."""
    total = noise.cumsum(1)
    return (total[:, length:] - total[:, :-length]) / np.sqrt(length)


def _either(chance: Chance) -> int:
    return -1 if chance.uniform() < 0.6 else 1


def png(picture: Drawn) -> bytes:
    """A grey picture as PNG, not compressed: the same bytes with every version of zlib."""
    height, width = picture.shape
    lines = b"".join(b"\0" + line.tobytes() for line in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(lines), len(lines) ^ 0xFFFF) + lines
    content = stored + struct.pack(">I", zlib.adler32(lines))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
