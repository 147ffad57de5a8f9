"""A detector folder: detector.json (what the detector is, and how it came about) and weights.pt (its state dict)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metricloop.data.tables import read_json, replacing, write_json

if TYPE_CHECKING:
    from torch import Tensor

FACTS = "detector.json"
WEIGHTS = "weights.pt"
# Without these keys of detector.json a detector cannot be built or its output not be named.
NEEDED = (
    "name", "version", "architecture", "image_size", "classes", "category_ids", "score_threshold", "max_detections",
)  # fmt: skip


class DetectorFolderError(ValueError):
    """A folder holds no usable detector; the message says what was found and what to do."""


def write_detector(folder: Path, facts: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write both files into `folder`. facts: the content of detector.json; state: the detector's state dict."""
    import torch

    with replacing(folder / WEIGHTS) as temporary:
        torch.save(dict(state), temporary)
    write_json(folder / FACTS, dict(facts))


def is_detector(folder: Path) -> bool:
    """Whether a folder is a detector folder."""
    return (folder / FACTS).is_file()


def read_facts(folder: Path) -> dict[str, Any]:
    """The content of detector.json. Errors: DetectorFolderError."""
    path = folder / FACTS
    if not path.is_file():
        raise DetectorFolderError(
            f"{folder} is not a detector folder: it has no {FACTS}; `metricloop promote` makes one"
        )
    try:
        facts = read_json(path)
    except ValueError as error:
        raise DetectorFolderError(f"{path} is not valid JSON ({error}); restore it, or promote the arm again") from None
    missing = [key for key in NEEDED if not isinstance(facts, dict) or key not in facts]
    if missing:
        raise DetectorFolderError(f"{path} lacks {', '.join(missing)}; restore it, or promote the arm again")
    return facts


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The state dict of a detector folder. Errors: DetectorFolderError when it is missing or damaged."""
    import pickle

    import torch

    path = folder / WEIGHTS
    if not path.is_file():
        raise DetectorFolderError(f"{path} does not exist; restore it, or promote the arm again")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]  # an empty file gives an error without words
        raise DetectorFolderError(f"{path} cannot be read ({reason}); restore it") from None
