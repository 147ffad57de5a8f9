"""Read what a study has decided, from comparison.json and confirmation.json. Files of other versions are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.text.shell import run_line

COMPARED = (
    "search_images", "looks", "looks_taken", "alpha", "smallest_gain", "family", "noise", "headlines", "screened",
    "arms",
)  # fmt: skip
COMPARED_ARM = ("boxes_ratio", "seeds_beyond", "baseline_seeds", "collapsed", "decided_at", "goes_on", "shrunken_gain")
CONFIRMED = ("reason", "test_images", "seeds", "arms", "gain")


class OtherVersionError(ValueError):
    """Another version of metricloop wrote this file; the message says which file and what to do."""


def read_comparison(folder: Path) -> dict[str, Any]:
    """comparison.json of the workspace `folder`. Errors: OtherVersionError; FileNotFoundError where nothing has run.

    search_images counts groups of images that belong together; where there are fewer of them than search images,
    search_pictures is the number of the latter. trained: iterations and batch_size of the trials, where they are known.
    """
    path = _there(folder, layout.COMPARISON)
    comparison = check_comparison(read_json(path), path)
    summary = folder / layout.SUMMARY
    splits = read_json(summary).get("splits", {}) if summary.is_file() else {}
    pictures = splits.get("search", {}).get("images", 0)
    more = {"search_pictures": pictures} if pictures > comparison["search_images"] else {}
    return comparison | more | _trained(folder, comparison)


def _trained(folder: Path, comparison: dict[str, Any]) -> dict[str, Any]:
    """{"trained": {"iterations": ..., "batch_size": ...}} of the trials that were compared; {} where no file says it.

    All of them were trained with one recipe, so the first recipe file with the hash of the comparison is read.
    """
    there = folder / layout.RESULTS
    blocks = sorted(path.name for path in there.iterdir()) if there.is_dir() else []
    for path in (folder / layout.recipe_file(block) for block in blocks):
        recipe = read_json(path) if path.is_file() else {}
        fields = recipe.get("fields", {})
        if recipe.get("hash") == comparison.get("recipe") and {"iterations", "batch_size"} <= set(fields):
            return {"trained": {name: fields[name] for name in ("iterations", "batch_size")}}
    return {}


def read_confirmation(folder: Path) -> dict[str, Any]:
    """confirmation.json of the workspace `folder`; errors as above."""
    path = _there(folder, layout.CONFIRMATION)
    return check_confirmation(read_json(path), path)


def check_comparison(comparison: dict[str, Any], path: Path) -> dict[str, Any]:
    """The comparison, if it has all keys of this version. path: of its file, for the message of OtherVersionError."""
    missing = [key for key in COMPARED if key not in comparison]
    rows = comparison.get("arms", [])
    missing += [f"arms.{key}" for key in COMPARED_ARM if not all(key in row for row in rows)]
    return _whole(comparison, missing, path)


def check_confirmation(confirmation: dict[str, Any], path: Path) -> dict[str, Any]:
    """The confirmation, if it has all keys of this version. path: as above."""
    missing = [key for key in CONFIRMED if key not in confirmation]
    if not isinstance(confirmation.get("seeds", {}), dict):
        missing.append("seeds.baseline")
    return _whole(confirmation, missing, path)


def _there(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise FileNotFoundError(f"{folder / name} does not exist yet; run the study first: {run_line(folder)}")
    return folder / name


def _whole(content: dict[str, Any], missing: list[str], path: Path) -> dict[str, Any]:
    if missing:
        raise OtherVersionError(
            f"{path} was written by another version of metricloop (it has no {', '.join(missing[:3])}), and this one "
            f"cannot show it; compute it again with: {run_line(path.parent)} (which says what to change in params.yaml "
            "where that is of another version, too), or use the version that made this workspace"
        )
    return content
