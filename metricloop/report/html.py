"""Fill the HTML templates of this folder. A page is one file that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from metricloop.text import numbers

TEMPLATES = Path(__file__).parent / "templates"
# Pictures and styles of the page itself, and nothing else: names of classes and files are the words of strangers.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(template: str, **values: Any) -> str:
    """The template, filled. It formats numbers with `f`, the module text.numbers; a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.globals |= {"f": numbers, "policy": POLICY}
    return environment.get_template(template).render(**values)
