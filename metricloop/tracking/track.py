"""Show a study in MLflow. Only this module writes runs; tracking.traces writes the calls of the language model.

MLflow is a view and never a record. Every run carries the hash of its content (RunRecord.key): runs that MLflow has
already are kept, missing ones are made, all others are deleted.
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

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.comparison.comparison_table import markdown_table
from metricloop.llm.journal import read_journal
from metricloop.tracking.arm_runs import arm_runs
from metricloop.tracking.language_model_runs import language_model_runs, origins
from metricloop.tracking.records import RunRecord
from metricloop.tracking.traces import delete_traces, write_trace

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KEY = "metricloop.key"
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"  # the description
VIEW = "comparison"  # saved view of the arms: columns and order
ROUNDS = "rounds"  # saved view of the language model's rounds
COLUMNS = {  # of VIEW, in this order, with their widths in pixels
    "tags.`role`": 90, "tags.`verdict`": 95, "metrics.`gain_mAP`": 95, "metrics.`mAP`": 75, "metrics.`gain_mAR`": 95,
    "metrics.`mAR`": 75, "metrics.`p_holm`": 80, "metrics.`images`": 75, "metrics.`boxes`": 75, "params.`policy`": 160,
    "attributes.`Dataset`": 260, "duration": 80,
}  # fmt: skip
ROUND_COLUMNS = {
    "metrics.`proposed`": 90, "metrics.`accepted`": 90, "metrics.`repaired`": 90, "metrics.`refused`": 90,
    "metrics.`cost`": 80, "metrics.`seconds`": 90, "params.`model`": 160, "params.`provider`": 100,
    "metrics.`prompt_tokens`": 120, "metrics.`completion_tokens`": 140,
}  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """The result of `track`: numbers of runs made, deleted and unchanged, and where MLflow keeps them."""

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
    """Make MLflow show the study in `folder`; changes nothing where it does already.

    The database is FOLDER/mlflow.db, files are under FOLDER/mlruns. Only one process may call this at a time.
    Errors: OtherVersionError for a study that another version of metricloop has compared; nothing is written then.
    """
    folder = folder.resolve()
    comparison = read_comparison(folder)
    wanted = [*arm_runs(folder), *language_model_runs(folder)]
    client = _client(folder / layout.MLFLOW)
    experiment = _experiment(client, folder, comparison["study"])
    # A run without a key was interrupted while it was written: it matches nothing and is deleted.
    there = {run.data.tags.get(KEY, run.info.run_id): run.info.run_id for run in _all_runs(client, experiment)}
    started = client.get_experiment(experiment).creation_time or 0
    shown: dict[str, tuple[RunRecord, str]] = {}
    for top, children in wanted:
        adopt = top.key not in there
        time = started - 1000 * top.rank  # MLflow lists the newest run first
        parent = there.get(top.key) or _create(client, experiment, folder, top, time, {})
        shown[top.key] = top, parent
        for child in children:
            run_id = there.get(child.key)
            if run_id is None:
                run_id = _create(client, experiment, folder, child, time - 1000 * child.rank, {PARENT: parent})
            elif adopt:
                client.set_tag(run_id, PARENT, parent)
            shown[child.key] = child, run_id
    gone = [run_id for key, run_id in there.items() if key not in shown]
    for run_id in gone:
        delete_traces(client, experiment, run_id)
        client.delete_run(run_id)
        shutil.rmtree(folder / layout.MLFLOW_FILES / run_id, ignore_errors=True)
    _link(client, experiment, folder, list(shown.values()))
    _describe(client, experiment, comparison, [run_id for run, run_id in shown.values() if run.tags["kind"] == "model"])
    kept = len(there) - len(gone)
    return Summary(experiment, len(shown) - kept, len(gone), kept, folder / layout.MLFLOW)


def _link(client: MlflowClient, experiment: str, folder: Path, shown: list[tuple[RunRecord, str]]) -> None:
    """Link the arms and trials of each suggestion to the round that it came from.

    These tags are not part of a run's key: when a round is written again, its trials are not.
    """
    rounds = {run.tags["round"]: run_id for run, run_id in shown if run.tags["kind"] == "round"}
    suggested = origins(read_journal(folder / layout.JOURNAL))
    for run, run_id in shown:
        if run.tags["kind"] not in ("arm", "trial"):
            continue
        number = suggested.get(run.tags["arm"])
        tags = {}
        if number is not None:
            page = f"#/experiments/{experiment}/runs/{rounds[str(number)]}"
            note = (
                f"Suggested by the language model in round {number}: "
                f"[questions and answers]({page}/traces), [idea, code and gate results]({page})"
            )
            tags = {"round": str(number), "suggestion": run.tags["arm"], "conversation": f"{page}/traces", NOTE: note}
        present = client.get_run(run_id).data.tags
        for name in ("round", "suggestion", "conversation", NOTE):
            if name in tags and present.get(name) != tags[name]:
                client.set_tag(run_id, name, tags[name])
            elif name in present and name not in tags:
                client.delete_tag(run_id, name)


def _client(database: Path) -> MlflowClient:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):  # without this the first call prints every migration of an empty database
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=f"sqlite:///{database}")


def _experiment(client: MlflowClient, folder: Path, study: str) -> str:
    """The id of the study's experiment, which is created, or restored after a deletion."""
    found = client.get_experiment_by_name(study)
    if found is None:
        return client.create_experiment(study, artifact_location=(folder / layout.MLFLOW_FILES).as_uri())
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def _describe(client: MlflowClient, experiment: str, comparison: dict[str, Any], cards: list[str]) -> None:
    """Set the experiment's description and saved views. cards: run ids of the model's scorecard, one or none."""
    page = f"#/experiments/{experiment}/runs"
    links = [f"[Arms with role and gain as columns]({page}?viewStateShareKey={VIEW})"]
    if cards:
        links.append(f"[The language model's rounds]({page}?viewStateShareKey={ROUNDS})")
        links.append(f"[its ideas and scorecard]({page}/{cards[0]})")
    tags = {
        "mlflow.experimentKind": "custom_model_development",  # opens on the table of runs
        NOTE: f"{', '.join(links)}\n\n{markdown_table(comparison)}",
        f"mlflow.sharedViewState.{VIEW}": _view("Comparison with random", "arm", COLUMNS, "metrics.`gain_mAP`"),
        f"mlflow.sharedViewState.{ROUNDS}": _view("Rounds", "round", ROUND_COLUMNS, "tags.`round`"),
    }
    present = client.get_experiment(experiment).tags
    for name, value in tags.items():
        if present.get(name) != value:
            client.set_experiment_tag(experiment, name, value)


def _view(name: str, kind: str, columns: dict[str, int], order: str) -> str:
    """A saved view of the UI as JSON: runs of one kind, the highest `order` first. columns: their widths in pixels."""
    state = {
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": columns,
        "searchFilter": f"tags.kind = '{kind}'",
        "orderByKey": order,
        "orderByAsc": False,
    }
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)})


def _create(
    client: MlflowClient, experiment: str, folder: Path, run: RunRecord, time: int, tags: dict[str, str]
) -> str:
    """Write one run and return its id. The key is written last: an interrupted run never counts as complete."""
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
    for name, text in run.texts.items():
        client.log_text(run_id, text, name)
    for call in run.calls:
        write_trace(client, experiment, run_id, call)
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
    """The command that starts the MLflow UI of a tracked study, and the address of its comparison."""
    import sqlite3

    database = folder.resolve() / layout.MLFLOW
    name = read_comparison(folder)["study"]
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (experiment,) = connection.execute("SELECT experiment_id FROM experiments WHERE name = ?", [name]).fetchone()
    summary = Summary(str(experiment), 0, 0, 0, database)
    return f"MLflow UI:  {summary.ui_command}\n            then open {summary.page}"


def _all_runs(client: MlflowClient, experiment: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
