"""Write a detector as an ONNX graph, from a batch of uint8 pictures to boxes after non-maximum suppression."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from metricloop.delivery.onnx_candidates import FINDERS, CandidateFinder, Candidates
from metricloop.delivery.onnx_nms import OPSET, TRANSLATIONS, kept
from metricloop.detector.architectures.fcos_shufflenet import ShuffleNetPyramid
from metricloop.detector.detectors import Normalise

INPUT = "pictures"
OUTPUTS = ("boxes", "scores", "labels")


class OnnxError(RuntimeError):
    """The detector cannot be written as an ONNX graph."""


class Graph(nn.Module):
    """A detector whose input and outputs are plain tensors.

    Input: (n, size, size, 3) uint8 RGB. Outputs: boxes (n, m, 4) xyxy in pixels of the input, scores (n, m) best first,
    labels (n, m) from 0. Every picture has m places; those without a detection have the label -1 and the score 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, find: CandidateFinder, max_detections: int) -> None:
        super().__init__()
        self.find, self.max_detections = find, max_detections
        normalise = Normalise()
        self.register_buffer("mean", normalise.mean, persistent=False)
        self.register_buffer("std", normalise.std, persistent=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found: Candidates = self.find(((pictures.float() - self.mean) / self.std).permute(0, 3, 1, 2))
        scores = found.scores * kept(*found, self.find.classes, self.find.iou)
        # first as many as detector.engine.predict lets torchvision keep, then without the background
        found = _best(found._replace(scores=scores), 2 * self.max_detections)
        found = _best(found._replace(scores=torch.where(found.labels > 0, found.scores, 0)), self.max_detections)
        return found.boxes, found.scores, torch.where(found.scores > 0, found.labels - 1, -1)


def _best(found: Candidates, most: int) -> Candidates:
    scores, index = found.scores.topk(min(most, found.scores.shape[1]))
    boxes = found.boxes.gather(1, index[..., None].expand(-1, -1, 4))
    return Candidates(boxes, scores, found.labels.gather(1, index))


def graph_of(model: nn.Module, size: int, score_threshold: float, max_detections: int) -> Graph:
    """The detector with plain tensors as input and outputs; `model` stays as it is.

    Errors: OnnxError for a kind of detector that FINDERS does not know.
    """
    finder = next((finder for kind, finder in FINDERS.items() if isinstance(model, kind)), None)
    if finder is None:
        known = ", ".join(kind.__name__ for kind in FINDERS)
        raise OnnxError(f"{type(model).__name__} cannot be written as ONNX; the kinds that can: {known}")
    model = copy.deepcopy(model).cpu().float().eval()
    if isinstance(model.backbone, ShuffleNetPyramid):  # it fuses two layers on every call, which cannot be traced
        model.backbone._stem = model.backbone.stem.forward  # type: ignore[method-assign]
    with torch.no_grad():
        return Graph(finder(model, size, score_threshold), max_detections).eval()


def export(model: nn.Module, path: Path, *, size: int, score_threshold: float, max_detections: int) -> None:
    """Write `model` to `path` as one file. size: side of the pictures in pixels.

    Errors: OnnxError when the detector cannot be written.
    """
    graph = graph_of(model, size, score_threshold, max_detections)
    pictures = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                graph,
                (pictures,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                custom_translation_table=TRANSLATIONS,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise OnnxError(f"{type(model).__name__} cannot be written as ONNX: {reason}") from error
    assert program is not None  # it is without `dynamo` alone
    program.save(path, external_data=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks, which nobody who bundles a detector can act on."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
