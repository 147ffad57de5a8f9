"""The boxes that a detector considers before non-maximum suppression, as tensors of fixed shape.

torchvision finds them picture by picture, in lists whose lengths depend on the picture. Here the same boxes are found
for a batch at once, and a box that does not count keeps its place with the score 0, as an ONNX graph needs it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.models.detection.ssd import SSD
from torchvision.ops import clip_boxes_to_image, roi_align

from metricloop.delivery.onnx_nms import kept


class Candidates(NamedTuple):
    """boxes: (pictures, boxes, 4) xyxy in pixels; scores: (pictures, boxes), 0 where a box does not count; labels:
    (pictures, boxes), 0 is the background.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class CandidateFinder(nn.Module):
    """Normalised pictures of one size become candidates. threshold: lower scores do not count."""

    model: Any
    iou: float  # above which two boxes of a class are one object
    classes: int  # with the background

    def __init__(self, model: Any, size: int, threshold: float) -> None:
        super().__init__()
        self.model, self.size, self.threshold = model, (size, size), threshold

    def anchors(self, generator: nn.Module, backbone: nn.Module) -> tuple[Tensor, list]:
        """All anchors, one level of the feature maps after the other, and (height, width) of each level.

        They depend on the size of the pictures alone.
        """
        pictures = torch.zeros(1, 3, *self.size)
        levels = list(backbone(pictures).values())
        return generator(ImageList(pictures, [self.size]), levels)[0], [level.shape[-2:] for level in levels]

    def counted(self, scores: Tensor) -> Tensor:
        return torch.where(scores > self.threshold, scores, 0)


class SingleStage(CandidateFinder):
    """FCOS and RetinaNet: the best points or anchors of each level."""

    points: Tensor

    def __init__(self, model: FCOS | RetinaNet, size: int, threshold: float) -> None:
        super().__init__(model, size, threshold)
        anchors, shapes = self.anchors(model.anchor_generator, model.backbone)
        per_place = model.anchor_generator.num_anchors_per_location()[0]
        self.per_level = [height * width * per_place for height, width in shapes]
        self.register_buffer("points", anchors, persistent=False)
        self.iou = model.nms_thresh
        self.classes = model.head.classification_head.num_classes

    def forward(self, pictures: Tensor) -> Candidates:
        heads = self.model.head(list(self.model.backbone(pictures).values()))
        scores = heads["cls_logits"].sigmoid()
        if "bbox_ctrness" in heads:
            scores = (scores * heads["bbox_ctrness"].sigmoid()).sqrt()
        levels = zip(
            scores.split(self.per_level, dim=1),
            heads["bbox_regression"].split(self.per_level, dim=1),
            self.points.split(self.per_level),
            strict=True,
        )
        return Candidates(*(torch.cat(parts, dim=1) for parts in zip(*map(self._best, levels), strict=True)))

    def _best(self, level: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        scores, codes, anchors = level
        flat = self.counted(scores.flatten(1))
        best, index = flat.topk(min(self.model.topk_candidates, flat.shape[1]))
        place = index // self.classes
        codes = codes.gather(1, place[..., None].expand(-1, -1, 4))
        boxes = _decode(self.model.box_coder, codes, anchors[place])
        return clip_boxes_to_image(boxes, self.size), best, index % self.classes


class Ssd(CandidateFinder):
    """SSD: the best anchors of each class."""

    boxes: Tensor

    def __init__(self, model: SSD, size: int, threshold: float) -> None:
        super().__init__(model, size, threshold)
        anchors, _ = self.anchors(model.anchor_generator, model.backbone)
        self.register_buffer("boxes", anchors, persistent=False)
        self.iou = model.nms_thresh
        self.classes = model.head.classification_head.num_columns

    def forward(self, pictures: Tensor) -> Candidates:
        heads = self.model.head(list(self.model.backbone(pictures).values()))
        codes = heads["bbox_regression"]
        boxes = _decode(self.model.box_coder, codes, self.boxes.expand_as(codes))
        boxes = clip_boxes_to_image(boxes, self.size)
        scores = self.counted(heads["cls_logits"].softmax(-1)[..., 1:].transpose(1, 2))  # (pictures, classes, anchors)
        best, index = scores.topk(min(self.model.topk_candidates, scores.shape[2]))
        labels = torch.arange(1, self.classes)[:, None].expand_as(index)
        chosen = boxes.gather(1, index.flatten(1)[..., None].expand(-1, -1, 4))
        return Candidates(chosen, best.flatten(1), labels.flatten(1))


class TwoStage(CandidateFinder):
    """Faster R-CNN: proposals, of which there are always as many as fit, and their classes."""

    boxes: Tensor

    def __init__(self, model: FasterRCNN, size: int, threshold: float) -> None:
        super().__init__(model, size, threshold)
        anchors, shapes = self.anchors(model.rpn.anchor_generator, model.backbone)
        counts = model.rpn.anchor_generator.num_anchors_per_location()
        self.per_level = [height * width * n for (height, width), n in zip(shapes, counts, strict=True)]
        self.register_buffer("boxes", anchors, persistent=False)
        self.iou = model.roi_heads.nms_thresh
        self.classes = model.roi_heads.box_predictor.cls_score.out_features
        pool = model.roi_heads.box_roi_pool
        features = [torch.zeros(1, 1, *shape) for shape in shapes]
        named = dict(zip(model.backbone(torch.zeros(1, 3, *self.size)), features, strict=True))
        pool(named, [anchors[:1]], [self.size])  # sets its scales, which depend on the sizes alone

    def forward(self, pictures: Tensor) -> Candidates:
        features = self.model.backbone(pictures)
        proposals, real = self._proposals(list(features.values()))
        heads = self.model.roi_heads
        logits, codes = heads.box_predictor(heads.box_head(self._pooled(features, proposals)))
        pictures_count, proposals_count = real.shape
        boxes = heads.box_coder.decode(codes, [proposals.flatten(0, 1)])  # (all proposals, classes, 4)
        boxes = clip_boxes_to_image(boxes, self.size)[:, 1:].reshape(pictures_count, -1, 4)
        scores = logits.softmax(-1)[:, 1:].reshape(pictures_count, proposals_count, -1) * real[..., None]
        labels = torch.arange(1, self.classes).expand_as(scores).flatten(1)
        return Candidates(boxes, self.counted(_of_some_size(boxes, scores.flatten(1), 1e-2)), labels)

    def _proposals(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes (pictures, n, 4) that may hold an object, and which of them are real and no padding, (pictures, n)."""
        rpn = self.model.rpn
        objectness, codes = rpn.head(features)
        objectness, codes = concat_box_prediction_layers(objectness, codes)
        objectness = objectness.reshape(-1, len(self.boxes))
        codes = codes.reshape(-1, len(self.boxes), 4)
        begin, parts = 0, []
        for level, count in enumerate(self.per_level):
            best, index = objectness[:, begin : begin + count].topk(min(rpn.pre_nms_top_n(), count))
            parts.append((best, index + begin, torch.full_like(index, level)))
            begin += count
        objectness, index, levels = (torch.cat(column, dim=1) for column in zip(*parts, strict=True))
        chosen = codes.gather(1, index[..., None].expand(-1, -1, 4))
        boxes = clip_boxes_to_image(_decode(rpn.box_coder, chosen, self.boxes[index]), self.size)
        scores = _of_some_size(boxes, objectness.sigmoid(), rpn.min_size)
        scores = scores * kept(boxes, scores, levels, len(self.per_level), rpn.nms_thresh)
        best, index = scores.topk(min(rpn.post_nms_top_n(), scores.shape[1]))
        return boxes.gather(1, index[..., None].expand(-1, -1, 4)), best > 0

    def _pooled(self, features: dict[str, Tensor], proposals: Tensor) -> Tensor:
        """The features of every proposal, taken from the level that fits its size; (all proposals, channels, 7, 7)."""
        pool = self.model.roi_heads.box_roi_pool
        pictures, count, _ = proposals.shape
        picture = torch.arange(pictures)[:, None].expand(pictures, count).reshape(-1, 1)
        rois = torch.cat([picture.to(proposals.dtype), proposals.flatten(0, 1)], dim=1)
        levels = pool.map_levels([proposals.flatten(0, 1)]) if len(pool.scales) > 1 else torch.zeros_like(rois[:, 0])
        pooled = [
            roi_align(features[name], rois, pool.output_size, scale, pool.sampling_ratio)
            * (levels == level)[:, None, None, None]
            for level, (name, scale) in enumerate(zip(pool.featmap_names, pool.scales, strict=False))
        ]
        return torch.stack(pooled).sum(dim=0)


def _decode(coder: Any, codes: Tensor, anchors: Tensor) -> Tensor:
    """Boxes of a batch, (pictures, boxes, 4), by a box coder of torchvision, which takes one list of boxes."""
    decode = getattr(coder, "decode_single", coder.decode)
    return decode(codes.reshape(-1, 4), anchors.reshape(-1, 4)).reshape(codes.shape)


def _of_some_size(boxes: Tensor, scores: Tensor, least: float) -> Tensor:
    """The scores, 0 for boxes with a side below `least` pixels."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return torch.where((sides >= least).all(dim=-1), scores, 0)


FINDERS = {FCOS: SingleStage, RetinaNet: SingleStage, SSD: Ssd, FasterRCNN: TwoStage}
