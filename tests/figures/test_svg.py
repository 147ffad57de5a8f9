"""Figures as SVG: scales, histograms, change bars."""

import math
import re

import numpy as np
import pytest

from metricloop.figures import svg


def test_scale_has_round_ticks_and_holds_zero() -> None:
    axis = svg.scale([0.03, 0.16])
    assert np.allclose(axis.ticks, [0.0, 0.05, 0.1, 0.15])  # span 0.18 in about 8 steps: 0.05 is the next round one
    assert axis.at(axis.low) == "0.00%"
    assert axis.at(axis.high + 1) == "100.00%"


def test_histogram_counts_kept_and_left() -> None:
    drawn = svg.histogram(np.array([1.0, 1.0, 2.0, 2.0, 2.0]), np.array([True, False, True, True, True]), "h")
    assert re.findall(r"<title>(.*?)</title>", drawn) == ["1: 2, of them 1 kept", "2: 3, of them 3 kept"]
    spread = svg.histogram(np.linspace(0, 1, 200), np.zeros(200, bool), "h")
    counts = [int(n) for n in re.findall(r": (\d+), of them 0 kept", spread)]
    assert len(counts) == svg.BINS
    assert sum(counts) == 200


@pytest.mark.parametrize(
    ("ratio", "x", "width"), [(2.0, "50.0%", "50.0%"), (0.5, "0.0%", "50.0%"), (math.sqrt(2), "50.0%", "25.0%")]
)
def test_change_bar_is_logarithmic(ratio: float, x: str, width: str) -> None:
    assert f'x="{x}" y="2" width="{width}"' in svg.change_bar(ratio)
