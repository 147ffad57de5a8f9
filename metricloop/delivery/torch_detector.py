"""A promoted detector on torch. Its detections are those that the study would compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metricloop.data.letterbox import letterbox
from metricloop.data.pictures import decode
from metricloop.delivery.detector_folder import WEIGHTS, DetectorFolderError, read_facts, read_weights
from metricloop.serving.detector import Found

if TYPE_CHECKING:
    import torch

BATCH = 16  # pictures that pass through the network together, as in the study


class TorchDetector:
    """A detector (serving.detector.Detector) with torch. Not for several threads at the same time."""

    def __init__(self, model: torch.nn.Module, facts: Mapping[str, Any], device: torch.device) -> None:
        self._model, self._facts, self._device = model, facts, device

    @property
    def facts(self) -> Mapping[str, Any]:
        """The content of detector.json."""
        return self._facts

    @property
    def model(self) -> torch.nn.Module:
        """The network itself."""
        return self._model

    def read(self, data: bytes) -> np.ndarray:
        """A picture file as (H, W, 3) uint8 RGB, as ingest reads it. Errors: PictureError, a ValueError."""
        return decode(data)

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Found]:
        """The detections on each picture, in order, with the limits of score and number of the study.

        Errors: ValueError for an array that is no picture.
        """
        from metricloop.detector.engine import predict

        for picture in pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
                raise ValueError(f"a picture is (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
        size = self._facts["image_size"]
        long_sides = np.array([max(picture.shape[:2]) for picture in pictures])
        found = predict(
            self._model,
            range(len(pictures)),
            [letterbox(picture, size) for picture in pictures],
            (size / long_sides).astype(np.float32),  # as detector.pixel_cache.scales
            device=self._device,
            score_threshold=self._facts["score_threshold"],
            max_detections=self._facts["max_detections"],
            batch_size=BATCH,
        )
        return [Found(one.boxes, one.scores, one.labels.astype(np.int64)) for one in found]


def load(folder: Path | str, device: str = "auto", threads: int | None = None) -> TorchDetector:
    """The detector in a detector folder. device: auto, cpu or cuda:N; threads: of torch, by default all cores.

    Errors: DetectorFolderError; DeviceError for a CUDA device that is not there.
    """
    import torch

    from metricloop.detector.detectors import build_detector
    from metricloop.detector.engine import choose_device, settle

    folder = Path(folder)
    facts, state = read_facts(folder), read_weights(folder)
    settle(threads or torch.get_num_threads())
    model = build_detector(facts["architecture"], len(facts["classes"]), facts["image_size"], "none", seed=0)
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise DetectorFolderError(
            f"{folder / WEIGHTS} does not fit {facts['architecture']} with {len(facts['classes'])} classes, as "
            "detector.json says; both files must come from the same promotion"
        ) from None
    return TorchDetector(model.eval(), facts, choose_device(device))
