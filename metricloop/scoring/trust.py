"""Files of metrics that a person trusts, by content: a changed file is no longer trusted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from metricloop import layout
from metricloop.data.tables import read_yaml, replacing
from metricloop.metrics.contract import MetricError
from metricloop.scoring.metric_file import MetricFile, read_source

NOTE = "# Files that a person has read and trusts (metricloop run --trust FILE). They run without the sandbox.\n"


def trust(path: Path, workspace: Path) -> str:
    """Trust a file with its present content; returns its name in the workspace.

    Errors: MetricError when it does not exist or lies outside the workspace.
    """
    path, workspace = path.resolve(), workspace.resolve()
    if not path.is_file():
        raise MetricError(f"--trust: {path} does not exist")
    if not path.is_relative_to(workspace):
        raise MetricError(f"--trust: {path} lies outside {workspace}; move it into the workspace first")
    name = path.relative_to(workspace).as_posix()
    with replacing(workspace / layout.TRUSTED) as temporary:
        temporary.write_text(NOTE + yaml.safe_dump(_trusted(workspace) | {name: _digest(read_source(path, workspace))}))
    return name


def is_trusted(source: MetricFile, workspace: Path) -> bool:
    """Whether a person trusts this exact text under this name."""
    return _trusted(workspace).get(source.filename) == _digest(source)


def _trusted(workspace: Path) -> dict[str, str]:
    path = workspace / layout.TRUSTED
    noted = read_yaml(path) if path.is_file() else {}
    if not isinstance(noted, dict):
        raise MetricError(f"{path} must map files to digests; delete it, and run `metricloop run --trust FILE` again")
    return noted


def _digest(source: MetricFile) -> str:
    return hashlib.sha256(source.code.encode()).hexdigest()
