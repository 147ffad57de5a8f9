"""Fill the HTML templates of this folder. A page is one file that needs no network and no other file.

It can be read without scripts; those of this folder let it sort and enlarge. The browser knows them by their hash and
runs nothing else: names of classes and files are the words of strangers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from metricloop.text import numbers

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("page.js",)  # sorting and enlarging
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(template: str, scripts: Sequence[str] = (), **values: Any) -> str:
    """The template, filled. It formats numbers with `f`, the module text.numbers; a missing value is an error.

    scripts: files of this folder, for the one <script>{{ script }}</script> of the template.
    """
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["commands"] = commands
    environment.globals |= {"f": numbers, "policy": policy(script), "script": Markup(script)}
    return environment.get_template(template).render(**values)


def commands(sentence: str) -> Markup:
    """A sentence in which what stands between backticks is set as code."""
    parts = enumerate(sentence.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if k % 2 else escape(part) for k, part in parts)


def policy(script: str) -> str:
    """The content policy of a page with this script, "" for none: what a browser may load and run."""
    if not script:
        return POLICY
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{POLICY}; script-src 'sha256-{digest}'"
