"""Prompts are files in llm/prompts; what fills them is text made elsewhere, every number of it formatted there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent / "prompts"
EXAMPLE = FOLDER / "example.py"


def render(template: str, context: Mapping[str, object]) -> str:
    """A template of llm/prompts filled with `context`. Errors: jinja2.UndefinedError when something is missing."""
    return _environment().get_template(f"{template}.j2").render(example=EXAMPLE.read_text(), **context)


def template_hash(template: str) -> str:
    """What a recorded answer was an answer to, whatever the numbers in it: the template, and the one of the system."""
    files = [FOLDER / "system.j2", EXAMPLE, FOLDER / f"{template}.j2"]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=False,
    )  # fmt: skip
