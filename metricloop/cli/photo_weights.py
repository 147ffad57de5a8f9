"""A word to people whose photos would start from the weights of drawn animals: what to give instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.loading import load
from metricloop.data.pictures import read_picture
from metricloop.params import load_params
from metricloop.text.shell import run_line

FLAT = 0.5  # share of equal neighbouring pixels of a drawing; photos of products on white have up to 0.8
COLOURS = 60  # that make up 80% of a picture without its background: 2 to 45 in drawings, 50 to 500 in 9 of 10 photos
PICTURES = 9  # that are looked at
FILE = "shufflenetv2_x0.5-f707e7126e.pth"  # of torchvision's ShuffleNet_V2_X0_5_Weights


def advice(folder: Path) -> list[str]:
    """Lines that say what to give instead of the weights `drawn`; [] if others are set, or the pictures are drawn."""
    params = load_params(folder / layout.PARAMS)
    if params.train.weights != "drawn" or drawn(load(folder / layout.DATA, folder / params.data.folder)):
        return []
    return [
        "",
        "warning: these look like photos, but the detector would start from drawn animals.",
        "Better: weights from photos, 5 MB of torchvision's, before the first run:",
        f"  curl -LO https://download.pytorch.org/models/{FILE}",
        f"  {run_line(folder, '--set')} train.weights=$PWD/{FILE}",
        "or a larger detector that brings such weights: see --detector in metricloop init --help",
        "",
    ]


def drawn(data: Dataset) -> bool:
    """Whether most pictures have large areas of one colour and few colours, as icons and screenshots have.

    A photo of a thing on white has large areas of one colour, too, but the thing itself has many shades.
    """
    found = []
    for row in np.unique(np.linspace(0, len(data) - 1, PICTURES).astype(int)) if len(data) else []:
        try:
            picture = read_picture(data.root / str(data.file[row]), str(data.sha256[row]))
        except (OSError, ValueError):
            continue
        found.append((picture[:, 1:] == picture[:, :-1]).all(axis=2).mean() >= FLAT and _colours(picture) < COLOURS)
    return bool(found) and 2 * sum(found) > len(found)


def _colours(picture: np.ndarray) -> int:
    """How many colours make up 80% of the pixels that do not have the commonest colour; 8 levels count as one."""
    steps = (picture[..., :3] >> 3).reshape(-1, 3).astype(np.int64) @ np.array([1 << 10, 1 << 5, 1])
    rest = np.sort(np.bincount(steps))[-2::-1].cumsum()
    return int(np.searchsorted(rest, 0.8 * rest[-1])) + 1 if len(rest) else 0
