"""YAML as DVC reads it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metricloop.text.shell import command_line


def read_as_dvc(text: str) -> Any:
    """The content of a YAML text by the rules of YAML 1.2, where `off` is a word; {} for an empty one.

    Errors: ValueError for invalid YAML, with line and column.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        return YAML(typ="safe").load(text) or {}
    except YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def read_lock(text: str, path: Path) -> Mapping[str, Any]:
    """The content of a dvc.lock. path: names it in errors. Errors: ValueError for one that DVC would refuse, too."""
    try:
        content, why = read_as_dvc(text), "it is no file of DVC"
    except ValueError as error:
        content, why = None, str(error)
    if not isinstance(content, Mapping) or "schema" not in content or not isinstance(content.get("stages"), Mapping):
        raise ValueError(f"{path} is damaged, or holds both sides of a merge; {_way_back(path)} ({why})")
    return content


def _way_back(path: Path) -> str:
    """How to get a good dvc.lock: the committed one, or none, as before the first commit of a study."""
    git = ("git", "-C", str(path.parent))
    if not subprocess.run([*git, "cat-file", "-e", f"HEAD:./{path.name}"], capture_output=True, check=False).returncode:
        return f"take the last version with: {command_line(*git, 'checkout', 'HEAD', '--', path.name)}"
    return (
        f"none is committed yet, so delete it, and `metricloop run` makes the stages again: {command_line('rm', path)}"
    )
