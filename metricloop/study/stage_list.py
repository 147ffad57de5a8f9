"""The stages of dvc.yaml as DVC would run them: one per batch, arm or block, with every placeholder filled in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metricloop import layout

PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
NOTES = {"desc", "meta"}  # keys of a stage that change nothing
UNDERSTOOD = NOTES | {"cmd", "deps", "params", "outs", "metrics", "plots"}


class NotUnderstoodError(ValueError):
    """dvc.yaml holds something that only DVC understands; the message says what."""


@dataclass(frozen=True)
class Stage:
    """A stage with its paths relative to the workspace.

    command: as the shell gets it. reads: files and folders. settings: (file, dotted key) of parameters; a key "" means
    the whole file. writes: path -> whether DVC keeps it in its cache.
    """

    command: Any
    reads: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    writes: Mapping[str, bool]


def list_stages(content: Mapping[str, Any], plan: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Stage]:
    """The stages by name, in the order of dvc.yaml. content: of dvc.yaml; params: of params.yaml.

    Errors: NotUnderstoodError for what metricloop does not write itself, such as a `matrix`.
    """
    stages = {}
    for kind, body in content["stages"].items():
        if "foreach" not in body:
            stages[kind] = _stage(kind, body, params)
            continue
        section = re.fullmatch(r"\$\{(\w+)\}", str(body["foreach"]))
        if set(body) != {"foreach", "do"} or not section or section[1] not in plan:
            raise NotUnderstoodError(f"stage {kind} repeats in a way of its own")
        for name, item in plan[section[1]].items():
            stages[f"{kind}@{name}"] = _stage(kind, body["do"], {**params, "key": name, "item": item})
    return stages


def _stage(kind: str, body: Mapping[str, Any], values: Mapping[str, Any]) -> Stage:
    if unknown := set(body) - UNDERSTOOD:
        raise NotUnderstoodError(f"stage {kind} has {', '.join(sorted(unknown))}")
    settings: list[tuple[str, str]] = []
    for entry in body.get("params") or ():
        if isinstance(entry, str):
            settings.append((layout.PARAMS, _text(entry, values)))
        else:
            settings += [
                (_text(file, values), _text(key, values)) for file, keys in entry.items() for key in keys or ("",)
            ]
    writes = {}
    for section in ("outs", "metrics", "plots"):
        for entry in body.get(section) or ():
            path, options = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
            writes[_path(path, values)] = (options or {}).get("cache", True)
    reads = tuple(_path(entry, values) for entry in body.get("deps") or ())
    return Stage(_text(body["cmd"], values), reads, tuple(settings), writes)


def _path(entry: Any, values: Mapping[str, Any]) -> str:
    if not isinstance(entry, str):
        raise NotUnderstoodError(f"an input is not a path: {entry}")
    path = _text(entry, values)
    return path if "://" in path else posixpath.normpath(path)


def _text(template: Any, values: Mapping[str, Any]) -> str:
    """The template with ${key}, ${item.x} and ${section.x} replaced, written as DVC writes values."""
    from dvc.parsing.interpolate import to_str

    def value(match: re.Match[str]) -> str:
        found: Any = values
        for part in match[1].split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise NotUnderstoodError(f"{match[0]} has no value")
            found = found[part]
        return to_str(found)

    if not isinstance(template, str):
        raise NotUnderstoodError(f"{template} is not text")
    return PLACEHOLDER.sub(value, template) if "${" in template else template
