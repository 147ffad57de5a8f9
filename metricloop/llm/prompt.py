"""Fills the prompt templates in llm/prompts with text; the caller has formatted every number in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent / "prompts"
EXAMPLE = FOLDER / "example.py"
STUDY = (FOLDER / "system.j2", FOLDER / "look.j2", FOLDER / "found.j2", EXAMPLE)  # told in a study's rounds
TAKEHOME = (FOLDER / "takehome_system.j2",)  # what every call of a take-home assignment is told


def render(template: str, context: Mapping[str, object]) -> str:
    """A template of llm/prompts filled with `context`. Errors: jinja2.UndefinedError for a missing name."""
    return _environment().get_template(f"{template}.j2").render(example=EXAMPLE.read_text(), **context)


def template_hash(template: str, told: Sequence[Path] = STUDY) -> str:
    """Hash of a template and of what every call is told, without what fills them.

    A recorded answer belongs to one hash. told: STUDY or TAKEHOME.
    """
    files = [*told, FOLDER / f"{template}.j2"]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


class Template(NamedTuple):
    """A template without what fills it. messages: (role, text), what every call is told and then the template."""

    name: str
    messages: tuple[tuple[str, str], ...]


@cache
def known_templates() -> dict[str, Template]:
    """The templates of this version of metricloop, by the hash that `template_hash` gives."""
    found = {}
    for told in (STUDY, TAKEHOME):
        system = "\n\n".join(file.read_text(encoding="utf-8") for file in told)
        for file in sorted(FOLDER.glob("*.j2")):
            if file not in told:
                messages = (("system", system), ("user", file.read_text(encoding="utf-8")))
                found[template_hash(file.stem, told)] = Template(file.stem, messages)
    return found


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=False,
    )  # fmt: skip
