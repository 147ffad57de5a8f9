"""YAML as DVC reads it."""

from __future__ import annotations

from typing import Any


def read_as_dvc(text: str) -> Any:
    """The content of a YAML text by the rules of YAML 1.2, where `off` is a word; {} for an empty one.

    Errors: ValueError for invalid YAML, with line and column.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        return YAML(typ="safe").load(text) or {}
    except YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
