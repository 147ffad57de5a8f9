"""The files of a bundle that are made from templates: README, model card, Dockerfile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from metricloop.delivery import bundle_card
from metricloop.delivery.agreement import Agreement
from metricloop.delivery.bundle_code import PACKAGE
from metricloop.serving.detector import usual_score
from metricloop.serving.limits import PREFIX, Limits

TEMPLATES = Path(__file__).parent / "bundle_files"
FILES = {
    "README.md": "README.md.j2",
    "MODEL_CARD.md": "MODEL_CARD.md.j2",
    "Dockerfile": "Dockerfile.j2",
    ".dockerignore": "dockerignore.j2",
}


def write_texts(
    folder: Path, facts: Mapping[str, Any], agreed: Agreement, versions: Mapping[str, str], python: str
) -> None:
    """Write FILES into `folder`. facts: detector.json; versions: of packages; python: as 3.11."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values = {
        "facts": facts,
        "package": PACKAGE,
        "agreed": agreed,
        "versions": versions,
        "python": python,
        "limits": limits_table(),
        "image": image_name(facts["name"]),
        "warning": bundle_card.warning(facts),
        "numbers": bundle_card.numbers(facts),
        "about": bundle_card.about(facts),
        "data": bundle_card.data(facts),
        "score": usual_score(facts),
        "card_limits": bundle_card.limits(facts),
    }
    for name, template in FILES.items():
        (folder / name).write_text(environment.get_template(template).render(**values), "utf-8")


def image_name(name: str) -> str:
    """A name that Docker accepts for an image.

    >>> image_name("Lions (2)")
    'lions-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "detector"


def _shown(default: float | str) -> str:
    return default or "none" if isinstance(default, str) else f"{default:,}".replace(",", " ")


def limits_table() -> list[tuple[str, str, str]]:
    """The server's limits: variable, default, meaning."""
    return [
        (f"{PREFIX}{name.upper()}", _shown(field.default), field.description or "")
        for name, field in Limits.model_fields.items()
    ]
