"""All checks of a study before anything of it is computed, or written: settings, plan, ties between them, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from metricloop import layout
from metricloop.params import Params, ParamsError, check_params, load_params
from metricloop.study.check_files import check_stated
from metricloop.study.check_plan import check_ties, warnings
from metricloop.study.edit_params import changed_text
from metricloop.study.plan import Plan, load_plan


@dataclass(frozen=True)
class Checked:
    """A study without a fault. params_text: params.yaml with the changes; changes, warnings: lines for people."""

    params_text: str
    params: Params
    plan: Plan
    changes: Sequence[str]
    warnings: Sequence[str]


def check_study(folder: Path, assignments: Sequence[str] = ()) -> Checked:
    """Check a study as it would be with some `key=value` changes of params.yaml; writes nothing.

    Errors: ParamsError, PlanError; MetricError for a file of metrics that is no Python.
    """
    path = folder / layout.PARAMS
    if not path.is_file():
        load_params(path)  # raises what is told of a folder that is no workspace
    text, changes = changed_text(path.read_text(), assignments, str(path))
    values = yaml.safe_load(text)
    if not isinstance(values, dict):
        raise ParamsError(f"{path} must have sections such as study and data, but it holds {type(values).__name__}")
    params, plan = check_params(values, str(path)), load_plan(folder)
    check_stated(folder, params)
    check_ties(folder, params, plan)
    return Checked(text, params, plan, changes, list(warnings(plan, params)))
