"""Time a few iterations of the study's detector on noise: what --dry-run's estimate rests on."""

from __future__ import annotations

import json
import time

BEGAN = time.monotonic()
WARM, TIMED = 3, 12


def main() -> None:
    import numpy as np
    import torch

    from metricloop.detector.augment import build_augment, choose_backend
    from metricloop.detector.detectors import build_detector
    from metricloop.detector.engine import Sample, Schedule, choose_device, fit, predict, settle
    from metricloop.params import load_params
    from metricloop.runtime.stage_start import tell_errors_briefly

    tell_errors_briefly("estimate")
    params = load_params()
    train = params.train
    settle(train.threads)
    size, device = train.image_size, choose_device(train.device)
    model = build_detector(train.detector, 1, size, train.weights, seed=0)
    augment = build_augment(choose_backend(train.augment))
    start = time.monotonic() - BEGAN
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (train.batch_size, size, size, 3), dtype=np.uint8)
    boxes = np.array([[0.1, 0.1, 0.6, 0.6], [0.3, 0.4, 0.9, 0.9]], np.float32) * size
    samples = [Sample(row, boxes, np.zeros(2, np.int64)) for row in range(train.batch_size)]
    stamps: list[float] = []
    fit(
        model,
        samples,
        pictures,
        augment,
        Schedule(WARM + TIMED, train.batch_size, train.learning_rate, train.amp),
        0,
        device=device,
        progress=lambda iteration, loss, rate: stamps.append(time.monotonic()),
    )
    began = time.monotonic()
    with torch.inference_mode():
        predict(
            model, range(train.batch_size), pictures, np.ones(train.batch_size, np.float32),
            device=device, score_threshold=params.evaluate.score_threshold, max_detections=100,
        )  # fmt: skip
    per_image = (time.monotonic() - began) / train.batch_size
    iteration = (stamps[-1] - stamps[WARM - 1]) / TIMED
    print(json.dumps({"start": start, "iteration": iteration, "inference": per_image * 100}))


if __name__ == "__main__":
    main()
