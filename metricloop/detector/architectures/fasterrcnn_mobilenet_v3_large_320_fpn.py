"""Faster R-CNN on MobileNetV3-large at 320 pixels, by torchvision."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.ops import MultiScaleRoIAlign

from metricloop.detector.torchvision_detector import from_torchvision


class KernelRoIAlign(MultiScaleRoIAlign):
    """torchvision's, which uses its kernel for GPUs in repeatable runs too.

    There torchvision takes a version in Python instead: with batches of 16 pictures of 320 px, training then holds 27
    GiB in place of 3 and is a third as fast (H200). The kernel's gradients differ in the last digits from run to run,
    so two trainings with one seed end with other weights.
    """

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        if not boxes[0].is_cuda:
            return super().forward(x, boxes, image_shapes)
        repeatable = torch.are_deterministic_algorithms_enabled()
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        torch.use_deterministic_algorithms(False)
        try:
            return super().forward(x, boxes, image_shapes)
        finally:
            torch.use_deterministic_algorithms(repeatable, warn_only=warn_only)


def build(classes: int, size: int, weights: str) -> nn.Module:
    """The detector, without weights of its detection head."""
    warnings.filterwarnings("ignore", "roi_align_backward_kernel does not have a deterministic implementation")
    model = from_torchvision(fasterrcnn_mobilenet_v3_large_320_fpn)(classes, size, weights)
    heads: Any = model.roi_heads
    pool = heads.box_roi_pool
    heads.box_roi_pool = KernelRoIAlign(pool.featmap_names, pool.output_size, pool.sampling_ratio)
    return model
