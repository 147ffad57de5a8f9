"""FCOS on a small ShuffleNetV2 pyramid: the detector for studies on a CPU, with weights that ship with metricloop.

As in torchvision, the early layers of a pretrained backbone do not learn: the stem and the first stage, with the
statistics of their batch normalisation. That saves a quarter of the time, and mAP stays the same on real photos. With
the small weights `drawn`, mAP on drawn scenes fell from 0.30 to 0.20, so there all layers learn, as without weights.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import shufflenet_v2_x0_5
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.shufflenetv2 import InvertedResidual
from torchvision.ops import FeaturePyramidNetwork

from metricloop.detector.batched_fcos import BatchedFCOS, KeptAnchors
from metricloop.detector.torchvision_detector import DetectorError

FROZEN = ("stem", "stages.0")  # parts of a backbone pretrained on photos that do not learn

# The distances from a point to the sides of its box that an untrained head predicts, in strides. They pass a ReLU, and
# torchvision begins at zero: with some seeds all four are negative then, get no gradient, and never learn.
FIRST_DISTANCE = 1.0


class ShuffledBlock(InvertedResidual):
    """torchvision's block of a ShuffleNet, whose output stays in channels_last: one copy in place of four."""

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, changed = x.chunk(2, dim=1)
            halves = kept, self.branch2(changed)
        else:
            halves = self.branch1(x), self.branch2(x)
        # alternating channels of both: concatenation and shuffle at once
        return torch.stack([half.permute(0, 2, 3, 1) for half in halves], dim=-1).flatten(3).permute(0, 3, 1, 2)


class ShuffleNetPyramid(nn.Module):
    """ShuffleNetV2-x0.5 (350 k parameters) with a small feature pyramid at strides 8, 16 and 32."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        net = shufflenet_v2_x0_5(weights=None, inverted_residual=ShuffledBlock)
        self.stem = nn.Sequential(net.conv1, net.maxpool)
        self.stages = nn.ModuleList([net.stage2, net.stage3, net.stage4])
        self.fpn = FeaturePyramidNetwork([48, 96, 192], channels)
        self.out_channels = channels
        self.frozen: list[nn.Module] = []

    def freeze(self, names: tuple[str, ...]) -> None:
        """Parts that from now on do not learn, and use the stored statistics of their batch normalisation."""
        self.frozen = [self.get_submodule(name) for name in names]
        for part in self.frozen:
            part.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> ShuffleNetPyramid:
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        x = self._stem(x)
        features = OrderedDict()
        for level, stage in enumerate(self.stages):
            x = stage(x)
            features[str(level)] = x
        return self.fpn(features)

    def _stem(self, x: Tensor) -> Tensor:
        """The stem. Where its batch normalisation is fixed, it is part of the convolution: one large copy less.

        ReLU comes after pooling then, which gives the same values from a quarter of the work.
        """
        first: Any = self.stem[0]
        convolution, normalise, relu = first
        if normalise.training:
            return self.stem(x)
        return relu(self.stem[1](fuse_conv_bn_eval(convolution, normalise)(x)))

    def load_backbone(self, state: dict[str, Tensor]) -> None:
        """Load a shufflenet_v2_x0_5 state dict in torchvision's names; conv5 and fc are not needed."""
        renamed = {
            name.replace("conv1.", "stem.0.", 1) if name.startswith("conv1.") else _stage_name(name): value.float()
            for name, value in state.items()
            if name.startswith(("conv1.", "stage"))
        }
        result = self.load_state_dict(renamed, strict=False)
        missing = [name for name in result.missing_keys if not name.startswith("fpn.")]
        if missing or result.unexpected_keys:
            raise DetectorError(
                f"these are not ShuffleNetV2-x0.5 backbone weights: {len(missing)} tensors missing "
                f"(first: {missing[:1]}), {len(result.unexpected_keys)} unknown"
            )


def _stage_name(name: str) -> str:
    stage, _, rest = name.partition(".")
    return f"stages.{int(stage.removeprefix('stage')) - 2}.{rest}"


def build(classes: int, size: int, weights: str) -> nn.Module:
    """The detector for `classes` classes, background included. Errors: DetectorError for weights: default."""
    backbone = ShuffleNetPyramid()
    if weights == "default":
        raise DetectorError("fcos_shufflenet has no torchvision download; use weights: drawn, none or a path")
    anchors = KeptAnchors(sizes=((8,), (16,), (32,)), aspect_ratios=((1.0,),) * 3)
    head = FCOSHead(backbone.out_channels, anchors.num_anchors_per_location()[0], classes, num_convs=2)
    nn.init.constant_(head.regression_head.bbox_reg.bias, FIRST_DISTANCE)
    for layer in head.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = True  # group normalisation, before it, does not need its own result to learn
    return BatchedFCOS(backbone, classes, anchor_generator=anchors, head=head, detections_per_img=100)
