"""Write a detector, its server, and what is needed to run them elsewhere, into one folder."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.data.tables import write_json
from metricloop.delivery.agreement import Agreement, agreement
from metricloop.delivery.bundle_code import BundleError, copy_server
from metricloop.delivery.bundle_requirements import pinned, requirements_text
from metricloop.delivery.bundle_texts import write_texts
from metricloop.delivery.detector_folder import FACTS, WEIGHTS, read_facts

MODEL = "model"
GRAPH = "model.onnx"


@dataclass(frozen=True)
class Bundle:
    """A written bundle. agreement: of its ONNX graph with torch; megabytes: of all files."""

    folder: Path
    facts: dict[str, Any]
    agreement: Agreement
    megabytes: float


def make_bundle(detector: Path, target: Path, pictures: Sequence[np.ndarray]) -> Bundle:
    """Write the bundle of a detector folder to `target`, a folder that does not exist or is empty.

    pictures: (H, W, 3) uint8 RGB, at least one, on which the ONNX graph must find the same as torch.
    Nothing is left at `target` when something fails.
    Errors: BundleError; OnnxError; those of a detector folder.
    """
    refuse_occupied(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        facts, agreed = _write_model(detector, part / MODEL, pictures)
        versions = pinned(copy_server(part))
        (part / "requirements.txt").write_text(requirements_text(versions))
        write_texts(part, facts, agreed, versions, python=".".join(platform.python_version_tuple()[:2]))
        for path in (part, *part.rglob("*")):  # mkdtemp and umask may keep the container's user out
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.replace(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    return Bundle(target, facts, agreed, size / 1e6)


def refuse_occupied(target: Path) -> None:
    """Errors: BundleError when `target` is a file, or a folder that holds something."""
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise BundleError(f"{target} is not empty; give a new folder, or remove it first")


def _write_model(detector: Path, folder: Path, pictures: Sequence[np.ndarray]) -> tuple[dict[str, Any], Agreement]:
    """Write weights.pt, model.onnx and detector.json; returns the latter's content."""
    from metricloop.delivery import onnx_detector, torch_detector
    from metricloop.delivery.onnx_export import OPSET, export

    on_torch = torch_detector.load(detector, device="cpu")
    folder.mkdir(parents=True)
    shutil.copyfile(detector / WEIGHTS, folder / WEIGHTS)
    facts = read_facts(detector)
    export(
        on_torch.model,
        folder / GRAPH,
        size=facts["image_size"],
        score_threshold=facts["score_threshold"],
        max_detections=facts["max_detections"],
    )
    facts["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (GRAPH, WEIGHTS)}
    write_json(folder / FACTS, facts)
    agreed = agreement(on_torch, onnx_detector.load(folder), pictures)
    if not agreed.equal:
        raise BundleError(f"the ONNX graph does not find what torch finds ({agreed}); please report this")
    facts["onnx"] = {"opset": OPSET, **vars(agreed)}
    write_json(folder / FACTS, facts)
    return facts, agreed
