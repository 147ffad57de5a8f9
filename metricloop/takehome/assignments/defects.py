"""The assignment of images: what defect a small picture of a metal surface shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from metricloop.takehome.assignments.files import write_rows, write_text
from metricloop.takehome.assignments.surfaces import DEFECTS, draw, png

TEXT = Path(__file__).with_name("defects.md")
TRAIN, HELD_OUT, UNSEEN = 600, 120, 200
SHARES = {"none": 0.4, "scratch": 0.25, "dent": 0.2, "stain": 0.15}
NOISE = 0.03  # share of pictures whose label is drawn at random


def write(folder: Path, seed: int = 0) -> None:
    """Write the assignment into a folder: ASSIGNMENT.md, data/ and truth/."""
    chance = np.random.RandomState(seed)
    write_text(folder / "ASSIGNMENT.md", TEXT.read_text(encoding="utf-8"))
    _write_part(chance, folder / "data" / "train", folder / "data" / "train.csv", "file", TRAIN)
    _write_part(chance, folder / "truth" / "held_out", folder / "truth" / "held_out.csv", "file", HELD_OUT)
    _write_part(chance, folder / "data" / "unseen", folder / "truth" / "unseen.csv", "item", UNSEEN)


def _write_part(chance: np.random.RandomState, pictures: Path, table: Path, column: str, count: int) -> None:
    """Write the pictures of a part, and a table of their labels. File names say nothing about the labels."""
    pictures.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, label in enumerate(_labels(chance, count)):
        name = f"{number:04}.png"
        (pictures / name).write_bytes(png(draw(chance, label)))
        if chance.uniform() < NOISE:
            label = list(SHARES)[chance.randint(len(SHARES))]
        rows.append((name, label))
    write_rows(table, (column, "label"), rows)


def _labels(chance: np.random.RandomState, count: int) -> Sequence[str]:
    bounds = np.cumsum(list(SHARES.values()))
    names = list(DEFECTS)
    assert names == list(SHARES)
    return [names[min(int(np.searchsorted(bounds, share)), len(names) - 1)] for share in chance.uniform(size=count)]
