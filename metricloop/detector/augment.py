"""Augment one training picture and its boxes: flip, scale, shift, brightness and contrast.

There are two back ends. Albumentations 2.0 is the last release under MIT and may not be installed; torchvision's
transforms do the same. The two draw different random numbers, so the back end is part of a trial's recipe.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import numpy as np

# (image (S, S, 3) uint8, boxes (n, 4) xyxy, labels (n,), seed) -> the same three, augmented; some boxes may be dropped
Augment = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]

FLIP = 0.5
SCALE = (0.75, 1.25)
SHIFT = 0.1  # of the picture's side
LIGHT = 0.25  # brightness and contrast, relative
MIN_VISIBLE = 0.3  # a box is dropped when less than this share of its area stays in the picture


def choose_backend(wanted: str) -> str:
    """Resolve `auto` to an installed back end. Errors: ModuleNotFoundError when albumentations is missing."""
    installed = importlib.util.find_spec("albumentations") is not None
    if wanted == "auto":
        return "albumentations" if installed else "torchvision"
    if wanted == "albumentations" and not installed:
        raise ModuleNotFoundError("train.augment is albumentations, which is not installed; use auto or torchvision")
    return wanted


def build_augment(backend: str) -> Augment:
    """The augmentation function of a back end: albumentations, torchvision or none."""
    return {"albumentations": _albumentations, "torchvision": _torchvision, "none": _none}[backend]()


def _none() -> Augment:
    return lambda image, boxes, labels, seed: (image, boxes, labels)


def _albumentations() -> Augment:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations as A

    transform = A.Compose(
        [
            A.HorizontalFlip(p=FLIP),
            A.Affine(scale=SCALE, translate_percent=(-SHIFT, SHIFT), keep_ratio=True, p=0.7),
            A.RandomBrightnessContrast(brightness_limit=LIGHT, contrast_limit=LIGHT, p=0.7),
        ],
        bbox_params=A.BboxParams(
            format="pascal_voc",
            label_fields=["labels"],
            min_visibility=MIN_VISIBLE,
            clip=True,
            min_width=1,
            min_height=1,
        ),
    )

    def augment(image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, seed: int):
        transform.set_random_seed(seed)
        out = transform(image=image, bboxes=boxes, labels=labels)
        return (
            out["image"],
            np.asarray(out["bboxes"], dtype=np.float32).reshape(-1, 4),
            np.asarray(out["labels"], dtype=np.int64),
        )

    return augment


def _torchvision() -> Augment:
    import torch
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(FLIP),
            v2.RandomApply([v2.RandomAffine(degrees=0, translate=(SHIFT, SHIFT), scale=SCALE)], p=0.7),
            v2.RandomApply([v2.ColorJitter(brightness=LIGHT, contrast=LIGHT)], p=0.7),
            v2.ClampBoundingBoxes(),
        ]
    )

    def augment(image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, seed: int):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            picture, moved = transform(
                tv_tensors.Image(torch.from_numpy(image.copy()).permute(2, 0, 1)),
                tv_tensors.BoundingBoxes(torch.from_numpy(boxes.copy()), format="XYXY", canvas_size=image.shape[:2]),
            )
        boxes = moved.numpy()
        sides = boxes[:, 2:] - boxes[:, :2]
        kept = (sides >= 1).all(axis=1)
        return picture.permute(1, 2, 0).numpy(), boxes[kept], labels[kept]

    return augment
