"""The pictures of an image assignment that the checks use: held out, or altered so that nobody has seen them."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image

from metricloop.takehome.assignment import TRUTH, Assignment

HELD_OUT_FOLDER = "held_out"  # below truth/, the pictures of held_out.csv
SPECKS = 12  # pixels that are altered


def held_out_pictures(assignment: Assignment, files: Sequence[str]) -> list[bytes]:
    """The held-out pictures as PNG. Errors: OSError naming a picture that is missing."""
    folder = assignment.folder / TRUTH / HELD_OUT_FOLDER
    return [_png(Image.open(folder / file)) for file in files]


def altered_pictures(assignment: Assignment, count: int) -> list[bytes]:
    """Unseen pictures as PNG, each with a few pixels changed by chance."""
    chance = random.SystemRandom()
    found = []
    for file in chance.choices(assignment.unseen_files, k=count):
        with Image.open(file) as picture:
            pixels = np.array(picture)
        for _ in range(SPECKS):
            row, column = chance.randrange(pixels.shape[0]), chance.randrange(pixels.shape[1])
            pixels[row, column] = chance.randrange(256)
        found.append(_png(Image.fromarray(pixels)))
    return found


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
