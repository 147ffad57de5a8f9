"""The promoted detectors of a workspace: one folder per version, and which of them is the champion."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metricloop import layout
from metricloop.data.tables import read_json, write_json
from metricloop.delivery.detector_folder import DetectorFolderError, is_detector, read_facts, write_detector
from metricloop.text.shell import command_line

if TYPE_CHECKING:
    from torch import Tensor

IN_BUNDLE = "model"  # the folder of a bundle that holds its detector
CHAMPION, PREVIOUS = "champion", "previous"  # the version to use, and the one before it


def versions(workspace: Path) -> list[int]:
    """The versions that were promoted in a workspace, ascending."""
    found = workspace / layout.PROMOTED
    names = [path.name for path in found.iterdir()] if found.is_dir() else []
    return sorted(int(name) for name in names if name.isdigit() and is_detector(found / name))


def aliases(workspace: Path) -> dict[str, int]:
    """Alias -> version; without a record the newest version is the champion."""
    there, path = versions(workspace), workspace / layout.ALIASES
    recorded = read_json(path) if path.is_file() else {}
    known = {name: version for name, version in recorded.items() if version in there}
    if CHAMPION not in known and there:
        known[CHAMPION] = there[-1]
    return {name: version for name, version in known.items() if name == CHAMPION or version != known[CHAMPION]}


def champion(workspace: Path) -> Path:
    """The detector folder of the champion. Errors: DetectorFolderError when nothing was promoted."""
    version = aliases(workspace).get(CHAMPION)
    if version is None:
        line = command_line("metricloop", "promote", "-C", workspace)
        raise DetectorFolderError(f"nothing was promoted in {workspace} yet; do that first: {line}")
    return workspace / layout.promoted_folder(version)


def detector_folder(place: Path) -> Path:
    """The detector folder that a person means: the folder itself, that of a bundle, or the champion of a workspace.

    Errors: DetectorFolderError.
    """
    for folder in (place, place / IN_BUNDLE):
        if is_detector(folder):
            return folder
    if (place / layout.PARAMS).is_file():
        return champion(place)
    found = "does not exist" if not place.exists() else "is no detector folder, no bundle and no workspace"
    raise DetectorFolderError(f"{place} {found}; give the folder of a promoted detector, or a workspace with one")


def make_champion(workspace: Path, version: int) -> None:
    """Make a version the champion; the former one becomes the previous one."""
    path = workspace / layout.ALIASES
    recorded = read_json(path) if path.is_file() else {}
    former = recorded.get(CHAMPION)
    if former != version:
        previous = {PREVIOUS: former} if former is not None else {}
        write_json(path, {CHAMPION: version} | previous)


def add_version(
    workspace: Path, facts: Mapping[str, Any], state: Mapping[str, Tensor], extra: Mapping[str, Path]
) -> int:
    """Write the next version, whole or not at all, and return its number, which becomes a part of the facts.

    extra: file name -> a file to copy into the folder.
    """
    home = workspace / layout.PROMOTED
    home.mkdir(exist_ok=True)
    ignore = home / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    version = 1 + max([int(path.name) for path in home.iterdir() if path.name.isdigit()], default=0)
    part = home / f".{version}-{secrets.token_hex(4)}"
    part.mkdir()  # with the rights that the umask leaves, unlike mkdtemp
    try:
        write_detector(part, {"name": facts["name"], "version": str(version)} | dict(facts), state)
        for name, file in extra.items():
            shutil.copyfile(file, part / name)
        part.rename(workspace / layout.promoted_folder(version))
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return version


def all_facts(workspace: Path) -> dict[int, dict[str, Any]]:
    """Version -> the content of its detector.json."""
    return {version: read_facts(workspace / layout.promoted_folder(version)) for version in versions(workspace)}
