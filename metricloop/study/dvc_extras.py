"""What makes DVC's own commands useful in a workspace: numbers and plots to show, and a word on what a stage needs."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from metricloop import layout
from metricloop.study.rendering import TEMPLATES, render_stages, write_if_changed
from metricloop.study.yaml_text import read_lock

OURS = "python -P -m metricloop.tasks."
COMMAND = re.compile(rf"^( +cmd: {re.escape(OURS)}\w+.*)$", re.MULTILINE)
HINT = f" || sh {layout.EXPLAIN}"
LAST_OUTPUT = f"      - {layout.FINALISTS}: {{cache: false}}\n"


def write_extras(folder: Path) -> None:
    """Write the templates of the plots and the script that explains, where they are not there already."""
    for template in sorted((TEMPLATES / "plots").iterdir()):
        target = folder / layout.PLOT_TEMPLATES / template.name
        if not target.exists():  # people may change how a plot looks
            write_if_changed(target, template.read_text())
    write_if_changed(folder / layout.EXPLAIN, (TEMPLATES / Path(layout.EXPLAIN).name).read_text())
    write_if_changed(folder / layout.ENVIRONMENT, f"{sys.prefix}\n")


def wire_numbers(stages: str) -> str:
    """The text of dvc.yaml in which `compare` declares what DVC shows, for one that declares nothing yet."""
    if f"- {layout.HEADLINE}" in stages:
        return stages
    today = render_stages(drawn=False)
    start = today.index(LAST_OUTPUT) + len(LAST_OUTPUT)
    return stages.replace(LAST_OUTPUT, LAST_OUTPUT + today[start : today.index("  confirm:\n")], 1)


def wire_hint(stages: str) -> str:
    """The text of dvc.yaml in which every stage of ours that fails calls the script that explains."""
    return COMMAND.sub(lambda found: found[1] if found[1].endswith(HINT) else found[1] + HINT, stages)


def wire_lock(path: Path) -> str | None:
    """The text of a dvc.lock of an earlier version with the same commands: the hint changes no result, so no stage is
    stale. None where there is nothing to change. Errors: those of read_lock.
    """
    from ruamel.yaml import YAML

    text = path.read_text() if path.is_file() else ""
    if text.count(f"cmd: {OURS}") <= text.count(layout.EXPLAIN):
        return None
    read_lock(text, path)
    editor = YAML()
    document = editor.load(text)
    for stage in document["stages"].values():
        if isinstance(stage["cmd"], str) and stage["cmd"].startswith(OURS) and not stage["cmd"].endswith(HINT):
            stage["cmd"] += HINT
    changed = io.StringIO()
    editor.dump(document, changed)
    return changed.getvalue()
