"""The fixed detectors of a study: torchvision's, each built by one function from a name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import detection as tv
from torchvision.models import shufflenet_v2_x0_5
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FeaturePyramidNetwork

MEAN = (0.485, 0.456, 0.406)  # ImageNet, RGB in [0, 1]
STD = (0.229, 0.224, 0.225)
CLASS_LAYER = "head.classification_head.cls_logits"  # the part of the small detector that depends on the classes
BUILT_IN = Path(__file__).parent / "backbones"


class DetectorError(ValueError):
    """The detector or its weights cannot be built as asked."""


class Normalise(nn.Module):
    """Stands in for torchvision's transform: batches arrive as one square uint8 tensor and are only normalised.

    torchvision resizes every image on every pass; ours are resized once, when they are loaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1) * 255, persistent=False)

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None):
        batch = torch.stack(tuple(images)).to(self.mean.device).float()
        batch = ((batch - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        size = (batch.shape[-2], batch.shape[-1])
        return ImageList(batch, [size] * len(batch)), targets

    def postprocess(self, detections, image_shapes, original_shapes):
        return detections


class ShuffleNetPyramid(nn.Module):
    """ShuffleNetV2-x0.5 (350 k parameters) with a small feature pyramid at strides 8, 16 and 32."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        net = shufflenet_v2_x0_5(weights=None)
        self.stem = nn.Sequential(net.conv1, net.maxpool)
        self.stages = nn.ModuleList([net.stage2, net.stage3, net.stage4])
        self.fpn = FeaturePyramidNetwork([48, 96, 192], channels)
        self.out_channels = channels

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        x = self.stem(x)
        features = OrderedDict()
        for level, stage in enumerate(self.stages):
            x = stage(x)
            features[str(level)] = x
        return self.fpn(features)

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


def _fcos_shufflenet(classes: int, size: int, weights: str) -> nn.Module:
    backbone = ShuffleNetPyramid()
    if weights == "default":
        raise DetectorError("fcos_shufflenet has no torchvision download; use weights: drawn, none or a path")
    anchors = AnchorGenerator(sizes=((8,), (16,), (32,)), aspect_ratios=((1.0,),) * 3)
    head = FCOSHead(backbone.out_channels, anchors.num_anchors_per_location()[0], classes, num_convs=2)
    return FCOS(backbone, classes, anchor_generator=anchors, head=head, detections_per_img=100)


def _torchvision(builder: Callable[..., nn.Module]) -> Callable[[int, int, str], nn.Module]:
    def build(classes: int, size: int, weights: str) -> nn.Module:
        backbone = "DEFAULT" if weights == "default" else None
        return builder(weights=None, weights_backbone=backbone, num_classes=classes)

    return build


DETECTORS: dict[str, Callable[[int, int, str], nn.Module]] = {
    "fcos_shufflenet": _fcos_shufflenet,
    "ssdlite320_mobilenet_v3_large": _torchvision(tv.ssdlite320_mobilenet_v3_large),
    "fasterrcnn_mobilenet_v3_large_320_fpn": _torchvision(tv.fasterrcnn_mobilenet_v3_large_320_fpn),
    "retinanet_resnet50_fpn_v2": _torchvision(tv.retinanet_resnet50_fpn_v2),
    "fcos_resnet50_fpn": _torchvision(tv.fcos_resnet50_fpn),
}


def build_detector(name: str, n_classes: int, image_size: int, weights: str, seed: int) -> nn.Module:
    """A detector for `n_classes` classes (labels 1..n; 0 is background) with seeded initial weights.

    weights: `none` (from scratch), `drawn` (the small weights that ship with metricloop, trained on drawn
    animals; fcos_shufflenet only), `default` (torchvision's backbone download) or the path of a state dict.
    Errors: DetectorError for an unknown name or weights that do not fit.
    """
    if name not in DETECTORS:
        raise DetectorError(f"unknown detector {name!r}; known: {', '.join(DETECTORS)}")
    torch.manual_seed(seed)
    if weights == "drawn":
        if name != "fcos_shufflenet":
            raise DetectorError(
                f"train.weights: drawn is made for fcos_shufflenet; give {name} default, none or a path"
            )
        weights = str(BUILT_IN / "drawn_animals.pt")
    model = DETECTORS[name](n_classes + 1, image_size, weights)
    if weights not in ("none", "default"):
        _load_weights(model, Path(weights))
    model.transform = Normalise()
    return model.to(memory_format=torch.channels_last)


def _load_weights(model: nn.Module, path: Path) -> None:
    """Load a state dict of this detector (layers of other shapes, such as the classes', are left as they are), or of
    the bare backbone in torchvision's names."""
    if not path.is_file():
        raise DetectorError(f"train.weights: {path} does not exist; give none, drawn, default or the path of a file")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(model.backbone, ShuffleNetPyramid) and not any(name.startswith("backbone.") for name in state):
        model.backbone.load_backbone(state)
        return
    own = model.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    if len(fitting) < len(own) // 2:
        raise DetectorError(f"train.weights: only {len(fitting)} of {len(own)} tensors of this detector are in {path}")
    model.load_state_dict(fitting, strict=False)
