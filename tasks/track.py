"""Show a study in MLflow. The only module that writes it.

MLflow is a view and never a record. Every run is named by the hash of what it shows (tasks.runs), so runs that are
there already stay, others go, and missing ones are made.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection.tables import read_json
from tasks.runs import Run, arm_runs
from tasks.table import markdown_table

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KEY = "metricloop.key"
PARENT = "mlflow.parentRunId"
VIEW = "comparison"  # the saved table view: which columns, sorted how
COLUMNS = {  # of that view, in this order, with their widths in pixels
    "tags.`role`": 90, "tags.`verdict`": 95, "metrics.`gain_mAP`": 95, "metrics.`mAP`": 75, "metrics.`gain_mAR`": 95,
    "metrics.`mAR`": 75, "metrics.`p_holm`": 80, "metrics.`images`": 75, "metrics.`boxes`": 75, "params.`policy`": 160,
    "attributes.`Dataset`": 260, "duration": 80,
}  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """What `track` did: runs made, deleted and left alone, and where to look."""

    experiment_id: str
    made: int
    deleted: int
    unchanged: int
    database: Path

    @property
    def ui_command(self) -> str:
        return f"mlflow ui --backend-store-uri sqlite:///{self.database}"

    @property
    def page(self) -> str:
        """The comparison table in the UI that `ui_command` starts."""
        return f"http://127.0.0.1:5000/#/experiments/{self.experiment_id}/runs?viewStateShareKey={VIEW}"


def track(folder: Path) -> Summary:
    """Make MLflow show the study in `folder`; does nothing where it shows that already.

    The database is FOLDER/mlflow.db, files lie under FOLDER/mlruns. Only one process may call this at a time.
    """
    folder = folder.resolve()
    wanted = arm_runs(folder)
    client = _client(folder / "mlflow.db")
    experiment = _experiment(client, folder, read_json(folder / "comparison.json"))
    # A run without a key was cut short while it was written: it matches nothing and goes.
    there = {run.data.tags.get(KEY, run.info.run_id): run.info.run_id for run in _all_runs(client, experiment)}
    started = client.get_experiment(experiment).creation_time or 0
    keep, made = set(), 0
    for arm, trials in wanted:
        keep |= {arm.key, *(trial.key for trial in trials)}
        time = started - 1000 * arm.rank  # newest first is how MLflow lists runs
        parent = there.get(arm.key)
        adopt = parent is None
        if parent is None:
            parent, made = _create(client, experiment, folder, arm, time, {}), made + 1
        for trial in trials:
            if trial.key not in there:
                _create(client, experiment, folder, trial, time, {PARENT: parent})
                made += 1
            elif adopt:
                client.set_tag(there[trial.key], PARENT, parent)
    gone = [run_id for key, run_id in there.items() if key not in keep]
    for run_id in gone:
        client.delete_run(run_id)
        shutil.rmtree(folder / "mlruns" / run_id, ignore_errors=True)
    return Summary(experiment, made, len(gone), len(there) - len(gone), folder / "mlflow.db")


def _client(database: Path) -> MlflowClient:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):  # else the first call narrates every migration of an empty database
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=f"sqlite:///{database}")


def _experiment(client: MlflowClient, folder: Path, comparison: dict[str, Any]) -> str:
    """The experiment of the study, made or brought back where needed, and how the UI opens it."""
    found = client.get_experiment_by_name(comparison["study"])
    if found is None:
        made = client.create_experiment(comparison["study"], artifact_location=(folder / "mlruns").as_uri())
        found = client.get_experiment(made)
    elif found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    tags = {
        "mlflow.experimentKind": "custom_model_development",  # opens on the table of runs
        "mlflow.note.content": _note(found.experiment_id, comparison),
        f"mlflow.sharedViewState.{VIEW}": _view(),
    }
    for name, value in tags.items():
        if found.tags.get(name) != value:
            client.set_experiment_tag(found.experiment_id, name, value)
    return found.experiment_id


def _view() -> str:
    """A saved view of the UI: arms only, best gain first, role and gain as columns."""
    state = {
        "selectedColumns": list(COLUMNS),
        "columnOrder": list(COLUMNS),
        "columnWidths": COLUMNS,
        "searchFilter": "tags.kind = 'arm'",
        "orderByKey": "metrics.`gain_mAP`",
        "orderByAsc": False,
    }
    return json.dumps({"name": "Comparison with random", "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})


def _note(experiment: str, comparison: dict[str, Any]) -> str:
    """The experiment's description: the verdict and the comparison as Markdown."""
    link = f"[Arms with role and gain as columns](#/experiments/{experiment}/runs?viewStateShareKey={VIEW})"
    return f"{link}\n\n{markdown_table(comparison)}"


def _create(client: MlflowClient, experiment: str, folder: Path, run: Run, time: int, tags: dict[str, str]) -> str:
    """Write one run; its key comes last, so that a run cut short is never taken for a whole one."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    run_id = client.create_run(experiment, start_time=time, run_name=run.name, tags=tags).info.run_id
    if run.dataset:
        name, digest = run.dataset
        source = json.dumps({"uri": (folder / name).as_uri()})
        client.log_inputs(
            run_id,
            [DatasetInput(Dataset(name, digest, "local", source), [InputTag("mlflow.data.context", "training")])],
        )
    if run.file:
        client.log_artifact(run_id, str(folder / run.file[0]))
    client.log_batch(
        run_id,
        metrics=[
            *(Metric(name, value, time, 0) for name, value in run.metrics.items()),
            *(Metric("loss", value, time, step) for value, step in run.curve),
        ],
        params=[Param(name, value) for name, value in run.params.items()],
        tags=[RunTag(name, value) for name, value in (run.tags | {KEY: run.key}).items()],
    )
    client.set_terminated(run_id, end_time=time)
    return run_id


def where_to_look(folder: Path) -> str:
    """The command that starts the MLflow UI of a tracked study, and the page of its comparison. Imports no mlflow."""
    import sqlite3

    database = folder.resolve() / "mlflow.db"
    name = read_json(folder / "comparison.json")["study"]
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (experiment,) = connection.execute("SELECT experiment_id FROM experiments WHERE name = ?", [name]).fetchone()
    summary = Summary(str(experiment), 0, 0, 0, database)
    return f"MLflow UI:  {summary.ui_command}\n            then {summary.page}"


def _all_runs(client: MlflowClient, experiment: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def main() -> None:
    summary = track(Path.cwd())
    print(f"MLflow: {summary.made} runs made, {summary.deleted} deleted, {summary.unchanged} as before")


if __name__ == "__main__":
    main()
