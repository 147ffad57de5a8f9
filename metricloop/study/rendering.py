"""Make the files of a workspace from their templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from metricloop.data.tables import replacing

TEMPLATES = Path(__file__).parent / "templates"


def align_comments(text: str, column: int = 28) -> str:
    """Align comments after values at one column; longer lines stay as they are."""
    lines = []
    for line in text.splitlines():
        value, mark, comment = line.partition("  # ")
        lines.append(f"{value.rstrip():<{column - 2}}{mark}{comment.strip()}" if mark and value.strip() else line)
    return "\n".join(lines) + "\n"


def render_stages(
    *, drawn: bool, embeds: bool = False, screens: bool = False, second: bool = False, mends: bool = False
) -> str:
    """The text of dvc.yaml. drawn: with the stage `draw`, which draws the demo's data set.

    embeds: with the stage `embed`, which takes long and is needed only when a batch or an arm reads embeddings.
    screens: with the stage `screen`, for a plan with screens. second: with the stage `second_labels`.
    mends: with the stage `mend`, for a plan with repairs.
    """
    return render("dvc.yaml.j2", drawn=drawn, embeds=embeds, screens=screens, second=second, mends=mends)


def stage_kinds() -> list[str]:
    """All kinds of stages, in the order of dvc.yaml."""
    return list(yaml.safe_load(render_stages(drawn=True, embeds=True, screens=True, second=True, mends=True))["stages"])


def render(template: str, **values: Any) -> str:
    """Fill a template of TEMPLATES. Errors: jinja2.UndefinedError for a missing value."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only when something is made: it loads slowly

    loader = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True)
    loader.filters["quoted"] = quoted
    return loader.get_template(template).render(**values)


def quoted(value: Any) -> str:
    """A value as YAML on one line; a string that YAML would read as something else gets quotes."""
    value = list(value) if isinstance(value, tuple) else value
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
        .removesuffix("\n")
        .removesuffix("\n...")
    )


def write_if_changed(path: Path, text: str) -> None:
    """Write a file, unless it holds this text already; then its modification time stays."""
    if path.is_file() and path.read_text() == text:
        return
    with replacing(path) as temporary:
        temporary.write_text(text)
