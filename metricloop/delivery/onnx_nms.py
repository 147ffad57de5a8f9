"""Non-maximum suppression for a batch of pictures, in torch and as nodes of an ONNX graph.

torchvision's own works on one picture and returns as many rows as it keeps. This one keeps the shape of its input, so
that the rest of the graph has fixed shapes and takes any number of pictures.
"""

from __future__ import annotations

from typing import Any

import torch
from onnxscript import opset18
from torch import Tensor
from torchvision.ops import batched_nms

OPSET = 18
op: Any = opset18  # its types know tensors alone, not the numbers that become constants
ALL = 2**63 - 1  # no limit for the number of boxes per class


@torch.library.custom_op("metricloop::kept", mutates_args=())
def kept(boxes: Tensor, scores: Tensor, labels: Tensor, classes: int, iou: float) -> Tensor:
    """Which boxes no better box of the same class and picture overlaps by more than `iou`, (pictures, boxes) bool.

    boxes: (pictures, boxes, 4) xyxy; scores: (pictures, boxes), 0 for boxes that do not count; labels: (pictures,
    boxes) int64, below `classes`.
    """
    result = torch.zeros_like(scores, dtype=torch.bool)
    for picture in range(len(boxes)):
        rows = torch.where(scores[picture] > 0)[0]
        best = batched_nms(boxes[picture, rows], scores[picture, rows], labels[picture, rows], iou)
        result[picture, rows[best]] = True
    return result


@kept.register_fake
def _(boxes: Tensor, scores: Tensor, labels: Tensor, classes: int, iou: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


def kept_in_onnx(boxes, scores, labels, classes: int, iou: float):
    """The same as nodes: ONNX suppresses within each class, so every box gets a score in its own class only."""
    of_class = op.OneHot(labels, op.Constant(value_ints=[classes]), op.Constant(value_floats=[0.0, 1.0]), axis=1)
    per_class = op.Unsqueeze(scores, op.Constant(value_ints=[1])) * of_class  # (pictures, classes, boxes)
    chosen = op.NonMaxSuppression(  # rows of (picture, class, box)
        boxes,
        per_class,
        op.Constant(value_ints=[ALL]),
        op.Constant(value_floats=[iou]),
        op.Constant(value_floats=[0.0]),
    )
    where = op.Gather(chosen, op.Constant(value_ints=[0, 2]), axis=1)
    count = op.Shape(chosen, start=0, end=1)
    marks = op.Expand(op.Constant(value_floats=[1.0]), count)
    return op.ScatterND(scores * 0.0, where, marks) > 0.5


TRANSLATIONS: dict[Any, Any] = {torch.ops.metricloop.kept.default: kept_in_onnx}
