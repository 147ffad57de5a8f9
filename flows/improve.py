"""improve: the whole study: arms of arms.yaml, rounds of the language model, more seeds, confirmation."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from metricloop import layout
from metricloop.data.tables import read_json, replacing
from metricloop.flows.artifacts import flow_name, show_study
from metricloop.flows.decisions import boxes_control, more_seeds, open_rounds, state_of
from metricloop.flows.elsewhere import push_at_end, workspace_of
from metricloop.flows.pipeline import of_kind, out_of_date, run_all, run_stages, running
from metricloop.flows.reaper import end_server_with_me
from metricloop.flows.screening import screening
from metricloop.flows.stage import mlflow_step, model_step, step
from metricloop.llm.journal import read_journal
from metricloop.params import Params, load_params
from metricloop.study.commits import commit
from metricloop.study.environment import hide_keys
from metricloop.study.fetched import is_address
from metricloop.study.looks import record_looks
from metricloop.study.new_study import create, demo_plan
from metricloop.study.plan import add_block, load_plan, write_rounds
from metricloop.study.processes import StageError, say
from metricloop.study.refresh import refresh_code


@flow(name="improve", flow_run_name=flow_name, log_prints=False, validate_parameters=False)
def improve(workspace: str = ".", demo: bool = False) -> None:
    """Run the study of a workspace, or continue it. Stages that are up to date do not run again.

    workspace: its folder, or the address of a git repository of which this machine keeps a copy.
    demo: if the workspace does not exist, make one with drawn pandas.
    """
    hide_keys()
    end_server_with_me()
    if demo and not is_address(workspace) and not Path(workspace).exists():
        create(Path(workspace).resolve(), demo_plan(Path(workspace).resolve().name))
    with workspace_of(workspace) as folder:
        study(folder)


def study(folder: Path) -> None:
    """Run or continue the study in a folder."""
    params = load_params(folder / layout.PARAMS)
    with running(folder, params):
        refresh_code(folder)
        record_looks(folder, params)
        confirm = experiments(folder, params)
        try:
            confirm = rounds(folder, params) or confirm
        except StageError:
            present(folder, "study interrupted")  # show the results so far; the test split is not read
            raise
        while add_trials(folder):
            confirm = experiments(folder, params) or confirm
        run_stages(folder, confirm, confirm_label(params))
        present(folder, "study finished")


def confirm_label(params: Params) -> str:
    """The label of the stage `confirm`, which always runs; where the test split stays closed, it writes only that."""
    return {
        "never": "confirm: nothing to do, confirm.when is never",
        "better": "confirm, on the test split only where an arm is better",
    }.get(params.confirm.when, "confirm on the test split")


def add_trials(folder: Path) -> bool:
    """Plan the trials that the results so far ask for; False when they ask for none."""
    comparison, plan = read_json(folder / layout.COMPARISON), load_plan(folder)
    if more := more_seeds(comparison, plan):
        for arm, seeds in more:
            add_block(folder, arm, seeds)
        say(f"more seeds until the next look: {', '.join(dict.fromkeys(arm for arm, _ in more))}")
    elif control := boxes_control(comparison, plan):
        write_rounds(control, folder)
        say(f"a control for the winner's number of boxes: {', '.join(control['arms'])}")
    else:
        return False
    return True


def rounds(folder: Path, params: Params) -> list[str]:
    """Run the open rounds of the language model: suggest, experiments, reflect. Reaching a limit is no error.

    Returns the stages left to run, as `experiments` does.
    """
    left: list[str] = []
    for number in open_rounds(read_journal(folder / layout.JOURNAL), params):
        model_step(folder, "metricloop.tasks.steps.suggest", number)
        refresh_code(folder)  # the round may have brought the first repair, whose stage `mend` dvc.yaml then gets
        left = experiments(folder, params) or left
        model_step(folder, "metricloop.tasks.steps.reflect", number)
        commit(folder, f"round {number}")
        push_at_end(folder)
    return left


def experiments(folder: Path, params: Params) -> list[str]:
    """Run all stages that are out of date, short trials first, except confirm.

    Returns ["confirm"] when that is out of date, else [].
    """
    screening(folder, params)
    old = out_of_date(folder)
    run_all(folder, old, params)
    return of_kind(old, "confirm")


def present(folder: Path, message: str) -> None:
    """Show the present state of the study: report, MLflow, Prefect's artifacts, and a commit."""
    step(folder, "metricloop.tasks.steps.report")
    mlflow_step(folder, "metricloop.tasks.steps.track")
    show_study(folder)
    commit(folder, message)
    push_at_end(folder)
    with replacing(folder / layout.SHOWN) as temporary:  # last: a run that ended before this point shows it all again
        temporary.write_text(state_of(folder))
