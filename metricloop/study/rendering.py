"""The files of a workspace, filled in from their templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from metricloop.data.tables import replacing

TEMPLATES = Path(__file__).parent / "templates"


def align_comments(text: str, column: int = 28) -> str:
    """Start the comments behind values at one column, wherever the values leave room."""
    lines = []
    for line in text.splitlines():
        value, mark, comment = line.partition("  # ")
        lines.append(f"{value.rstrip():<{column - 2}}{mark}{comment.strip()}" if mark and value.strip() else line)
    return "\n".join(lines) + "\n"


def render_stages(*, drawn: bool, embeds: bool = False) -> str:
    """dvc.yaml. drawn: with the stage that draws the demo's data set.

    embeds: with the stage that makes embeddings, which takes long and is there only where something reads them.
    """
    return render("dvc.yaml.j2", drawn=drawn, embeds=embeds)


def stage_kinds() -> list[str]:
    """The kinds of stages there are, in the order of the data."""
    return list(yaml.safe_load(render_stages(drawn=True, embeds=True))["stages"])


def render(template: str, **values: Any) -> str:
    loader = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True)
    loader.filters["quoted"] = quoted
    return loader.get_template(template).render(**values)


def quoted(value: Any) -> str:
    """A value as YAML on one line, in quotes where it would be read as something else."""
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def write_if_changed(path: Path, text: str) -> None:
    """Write only what differs, so that times do not change for nothing."""
    if path.is_file() and path.read_text() == text:
        return
    with replacing(path) as temporary:
        temporary.write_text(text)
