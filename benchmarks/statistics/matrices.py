"""Studies as whole matrices of seeds x images: whether the estimate counts each part of the error once."""

from __future__ import annotations

import numpy as np
from check_equal import covariance_of_means
from hierarchical import BASE_SD
from many_studies import Studies, take_looks
from tallies import ONE_SMALL, Tally, null_bars, table

from metricloop.comparison.statistics import draw_weights

ARMS, SEEDS, BASE_SEEDS, IMAGES, DRAWS = 5, 3, 12, 100, 200
LEVEL = 0.3


def image_studies(studies: int) -> None:
    """Error rate and coverage of matrices with effects of seeds, of images, and of both together."""
    print(
        "### Whole matrices of seeds x images: is each part of the error counted once?\n\n"
        f"{ARMS} arms without a gain over all images of the kind, {IMAGES} images in the split; {SEEDS} seeds of an "
        f"arm, {BASE_SEEDS} of the baseline; {studies:,} studies a line; numbers are standard deviations.\n"
    )
    own = np.repeat(np.arange(ARMS + 1), [SEEDS] * ARMS + [BASE_SEEDS])  # the arm of every trial
    weights = (own == np.arange(ARMS + 1)[:, None]).astype(float)[None]
    rows = []
    for seed_sd, image_sd, cross_sd in ((0.014, 0.0, 0.0), (0.01, 0.06, 0.0), (0.01, 0.0, 0.15), (0.01, 0.06, 0.15)):
        rng = np.random.default_rng(13)
        values = np.zeros((studies, ARMS + 1, BASE_SEEDS))
        covariance = np.zeros((studies, ARMS + 1, ARMS + 1))
        for study in range(studies):
            favour = image_sd * rng.standard_normal((ARMS + 1, IMAGES)) / np.sqrt(2)
            matrix = LEVEL + favour[own] + cross_sd * rng.standard_normal((len(own), IMAGES))
            matrix += np.where(own == ARMS, BASE_SD, seed_sd)[:, None] * rng.standard_normal((len(own), 1))
            drawn = draw_weights(np.arange(IMAGES), DRAWS, rng) / IMAGES @ matrix.T
            covariance[study] = covariance_of_means(np.cov(drawn, rowvar=False), weights)[0]
            for arm in range(ARMS + 1):
                found = matrix[own == arm].mean(axis=1)
                values[study, arm, : len(found)] = found
        seen = take_looks(Studies(values, lambda _n, _n0, cov=covariance: cov, IMAGES), ONE_SMALL)
        tally = Tally()
        tally.add(seen, np.zeros(ARMS))
        where = f"seeds {seed_sd}, images {image_sd}, both {cross_sd}"
        null_bars(tally, "matrices of seeds x images", where, "3/12")
        rows.append([f"{seed_sd}", f"{image_sd}", f"{cross_sd}", *tally.row()])
    table(["seeds", "images, of a gain", "seeds x images", "false verdicts", "covered"], rows)
