"""Networks that turn a picture into a vector: the backbone of the fixed detector, or a classifier of torchvision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models

from metricloop.data.embeddings import unit
from metricloop.data.letterbox import letterbox
from metricloop.detector.detectors import MEAN, STD, DetectorError, build_detector

BACKBONE = "backbone"
BATCH = 64


class EmbedError(ValueError):
    """The network cannot be built, or its weights cannot be loaded."""


class Network(nn.Module, ABC):
    """A network from pictures to vectors (n, d).

    Input: uint8 pictures (n, 3, size, size), and the share of each that is not padding, (n, 2: down, across).
    """

    mean: Tensor
    std: Tensor
    dimensions = 0  # d, set by build_network

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1) * 255, persistent=False)

    def forward(self, pictures: Tensor, filled: Tensor) -> Tensor:
        scaled = (pictures.float() - self.mean) / self.std
        return self.vectors(scaled.contiguous(memory_format=torch.channels_last), filled)

    @abstractmethod
    def vectors(self, pictures: Tensor, filled: Tensor) -> Tensor:
        """Vectors (n, d) of normalised pictures."""


class Backbone(Network):
    """The mean features of each of a detector's last stages, concatenated; padding is left out."""

    def __init__(self, stem: nn.Module, stages: Iterable[nn.Module]) -> None:
        super().__init__()
        self.stem, self.stages = stem, nn.ModuleList(stages)

    def vectors(self, pictures: Tensor, filled: Tensor) -> Tensor:
        x, means = self.stem(pictures), []
        for stage in self.stages:
            x = stage(x)
            means.append(_mean(x, filled))
        return torch.cat(means, dim=1)


class Classifier(Network):
    """The input of the last linear layer of a classifier."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        linear = [module for module in net.modules() if isinstance(module, nn.Linear)]
        self.net, self.seen = net, list[Tensor]()
        linear[-1].register_forward_pre_hook(lambda module, given: self.seen.append(given[0]))

    def vectors(self, pictures: Tensor, filled: Tensor) -> Tensor:
        self.seen.clear()
        self.net(pictures)
        return self.seen.pop().flatten(1)


def build_network(name: str, weights: str, size: int, *, detector: str, detector_weights: str) -> Network:
    """Build a network. name: "backbone" for that of the fixed detector, or a classification model of torchvision.

    weights: "default" (those of the detector; for torchvision its download), "none" (random with a fixed seed) or the
    path of a state dict. Errors: EmbedError; for an unknown name it suggests the nearest one.
    """
    torch.manual_seed(0)
    try:
        if name == BACKBONE:
            given = detector_weights if weights == "default" else weights
            network: Network = _of_detector(build_detector(detector, 1, size, given, seed=0))
        else:
            network = Classifier(_torchvision(name, weights))
    except DetectorError as error:
        raise EmbedError(f"embed.weights: {str(error).removeprefix('train.weights: ')}") from None
    network.eval().to(memory_format=torch.channels_last)
    try:  # some networks take only one size
        with torch.inference_mode():
            made = network(torch.zeros(1, 3, size, size, dtype=torch.uint8), torch.ones(1, 2))
    except (RuntimeError, AssertionError, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise EmbedError(f"embed.image_size: {name} takes no pictures of {size} pixels ({said[0][:120]})") from None
    network.dimensions = made.shape[1]
    return network


Prepared = tuple[np.ndarray, tuple[float, float]]  # a square picture, and the share of it that is not padding


def prepare(picture: np.ndarray, size: int) -> Prepared:
    """Resize and pad a picture (H, W, 3) uint8 RGB for the network."""
    height, width = picture.shape[:2]
    side = max(height, width)
    return letterbox(picture, size), (height / side, width / side)


@torch.inference_mode()
def embed(network: Network, pictures: Iterable[Prepared], device: torch.device) -> Iterator[np.ndarray]:
    """Yield a vector (d,) float32 of length 1 for each picture, in order. Works in batches."""
    network.to(device)
    stream = iter(pictures)
    while batch := list(islice(stream, BATCH)):
        images = torch.from_numpy(np.stack([canvas for canvas, _ in batch])).permute(0, 3, 1, 2)
        filled = torch.tensor([share for _, share in batch], dtype=torch.float32)
        yield from unit(network(images.to(device), filled.to(device)).float().cpu().numpy())


def _mean(features: Tensor, filled: Tensor) -> Tensor:
    """Mean over the cells inside the picture, (n, c); a cell on its edge counts in part."""
    shares = []
    for axis in (0, 1):
        cells = features.shape[2 + axis]
        held = filled[:, axis : axis + 1] * cells - torch.arange(cells, device=features.device)
        shares.append(held.clamp(0, 1))
    weight = shares[0][:, None, :, None] * shares[1][:, None, None, :]
    return (features * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))


def _of_detector(model: nn.Module) -> Backbone:
    """The trained stages of a detector's backbone, without its feature pyramid."""
    backbone: Any = model.backbone
    if hasattr(backbone, "stages"):  # ours
        return Backbone(backbone.stem, backbone.stages)
    body = getattr(backbone, "body", None)
    if body is None:  # SSDLite: the two parts of its MobileNet, without the extra layers of the detector
        return Backbone(nn.Identity(), backbone.features)
    kept = set(body.return_layers)
    parts: list[list[nn.Module]] = [[]]
    for name, layer in body.items():
        parts[-1].append(layer)
        if name in kept:
            parts.append([])
    return Backbone(nn.Identity(), [nn.Sequential(*part) for part in parts if part])


def _torchvision(name: str, weights: str) -> nn.Module:
    known = models.list_models(module=models)
    if name not in known:
        near = get_close_matches(name, [BACKBONE, *known], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"give {BACKBONE} or a classifier of torchvision (resnet18)"
        raise EmbedError(f"embed.model: unknown network {name!r}; {hint}")
    net = models.get_model(name, weights="DEFAULT" if weights == "default" else None)
    if not any(isinstance(module, nn.Linear) for module in net.modules()):
        raise EmbedError(f"embed.model: {name} does not end in a linear layer, whose input would be the vector")
    if weights not in ("default", "none"):
        path = Path(weights)
        if not path.is_file():
            raise EmbedError(f"embed.weights: {path} does not exist; give default, none or the path of a state dict")
        try:
            net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except RuntimeError as error:
            raise EmbedError(f"embed.weights: {path} is not a state dict of {name}: {str(error)[:300]}") from None
    return net
