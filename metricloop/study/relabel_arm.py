"""Add an arm of the policy relabel to arms.yaml: the labels of the worst N images by a metric, replaced."""

from __future__ import annotations

from pathlib import Path

from metricloop import layout
from metricloop.data.pool import read_pool
from metricloop.data.tables import TRUTH, read_table
from metricloop.params import Params, load_params
from metricloop.scoring.open_metrics import CATALOGUE
from metricloop.selection.corrected import candidates
from metricloop.selection.keep_values import without_crowds
from metricloop.study.add_arm import AppendError, append_entries, entries_for
from metricloop.study.new_arm import metric_of
from metricloop.study.plan import Plan, load_plan, seeds_of

SOURCES = {"planted": layout.TRUTH, "second": layout.SECOND}  # what the labels are replaced by


def add_relabel_arm(folder: Path, metric: str, worst: int, source: str | None = None) -> tuple[str, Plan]:
    """Add the arm relabel_N, or relabel_N_METRIC, with as many seeds as the first look has; returns its name and what
    was added.

    metric: of the catalogue. source: a key of SOURCES; None: the second labelling where there is one.
    Errors: AppendError for an unknown metric and for an arm that is there; PolicyError when fewer than `worst` images
    have a truth, where that is known already.
    """
    params, plan = load_params(folder / layout.PARAMS), load_plan(folder)
    source = source or ("second" if params.data.second_labels else "planted")
    if source == "second" and not params.data.second_labels:
        raise AppendError(f"there is no second labelling; name one in data.second_labels of {folder / layout.PARAMS}")
    spec = metric_of(metric)
    _check_truth(folder, params, SOURCES[source], worst)
    name = f"relabel_{worst}"
    name = f"{name}_{metric}" if plan["arms"].get(name, {}).get("metric", metric) != metric else name
    if name in plan["arms"]:
        raise AppendError(f"{layout.ARMS} has the arm {name} already")
    direction = "higher" if spec.higher_is == "better" else "lower"
    policy = {"name": "relabel", "worst": worst, "direction": direction}
    seeds = max(params.looks.arms[0], len(seeds_of(plan, "relabelled")))
    addition = entries_for(plan, spec, CATALOGUE[1], policy, name, seeds)
    addition["arms"][name] |= {"role": "control", "a": SOURCES[source]}
    append_entries(folder / layout.ARMS, addition)
    return name, addition


def _check_truth(folder: Path, params: Params, file: str, worst: int) -> None:
    """Errors: PolicyError when too few images have a truth; nothing is checked before the table is there."""
    if (folder / file).is_file():
        pool = read_pool(folder / layout.DATA, folder / params.data.folder)
        candidates(pool, without_crowds(read_table(folder / file, TRUTH), pool), worst)
