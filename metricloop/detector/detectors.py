"""Build a detector from its name and weights; each detector is one module of detector/architectures."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from metricloop.detector import architectures
from metricloop.detector.torchvision_detector import DetectorError

MEAN = (0.485, 0.456, 0.406)  # ImageNet, RGB in [0, 1]
STD = (0.229, 0.224, 0.225)
CLASS_LAYER = "head.classification_head.cls_logits"  # of fcos_shufflenet: the layer that depends on the classes
BUILT_IN = Path(__file__).parent / "backbones"


class Normalise(nn.Module):
    """Stands in for torchvision's transform: batches arrive as one square uint8 tensor and are only normalised.

    torchvision resizes every image on every pass; ours are resized once, when they are loaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD) * 255, persistent=False)

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None):
        batch = torch.stack([image.permute(1, 2, 0) for image in images]).to(self.mean.device).float()
        lines = batch.flatten(2)  # (n, height, width * 3): whole lines, because arithmetic on threes is slow
        width = batch.shape[2]
        lines.sub_(self.mean.repeat(width)).div_(self.std.repeat(width))
        size = (batch.shape[1], width)
        return ImageList(batch.permute(0, 3, 1, 2), [size] * len(batch)), targets

    def postprocess(self, detections, image_shapes, original_shapes):
        return detections


def build_detector(name: str, n_classes: int, image_size: int, weights: str, seed: int) -> nn.Module:
    """A detector for `n_classes` classes (labels 1..n; 0 is background) with seeded initial weights.

    weights: `none` (from scratch), `drawn` (the small weights that ship with metricloop, trained on drawn
    animals; fcos_shufflenet only), `default` (torchvision's backbone download) or the path of a state dict.
    Errors: DetectorError for an unknown name or weights that do not fit.
    """
    if name not in architectures.NAMES:
        raise DetectorError(f"unknown detector {name!r}; known: {', '.join(architectures.NAMES)}")
    torch.manual_seed(seed)
    frozen = frozen_parts(name, weights)
    if weights == "drawn":
        if name != architectures.DEFAULT:
            raise DetectorError(
                f"train.weights: drawn is made for {architectures.DEFAULT}; give {name} default, none or a path"
            )
        weights = str(BUILT_IN / "drawn_animals.pt")
    build = import_module(f"{architectures.__name__}.{name}").build
    model = build(n_classes + 1, image_size, weights)
    if weights not in ("none", "default"):
        _load_weights(model, Path(weights))
    if frozen:
        model.backbone.freeze(frozen)
    model.transform = Normalise()
    return model.to(memory_format=torch.channels_last)


def frozen_parts(name: str, weights: str) -> tuple[str, ...]:
    """The parts of a detector's backbone that do not learn: FROZEN of its module, if its weights are from photos."""
    module = import_module(f"{architectures.__name__}.{name}")
    return () if weights in ("none", "drawn") else getattr(module, "FROZEN", ())


def _load_weights(model: nn.Module, path: Path) -> None:
    """Load a state dict of this detector, or of its bare backbone in torchvision's names.

    Layers whose shapes differ, such as those that depend on the classes, keep their initial weights.
    """
    if not path.is_file():
        raise DetectorError(f"train.weights: {path} does not exist; give none, drawn, default or the path of a file")
    state = torch.load(path, map_location="cpu", weights_only=True)
    load_backbone = getattr(model.backbone, "load_backbone", None)
    if load_backbone is not None and not any(name.startswith("backbone.") for name in state):
        load_backbone(state)
        return
    own = model.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    if len(fitting) < len(own) // 2:
        raise DetectorError(f"train.weights: only {len(fitting)} of {len(own)} tensors of this detector are in {path}")
    model.load_state_dict(fitting, strict=False)
