"""`metricloop run --set key=value`: change values in params.yaml, check them, and keep the comments."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from metricloop import layout
from metricloop.data.tables import read_yaml, replacing
from metricloop.params import Params, ParamsError, check_params, known_keys, nearest


def change_params(path: Path, assignments: Sequence[str]) -> list[str]:
    """Apply `key=value` assignments, values as YAML. Returns a line for people per assignment.

    `key=` without a value means "" where "" is the key's default, as of data.labels.
    Errors: ParamsError for an unknown key (with the nearest known one) or a wrong value; the file is then unchanged.
    """
    if not assignments:
        return []
    if not path.is_file():
        raise ParamsError(f"no {path.name} in {path.parent}, so this is not a workspace")
    text, changes = changed_text(path.read_text(), assignments, str(path))
    if yaml.safe_load(text) != read_yaml(path):
        with replacing(path) as temporary:
            temporary.write_text(text)
    return changes


def changed_text(text: str, assignments: Sequence[str], where: str = layout.PARAMS) -> tuple[str, list[str]]:
    """The text of params.yaml after some assignments, checked; and a line "file: key: old -> new" for each change.

    An assignment that changes nothing has no line. where: names the file in errors. Errors: those of change_params.
    """
    if not assignments:
        return text, []
    from ruamel.yaml import YAML

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 10_000
    document = editor.load(text)
    changes = []
    for assignment in assignments:
        key, equals, stated = assignment.partition("=")
        if not equals:
            raise ParamsError(f"--set takes KEY=VALUE, found {assignment!r}")
        try:
            value = yaml.safe_load(stated)
        except yaml.YAMLError as error:
            raise ParamsError(
                f"--set {key.strip()}: {stated!r} is not valid YAML: {' '.join(str(error).split())}"
            ) from None
        if value is None and _may_be_empty(key.strip()):
            value = ""
        old = _assign(document, key.strip(), value)
        if (before := _show(old)) != (after := _show(value)):
            changes.append(f"{Path(where).name}: {key.strip()}: {before} -> {after}")
    edited = io.StringIO()
    editor.dump(document, edited)
    check_params(yaml.safe_load(edited.getvalue()), where)
    return edited.getvalue(), changes


def _may_be_empty(key: str) -> bool:
    """Whether a key holds text that is "" by default; other text, such as data.source, must not be empty."""
    if key not in known_keys():
        return False
    *sections, last = key.split(".")
    fields: dict[str, Any] = Params.model_fields
    for section in sections:
        fields = fields[section].annotation.model_fields
    return bool(fields[last].default == "")


def _assign(document: Any, key: str, value: Any) -> Any:
    """Set a dotted key and return its old value; None when the file did not set it."""
    known = known_keys()
    if key not in known and not any(name.startswith(f"{key}.") for name in known):
        raise ParamsError(f"--set {key}: unknown key{nearest(key, known)}")
    *sections, last = key.split(".")
    for section in sections:
        document = document.setdefault(section, {})
    old = document.get(last)
    document[last] = _on_one_line(value)
    return old


def _on_one_line(value: Any) -> Any:
    """Write a list as [a, b] on one line, so that the comment after it stays there."""
    if not isinstance(value, list):
        return value
    from ruamel.yaml.comments import CommentedSeq

    line = CommentedSeq(value)
    line.fa.set_flow_style()
    return line


def _show(value: Any) -> str:
    return json.dumps(value, default=str)
