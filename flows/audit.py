"""audit: run the stages that an audit needs, then list the labels that are probably wrong."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from metricloop import layout
from metricloop.auditing.label_errors import KINDS
from metricloop.params import Params, load_params
from metricloop.study.dvc_commands import run_stages
from metricloop.study.environment import hide_keys
from metricloop.study.graph import downstream, needed_for, stages_of
from metricloop.study.plan import load_plan
from metricloop.study.processes import call, say
from metricloop.study.refresh import refresh_code
from metricloop.study.staleness import to_do_among
from metricloop.text.console import wrapped
from metricloop.text.duration import duration
from metricloop.text.shell import command_line

ANYWAY = 5  # labels of a kind, for a look of some minutes at what is only suspicious

if TYPE_CHECKING:
    from metricloop.auditing.run import Audit


def audit(folder: Path, *, no_training: bool, most: int, least: float | None = None, budget: bool = False) -> Path:
    """Audit a workspace and return the folder with the results.

    no_training: use no model. most: length of the list, at most, per kind of mistake. least: probability from which on
    a label is listed, by default as in `findings`. budget: print what a budget of corrected labels finds in the order
    of each metric.
    Errors: ParamsError without a workspace, AuditError when the pool has nothing to audit, StageError.
    """
    from metricloop.auditing.audit_files import write
    from metricloop.auditing.print_audit import print_audit
    from metricloop.auditing.run import audit as examine
    from metricloop.auditing.run import check
    from metricloop.auditing.suspects import LEAST
    from metricloop.report.audit_page import STEPS, build

    hide_keys()
    params = load_params(folder / layout.PARAMS)
    if most < 1:
        raise ValueError(f"--most is {most}; it must be at least 1")
    least = LEAST if least is None else least
    if not 0 <= least <= 1:
        raise ValueError(f"--least is {least:g}; it is a probability, 0 to 1")
    refresh_code(folder)
    seconds = update_stage(folder, "ingest")
    check(folder, params, budget=budget)
    if params.data.second_labels:
        seconds |= {name: took for name, took in update_stage(folder, "second_labels").items() if name not in seconds}
    if not no_training:
        _predictions(folder, params, seconds)
    say("score the labels, and errors put in on purpose")
    found = examine(folder, params, predicted=not no_training, most=most, least=least, seconds=seconds)
    if no_training:
        found.notes.append("Without a model: nothing was trained, so there are no predictions for these labels.")
    anyway = look_anyway(folder, found, least)
    target = write(folder, found, build(found, params.study.name, folder, anyway))
    print_audit(found, budget=budget)
    took = {STEPS.get(step, step): "up to date" if s is None else f"{s:.0f} s" for step, s in found.seconds.items()}
    print(wrapped(", ".join(f"{name} {said}" for name, said in took.items())))
    if not no_training and (advice := _longer(folder, params, found)):
        print(advice)
    if anyway:
        print(f"the {ANYWAY} most suspicious labels of each kind as a page: {anyway}")
    print(f"page: {target / 'audit.html'} (audit.csv and audit.json are in the same folder; git ignores it)")
    return target


def look_anyway(folder: Path, found: Audit, least: float) -> str:
    """The command that shows the most suspicious labels, if the audit judged labels and lists none; else ""."""
    if least == 0 or not found.kinds or any(found.suspects.get(kind.name) for kind in KINDS):
        return ""
    options = ["--no-training"] if found.model is None else []
    return command_line("metricloop", "audit", "-C", folder, "--least", "0", "--most", str(ANYWAY), *options)


def _longer(folder: Path, params: Params, found: Audit) -> str:
    """Advice to train the model twice as long, if it learnt too little to judge the labels; else ""."""
    from metricloop.auditing.findings import LONGER
    from metricloop.auditing.run import weak

    silent = any(one.silent and one.silent.endswith(LONGER) for one in found.expected.values())
    if not silent and not weak(found.model):
        return ""
    taken = found.seconds.get("predict")
    time_needed = f" (about {duration(2 * taken)})" if taken else ""
    change = f"predict.iterations={2 * params.predict.iterations}"
    command = command_line("metricloop", "audit", "-C", folder, "--set", change)
    return f"train the model twice as long{time_needed}: {command}"


def _predictions(folder: Path, params: Params, seconds: dict[str, float | None]) -> None:
    """Make the predictions for the present labels where they are out of date: of the pool, and of the held-out ones."""
    from metricloop.auditing.everything import held_out_detections
    from metricloop.report.audit_page import STEPS

    say(f"out-of-fold predictions: {params.predict.folds} folds of {params.predict.iterations} iterations")
    later = update_stage(folder, "predict")
    seconds |= {name: taken for name, taken in later.items() if name not in seconds}
    if held_out_detections(folder) is None:
        say("predictions for the held-out pictures")
        began = time.monotonic()
        call(folder, [sys.executable, "-P", "-m", "metricloop.tasks.steps.predict_held_out"], STEPS["predict_held_out"])
        seconds["predict_held_out"] = time.monotonic() - began


def update_stage(folder: Path, stage: str) -> dict[str, float | None]:
    """Run a stage and those it depends on, if out of date. Returns stage -> seconds; None when it was up to date."""
    graph = stages_of(folder, load_plan(folder))
    names = needed_for(graph, [stage])
    old = downstream(graph, to_do_among(folder, names))
    seconds: dict[str, float | None] = {}
    for name in names:
        if name in old:
            began = time.monotonic()
            run_stages(folder, [name], name)
            seconds[name] = time.monotonic() - began
        else:
            seconds[name] = None
    return seconds
