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

FLAT = 0.5  # share of equal neighbouring pixels, above that of any photo: 0.06 to 0.22 in four sets of photos
PICTURES = 9  # that are looked at
FILE = "shufflenetv2_x0.5-f707e7126e.pth"  # of torchvision's ShuffleNet_V2_X0_5_Weights


def advice(folder: Path) -> list[str]:
    """Lines that say what to give instead; none where the weights are others, or the pictures are flat drawings."""
    params = load_params(folder / layout.PARAMS)
    if params.train.weights != "drawn" or flat(load(folder / layout.DATA, folder / params.data.folder)):
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


def flat(data: Dataset) -> bool:
    """Whether most pictures have large areas of one colour, as drawings have and photos have not."""
    shares = []
    for row in np.unique(np.linspace(0, len(data) - 1, PICTURES).astype(int)) if len(data) else []:
        try:
            picture = read_picture(data.root / str(data.file[row]))
        except (OSError, ValueError):
            continue
        shares.append(float((picture[:, 1:] == picture[:, :-1]).all(axis=2).mean()))
    return bool(shares) and float(np.median(shares)) >= FLAT
