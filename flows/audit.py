"""audit: run the stages that an audit needs, then list the labels that are probably wrong."""

from __future__ import annotations

import time
from pathlib import Path

from metricloop import layout
from metricloop.params import Params, load_params
from metricloop.study.dvc_commands import outdated, run_stages
from metricloop.study.environment import hide_keys
from metricloop.study.graph import downstream, needed_for, stages_of
from metricloop.study.plan import load_plan
from metricloop.study.processes import say
from metricloop.study.refresh import refresh_code


def audit(folder: Path, *, no_training: bool, most: int, budget: bool = False) -> Path:
    """Audit a workspace and return the folder with the results.

    no_training: do not train models for the audit. most: length of the list, per kind of mistake. budget:
    print what a budget of corrected labels finds in the order of each metric.
    Errors: ParamsError without a workspace, AuditError when the pool has nothing to audit, StageError.
    """
    from metricloop.auditing.audit_files import write
    from metricloop.auditing.print_audit import print_audit
    from metricloop.auditing.run import audit as examine
    from metricloop.auditing.run import check
    from metricloop.report.audit_page import build

    hide_keys()
    params = load_params(folder / layout.PARAMS)
    if most < 1:
        raise ValueError(f"--most is {most}; it must be at least 1")
    refresh_code(folder)
    seconds = update_stage(folder, "ingest")
    check(folder, params, budget=budget)
    if params.data.second_labels:
        seconds |= {name: took for name, took in update_stage(folder, "second_labels").items() if name not in seconds}
    predicted = _predictions(folder, params, no_training, seconds)
    say("score and rank the labels")
    found = examine(folder, params, predicted=predicted, most=most, seconds=seconds)
    if not predicted:
        found.notes.append("Without a model: nothing was trained, so there are no predictions for these labels.")
    target = write(folder, found, build(found, params.study.name, folder))
    print_audit(found, budget=budget)
    print(", ".join(f"{step} {'up to date' if s is None else f'{s:.0f} s'}" for step, s in found.seconds.items()))
    print(f"page: {target / 'audit.html'} (audit.csv and audit.json are in the same folder; git ignores it)")
    return target


def _predictions(folder: Path, params: Params, no_training: bool, seconds: dict[str, float | None]) -> bool:
    """Whether predictions for the present labels exist; makes them first unless `no_training`."""
    if not no_training:
        say(f"out-of-fold predictions: {params.predict.folds} folds of {params.predict.iterations} iterations")
        later = update_stage(folder, "predict")
        seconds |= {name: taken for name, taken in later.items() if name not in seconds}
    return not outdated(folder, ["predict"])


def update_stage(folder: Path, stage: str) -> dict[str, float | None]:
    """Run a stage and those it depends on, if out of date. Returns stage -> seconds; None when it was up to date."""
    graph = stages_of(folder, load_plan(folder))
    names = needed_for(graph, [stage])
    old = downstream(graph, outdated(folder, names))
    seconds: dict[str, float | None] = {}
    for name in names:
        if name in old:
            began = time.monotonic()
            run_stages(folder, [name], name)
            seconds[name] = time.monotonic() - began
        else:
            seconds[name] = None
    return seconds
