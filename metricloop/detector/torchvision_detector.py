"""Detectors that torchvision builds itself, and the error of all detectors."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


class DetectorError(ValueError):
    """The detector or its weights cannot be built as asked."""


def from_torchvision(builder: Callable[..., nn.Module]) -> Callable[[int, int, str], nn.Module]:
    """A `build` function for one of torchvision's detectors, without weights of its detection head."""

    def build(classes: int, size: int, weights: str) -> nn.Module:
        backbone = "DEFAULT" if weights == "default" else None
        return builder(weights=None, weights_backbone=backbone, num_classes=classes)

    return build
