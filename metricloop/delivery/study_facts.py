"""What a study says of the arm behind a promoted detector: its recipe, and its numbers on the test split."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison, read_confirmation
from metricloop.data.dataset import Dataset
from metricloop.data.tables import read_json, read_yaml
from metricloop.params import Params
from metricloop.study.plan import load_plan
from metricloop.text.shell import run_line
from metricloop.training.recipe import full_recipe, train_recipe

OF_THE_MACHINE = ("device", "amp", "augment")  # fields of a recipe that may differ where the study ran elsewhere
NUMBERS = ("mAP", "mAP50", "mAR")


class ChangedStudyError(ValueError):
    """The workspace has changed since the arms were compared; the message says what, and what to do."""


def recipe_of(params: Params, arm: str, search: Dataset, folder: Path = Path()) -> dict[str, Any]:
    """The recipe of the detector, {"hash", "fields"}, which is that of the arm's trials.

    Errors: ChangedStudyError with the settings that differ, except those of the machine.
    """
    recipe = full_recipe(train_recipe(params, search), params, search)
    blocks = [name for name, block in load_plan(folder)["blocks"].items() if block["arm"] == arm]
    files = [folder / layout.recipe_file(block) for block in blocks]
    for file in (file for file in files if file.is_file()):
        before = read_json(file)["fields"]
        differ = {
            name: (before.get(name), value)
            for name, value in recipe["fields"].items()
            if before.get(name) != value and name not in OF_THE_MACHINE
        }
        if differ:
            found = "; ".join(f"{name}: {old!r} then, {new!r} now" for name, (old, new) in differ.items())
            raise ChangedStudyError(
                f"the trials of {arm} had other settings than this detector would have ({found}), so its verdict does "
                f"not hold for it; restore {layout.PARAMS}, or run the study again: {run_line(folder.absolute())}"
            )
    return recipe


def second_metric(arm: str, folder: Path = Path()) -> str | None:
    """The metric whose scores the arm's policy combines with its first one; None where it reads one alone."""
    entry = load_plan(folder)["arms"].get(arm, {})
    other = str(entry.get("b", ""))
    return PurePosixPath(other).stem if other.startswith(f"{layout.SCORES}/") and other != entry.get("a") else None


def check_judged(arm: str, md5: str, folder: Path = Path()) -> None:
    """Check that the arm's subset, whose hash is `md5`, is the one that its trials had and that its verdict is about.

    What it is compared with: the files that DVC recorded for the arm's stages, and the finalists; what is not recorded
    is not checked. Errors: ChangedStudyError.
    """
    file = layout.subset_file(arm)
    recorded = _recorded_hashes(arm, folder)
    path = folder / layout.FINALISTS
    finalists = read_json(path)["arms"].values() if path.is_file() else []
    confirmed = [entry["subset"] for entry in finalists if entry["arm"] == arm]
    if any(found != md5 for found in recorded) or any(found != _sha256(folder / file) for found in confirmed):
        raise ChangedStudyError(
            f"{(folder / file).absolute()} is not the subset that the study judged, so the verdict of {arm} does not "
            f"hold for it; run the study again, which makes it anew: {run_line(folder.absolute())}"
        )


def _recorded_hashes(arm: str, folder: Path) -> list[str]:
    """All md5 sums that dvc.lock holds for the subset of an arm: from its selection, and from each training on it."""
    path, file = folder / layout.LOCK, layout.subset_file(arm)
    stages = (read_yaml(path) if path.is_file() else {}).get("stages", {})
    blocks = [name for name, block in load_plan(folder)["blocks"].items() if block["arm"] == arm]
    records = [
        *stages.get(f"select@{arm}", {}).get("outs", []),
        *(record for block in blocks for record in stages.get(f"train@{block}", {}).get("deps", [])),
    ]
    return [record["md5"] for record in records if record["path"] == file and "md5" in record]


def numbers_on_test(arm: str, folder: Path = Path()) -> dict[str, Any] | None:
    """The arm's numbers on the test split: means over its trials there; None where the arm was not confirmed.

    share: of the pool, on which those trials were trained. They are also left out when the arm's subset has changed.
    """
    if not all((folder / name).is_file() for name in (layout.CONFIRMATION, layout.FINALISTS)):
        return None
    confirmed, finalists = read_confirmation(folder), read_json(folder / layout.FINALISTS)["arms"]
    role = next((role for role, entry in confirmed["arms"].items() if entry["arm"] == arm), None)
    if role is None or finalists.get(role, {}).get("subset") != _sha256(folder / layout.subset_file(arm)):
        return None
    own = confirmed["arms"][role]
    return {
        "images": confirmed["test_images"],
        "trials": len(own["mAP"]),
        "share": read_comparison(folder)["budget"],
        **{name: float(np.mean(own[name])) for name in NUMBERS},
        "gain": confirmed["gain"].get(role),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
