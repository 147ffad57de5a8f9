"""Detectors that find different things on different pictures without having learnt anything."""

from __future__ import annotations

import torch
from torch import nn

CLASS_LAYERS = ("cls_logits", "cls_score", "classification_head.module_list")


def liven(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give a new detector random weights that are large enough for its scores to differ from box to box.

    The layers of a new head are nearly zero, so that all scores are equal, and equal scores have no order.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if any(layer in name for layer in CLASS_LAYERS) and weights.ndim > 1:
                fan_in = weights[0].numel()
                weights.copy_(torch.randn(weights.shape, generator=random) * 4 / fan_in**0.5)
            elif "bias" in name:
                weights.add_(torch.randn(weights.shape, generator=random) * 0.1)
        _calibrate(model, random)
    return model.eval()


def _calibrate(model: nn.Module, random: torch.Generator) -> None:
    """Fit the batch normalisation to random pictures: without it, all pictures look alike to a deep new network."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    model.backbone.train()
    model.backbone(torch.randn(4, 3, 128, 128, generator=random).cumsum(3) / 4)
