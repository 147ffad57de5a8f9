"""Write the template of a person's own metric: a file that works, explains itself and holds a test of itself."""

from __future__ import annotations

import sys
from keyword import iskeyword, issoftkeyword
from pathlib import Path
from typing import Literal

from metricloop import layout
from metricloop.data.tables import replacing
from metricloop.scoring.open_metrics import catalogue
from metricloop.study.add_arm import AppendError
from metricloop.study.plan import load_plan
from metricloop.study.rendering import render

IMPORTED = {"numpy", "np", "metricloop", "metric", "Frame", "test"}  # what the template uses under this name


def write_template(folder: Path, name: str, level: Literal["image", "object"]) -> Path:
    """Write metrics/mine/NAME.py of a workspace; returns its path relative to the workspace.

    Errors: PlanError for a folder that is no workspace; AppendError for a name that is no name of a function, that the
    catalogue or the study has, and for a file that is there.
    """
    plan = load_plan(folder)
    if not name.isidentifier() or not name.isascii() or name.startswith("_"):
        raise AppendError(f"{name!r} cannot be the name of a metric: take letters, digits and _, such as glare")
    if iskeyword(name) or issoftkeyword(name) or name in IMPORTED | sys.stdlib_module_names:
        raise AppendError(f"{name!r} means something else in Python; take another name, such as {name}_score")
    taken = {metric: batch["code"] for batch in plan["batches"].values() for metric in batch["metrics"]}
    if name in catalogue() or name in taken:
        raise AppendError(f"a metric is called {name} already ({taken.get(name, 'the catalogue')}); take another name")
    file = Path(layout.MINE, f"{name}.py")
    if (folder / file).exists():
        raise AppendError(f"{folder / file} exists already; edit it, or take another name")
    with replacing(folder / file) as temporary:
        temporary.write_text(render("own_metric.py.j2", name=name, level=level))
    return file
