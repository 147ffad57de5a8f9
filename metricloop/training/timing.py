"""Time the study's detector on noise; the estimate of `metricloop run --dry-run` is computed from these times."""

from __future__ import annotations

import time

import numpy as np

from metricloop.params import Params

WARM, TIMED = 3, 12  # iterations before the clock starts, and iterations that are timed
BOXES = [[0.1, 0.1, 0.6, 0.6], [0.3, 0.4, 0.9, 0.9]]  # xyxy, as shares of the image


def time_detector(params: Params, began: float) -> dict[str, float]:
    """Seconds: {"start": from `began` to a built detector, "iteration": of training, "inference": of 100 images}.

    began: when the process began, as time.monotonic() gives it.
    """
    import torch

    from metricloop.detector.augment import build_augment, choose_backend
    from metricloop.detector.detectors import build_detector
    from metricloop.detector.engine import Sample, Schedule, choose_device, fit, predict, settle

    train = params.train
    settle(train.threads)
    size, device = train.image_size, choose_device(train.device)
    model = build_detector(train.detector, 1, size, train.weights, seed=0)
    augment = build_augment(choose_backend(train.augment))
    start = time.monotonic() - began
    pictures = np.random.default_rng(0).integers(0, 255, (train.batch_size, size, size, 3), dtype=np.uint8)
    boxes = np.array(BOXES, np.float32) * size
    ends: list[float] = []
    fit(
        model,
        [Sample(row, boxes, np.zeros(2, np.int64)) for row in range(train.batch_size)],
        pictures,
        augment,
        Schedule(WARM + TIMED, train.batch_size, train.learning_rate, train.amp),
        0,
        device=device,
        progress=lambda iteration, loss, rate: ends.append(time.monotonic()),
    )
    before = time.monotonic()
    with torch.inference_mode():
        predict(
            model, range(train.batch_size), pictures, np.ones(train.batch_size, np.float32),
            device=device, score_threshold=params.evaluate.score_threshold, max_detections=100,
        )  # fmt: skip
    per_image = (time.monotonic() - before) / train.batch_size
    return {"start": start, "iteration": (ends[-1] - ends[WARM - 1]) / TIMED, "inference": per_image * 100}
