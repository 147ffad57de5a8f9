"""torchvision's FCOS for batches of pictures of one size: the same losses and detections with fewer operations.

torchvision assigns objects to points picture by picture, because its pictures differ in size, and decodes all points
where only those on objects count.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pad_sequence
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

BACKGROUND = -1  # instead of the index of an object


class KeptAnchors(AnchorGenerator):
    """Anchors that are computed once per size of the feature maps; all pictures share them."""

    def __init__(self, sizes: tuple[tuple[int], ...], aspect_ratios: tuple[tuple[float], ...]) -> None:
        super().__init__(sizes, aspect_ratios)
        self._kept: dict[tuple, Tensor] = {}

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        first = feature_maps[0]
        shapes = [tuple(level.shape[-2:]) for level in feature_maps]
        key = (tuple(image_list.tensors.shape[-2:]), *shapes, first.dtype, first.device)
        if key not in self._kept:
            with torch.inference_mode(False):  # training may use them later
                self._kept[key] = super().forward(image_list, feature_maps)[0]
        return [self._kept[key]] * len(image_list.image_sizes)


class BatchedFCOS(FCOS):
    """FCOS whose pictures all have one size."""

    def compute_loss(
        self,
        targets: list[dict[str, Tensor]],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        num_anchors_per_level: list[int],
    ) -> dict[str, Tensor]:
        """The three losses, each a sum over the points on objects (classification: all points), per such point.

        targets: per picture, boxes (m, 4) xyxy and labels (m,). head_outputs: (pictures, points, values).
        """
        points = anchors[0]
        boxes = pad_sequence([target["boxes"] for target in targets], batch_first=True)
        labels = pad_sequence([target["labels"] for target in targets], batch_first=True)
        matched = assign(boxes, points, num_anchors_per_level, self.center_sampling_radius)
        picture, point = torch.where(matched != BACKGROUND)
        count = max(1, len(point))
        objects = matched[picture, point]
        wanted = boxes[picture, objects]

        logits = head_outputs["cls_logits"]
        classes = torch.zeros_like(logits)
        classes[picture, point, labels[picture, objects]] = 1
        points = points[point]
        found = self.box_coder.decode(head_outputs["bbox_regression"][picture, point], points)
        left, top, right, bottom = self.box_coder.encode(points, wanted).unbind(dim=-1)
        centred = torch.sqrt(
            torch.minimum(left, right) / torch.maximum(left, right)
            * (torch.minimum(top, bottom) / torch.maximum(top, bottom))
        )  # fmt: skip
        centredness = head_outputs["bbox_ctrness"][picture, point, 0]
        return {
            "classification": sigmoid_focal_loss(logits, classes, reduction="sum") / count,
            "bbox_regression": generalized_box_iou_loss(found, wanted, reduction="sum") / count,
            "bbox_ctrness": binary_cross_entropy_with_logits(centredness, centred, reduction="sum") / count,
        }


def assign(boxes: Tensor, points: Tensor, per_level: list[int], radius: float) -> Tensor:
    """The index of the object that each point of each picture has to find, or BACKGROUND; (pictures, points).

    boxes: (pictures, m, 4) xyxy, padded with zeros. points: (points, 4), squares as wide as their level's stride, one
    level after the other. An object belongs to the points inside it that are less than `radius` strides from its centre
    and from which its farthest side is 4 to 8 strides away (first level: less than 8; last level: more than 4). Where
    objects overlap, the smallest counts.
    """
    if boxes.shape[1] == 0:
        return points.new_full((len(boxes), len(points)), BACKGROUND, dtype=torch.int64)
    centres = (points[:, :2] + points[:, 2:]) / 2
    strides = points[:, 2] - points[:, 0]
    nearest, farthest = strides * 4, strides * 8
    nearest[: per_level[0]] = 0
    farthest[-per_level[-1] :] = float("inf")

    low, high = boxes[:, None, :, :2], boxes[:, None, :, 2:]  # (pictures, 1, m, 2)
    here = centres[None, :, None]
    sides = torch.cat([here - low, high - here], dim=-1)  # (pictures, points, m, 4)
    reach = sides.amax(dim=-1)
    central = (here - (low + high) / 2).abs().amax(dim=-1) < radius * strides[:, None]
    fits = central & (sides.amin(dim=-1) > 0) & (reach > nearest[:, None]) & (reach < farthest[:, None])
    areas = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    smallest, index = (fits * (1e8 - areas)[:, None]).max(dim=-1)
    return torch.where(smallest < 1e-5, BACKGROUND, index)
